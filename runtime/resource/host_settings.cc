// Advice about the host: settings that take tools from an attacker who gets out. sbx does not change them.
#include <algorithm>
#include <array>
#include <charconv>

#include "base/split.h"
#include "base/units.h"
#include "resource/host_checks.h"

namespace sbx {
namespace {

struct Setting {
  std::string_view name;
  long least;
  long most;
  const char* effect;  // when it is outside
};

constexpr long kAny = 1000;
constexpr std::array<Setting, 10> kAdvised{{
    {"kernel/kptr_restrict", 1, kAny, "everyone can read kernel addresses"},
    {"kernel/dmesg_restrict", 1, kAny, "everyone can read the kernel log"},
    {"kernel/unprivileged_bpf_disabled", 1, kAny, "everyone can load BPF programs"},
    {"kernel/perf_event_paranoid", 2, kAny, "everyone can measure the kernel"},
    {"dev/tty/legacy_tiocsti", 0, 0, "programs can type into terminals"},
    {"fs/protected_symlinks", 1, kAny, "links in shared directories can be used against others"},
    {"fs/protected_hardlinks", 1, kAny, "links to the files of others can be made"},
    {"fs/protected_fifos", 1, kAny, "FIFOs in shared directories can be used against others"},
    {"fs/protected_regular", 1, kAny, "files in shared directories can be used against others"},
    {"kernel/yama/ptrace_scope", 1, kAny, "programs can trace others of their user"},
}};

HostCheck advice(std::string_view path, std::string_view value) {
  HostCheck check;
  check.group = "advice";
  check.name = path;
  std::ranges::replace(check.name, '/', '.');
  check.found = value;
  return check;
}

void advise(HostCheck& check, std::string effect, std::string fix) {
  check.state = CheckState::degraded;
  check.effect = std::move(effect);
  check.fix = std::move(fix);
}

void check_core_pattern(HostCheck& check) {
  constexpr const char* kFix = "sysctl -w kernel.core_pattern=core";
  if (check.found.starts_with('|'))
    advise(check, "a crash starts a program as the host's root, outside every sandbox", kFix);
  const std::string effect = core_socket_effect(check.found);
  if (!effect.empty()) advise(check, effect, kFix);
}

// Until 6.14 a file that is no known format, and no text, had the kernel look for a module "binfmt-XXXX".
void check_modprobe(HostCheck& check, unsigned kernel) {
  if (check.found.empty()) check.found = "none";
  if (check.found == "none" || kernel >= 6014) return;
  advise(check, "a program can have the kernel run modprobe as the host's root, outside every limit",
         "Linux 6.14 or newer; or, when all modules that are needed are loaded: echo "
         ">/proc/sys/kernel/modprobe");
}

// Three numbers of pages, for all sockets of the machine: under the second nothing is held back, above the
// third nothing is had. What a sandbox's sockets hold is also in its own memory limit.
void check_socket_memory(HostCheck& check, std::size_t number, std::optional<std::uint64_t> memory_bytes) {
  constexpr std::uint64_t kPage = 4096;
  std::ranges::replace(check.found, '\t', ' ');
  const std::vector<std::string_view> words = split(check.found, ' ');
  std::uint64_t pages = 0;
  if (!memory_bytes || words.size() != 3) return;
  const std::string_view word = words[number];
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), pages);
  if (error != std::errc{} || pages > UINT64_MAX / kPage || pages * kPage >= *memory_bytes) return;
  const std::string bytes = format_bytes(pages * kPage / 1'048'576 * 1'048'576);
  advise(check,
         "a sandbox with " + format_bytes(*memory_bytes) +
             " of memory can use up what all sockets of the host " + "share, about " + bytes,
         "raise it (in pages), or lower 'memory' of the policy");
}

}  // namespace

std::string core_socket_effect(std::string_view core_pattern) {
  if (!core_pattern.starts_with('@')) return "";
  return "a crash sends the program's memory to a socket of the host, whatever its core limit";
}

std::vector<HostCheck> check_settings(const HostFacts& facts, std::optional<std::uint64_t> memory_bytes) {
  std::vector<HostCheck> checks;
  for (const auto& [path, value] : facts.settings) {
    HostCheck check = advice(path, value);
    if (path == "kernel/core_pattern") check_core_pattern(check);
    if (path == "kernel/modprobe") check_modprobe(check, kernel_version(facts.kernel));
    if (path == "net/ipv4/tcp_mem") check_socket_memory(check, 1, memory_bytes);
    if (path == "net/ipv4/udp_mem") check_socket_memory(check, 2, memory_bytes);
    const auto* wanted = std::ranges::find(kAdvised, path, &Setting::name);
    if (wanted == kAdvised.end()) {
      checks.push_back(std::move(check));
      continue;
    }
    long number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error == std::errc{} && (number < wanted->least || number > wanted->most)) {
      advise(check, wanted->effect, "sysctl -w " + check.name + "=" + std::to_string(wanted->least));
    }
    checks.push_back(std::move(check));
  }
  return checks;
}

}  // namespace sbx
