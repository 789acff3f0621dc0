#include "api/signal_request.h"

#include <algorithm>
#include <array>
#include <csignal>

#include "base/suggest.h"

namespace sbx::api {
namespace {

constexpr std::array<std::string_view, 17> kNames{"HUP",  "INT",  "QUIT", "ABRT", "KILL", "USR1",
                                                  "USR2", "PIPE", "ALRM", "TERM", "CONT", "STOP",
                                                  "TSTP", "TTIN", "TTOU", "URG",  "WINCH"};
constexpr std::array<int, kNames.size()> kNumbers{SIGHUP,  SIGINT,  SIGQUIT, SIGABRT, SIGKILL, SIGUSR1,
                                                  SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGCONT, SIGSTOP,
                                                  SIGTSTP, SIGTTIN, SIGTTOU, SIGURG,  SIGWINCH};

Result<int> by_number(std::uint64_t number, const std::string& key) {
  if (std::ranges::find(kNumbers, static_cast<int>(std::min<std::uint64_t>(number, 255))) != kNumbers.end())
    return static_cast<int>(number);
  return fail("'" + key + "': " + std::to_string(number) + " is not one of " + one_of(kNames));
}

}  // namespace

Result<int> parse_signal(const JsonObject& object) {
  const std::string key = object.name("signal");
  if (!object.has("signal")) return fail("'" + key + "' is missing: a name, as 'TERM', or a number");
  if (const auto number = object.count("signal"); number && *number) return by_number(**number, key);
  const auto text = object.text("signal");
  if (!text || !*text) return fail("'" + key + "': must be a name, as 'TERM', or a number");
  std::string_view word = **text;
  if (word.starts_with("SIG")) word.remove_prefix(3);
  const auto found = std::ranges::find(kNames, word);
  if (found == kNames.end()) return fail("'" + key + "': " + suggest(word, kNames));
  return kNumbers.at(static_cast<std::size_t>(found - kNames.begin()));
}

}  // namespace sbx::api
