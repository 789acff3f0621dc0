#include "launch/exec_payload.h"

#include <cstring>
#include <vector>

#include "wire/init_protocol.h"

namespace sbx {

std::string make_exec_payload(const ExecPlan& exec, const CpuMask& cpus) {
  init::ExecPayload header;
  header.argc = static_cast<std::uint32_t>(exec.command.size());
  header.envc = static_cast<std::uint32_t>(exec.environment.size());
  header.candidates = static_cast<std::uint32_t>(exec.candidates.size());
  header.uid = kWorkloadId;
  header.gid = kWorkloadId;
  header.tty_rows = exec.tty_rows;
  header.tty_columns = exec.tty_columns;
  static_assert(sizeof header.cpu_mask == sizeof cpus);
  std::memcpy(header.cpu_mask, cpus.data(), sizeof header.cpu_mask);

  const std::size_t slots = exec.command.size() + exec.environment.size() + exec.candidates.size() + 3;
  const std::size_t strings_at = sizeof header + slots * sizeof(std::uint64_t);
  std::string strings;
  std::vector<std::uint64_t> offsets;
  const auto add_string = [&](const std::string& text) {
    const std::size_t at = strings_at + strings.size();
    strings.append(text.c_str(), text.size() + 1);
    return at;
  };
  for (const auto* list : {&exec.command, &exec.environment, &exec.candidates}) {
    for (const std::string& text : *list) offsets.push_back(add_string(text));
    offsets.push_back(0);
  }
  header.cwd_offset = static_cast<std::uint32_t>(add_string(exec.cwd));

  std::string payload(reinterpret_cast<const char*>(&header), sizeof header);
  payload.append(reinterpret_cast<const char*>(offsets.data()), offsets.size() * sizeof(std::uint64_t));
  return payload + strings;
}

}  // namespace sbx
