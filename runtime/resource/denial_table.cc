#include "resource/denial_table.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "policy/syscall_names.h"
#include "wire/denials.h"

namespace sbx {
namespace {

constexpr const char* kName = "sbx-denials";

void add_families(std::vector<Denial>& denials, const std::string& name,
                  const std::uint64_t (&counts)[kDenialFamilies]) {
  for (std::uint32_t family = 0; family < kDenialFamilies; ++family) {
    if (counts[family] > 0) denials.push_back({name, counts[family], family});
  }
}

}  // namespace

Result<UniqueFd> make_denial_table() {
  UniqueFd table(memfd_create(kName, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!table.valid()) return fail(system_error("memfd_create", kName, errno));
  if (ftruncate(table.get(), sizeof(DenialTable)) != 0) return fail(system_error("ftruncate", kName, errno));
  if (fcntl(table.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW) != 0) {
    return fail(system_error("fcntl F_ADD_SEALS", kName, errno));
  }
  return table;
}

std::vector<Denial> read_denial_table(int table) {
  DenialTable counts{};
  std::vector<Denial> denials;
  if (pread(table, &counts, sizeof counts, 0) != sizeof counts) return denials;
  std::vector<std::string> names;
  for (std::uint32_t number = 0; number < kDenialCalls; ++number) {
    if (counts.calls[number] == 0) continue;
    if (names.empty()) names = syscall_table();
    const bool named = number < names.size() && !names[number].empty();
    const std::string name = named ? names[number] : "syscall " + std::to_string(number);
    if (number == SYS_socket) {
      add_families(denials, name, counts.socket);
    } else if (number == SYS_socketpair) {
      add_families(denials, name, counts.socketpair);
    } else {
      denials.push_back({name, counts.calls[number], {}});
    }
  }
  return denials;
}

}  // namespace sbx
