// Advice about the host: settings that take tools from an attacker who gets out. sbx does not change them.
#include <algorithm>
#include <array>
#include <charconv>

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

}  // namespace

std::vector<HostCheck> check_settings(const std::vector<std::pair<std::string, std::string>>& settings) {
  std::vector<HostCheck> checks;
  for (const auto& [path, value] : settings) {
    HostCheck check = advice(path, value);
    if (path == "kernel/core_pattern") {
      if (value.starts_with('|')) {
        advise(check, "a crash starts a program as the host's root, outside every sandbox",
               "sysctl -w kernel.core_pattern=core");
      }
      checks.push_back(std::move(check));
      continue;
    }
    const auto* wanted = std::ranges::find(kAdvised, path, &Setting::name);
    if (wanted == kAdvised.end()) continue;
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
