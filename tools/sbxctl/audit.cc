// The chain of the monitor log: whether it is whole, and how far it goes.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/printable.h"
#include "commands.h"
#include "monitor/verify_log.h"

namespace sbx {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kExitProblems = 3;

struct Line {
  std::string head;
  bool json = false;
};

Result<std::optional<LogPin>> read_pin(const std::string& text) {
  if (text.empty()) return std::optional<LogPin>();
  LogPin pin;
  const std::size_t colon = text.find(':');
  const char* end = text.data() + std::min(colon, text.size());
  const auto [last, error] = std::from_chars(text.data(), end, pin.seq);
  if (colon != std::string::npos) pin.hash = text.substr(colon + 1);
  if (error != std::errc() || last != end || pin.seq == 0 || !is_sha256_hex(pin.hash))
    return fail("--head '" + text + "' is no NUMBER:HASH, as 'sbxctl audit head' prints it");
  return std::optional(std::move(pin));
}

Json as_json(const VerifiedLog& log, const std::string& path) {
  Json problems = Json::array();
  for (const LogProblem& one : log.problems)
    problems.push_back({{"file", one.file}, {"line", one.line}, {"problem", one.text}});
  return {{"log", path},
          {"whole", log.problem_count == 0},
          {"first", log.first_seq},
          {"last", log.head.seq},
          {"hash", log.head.hash.empty() ? Json(nullptr) : Json(log.head.hash)},
          {"lines", log.lines},
          {"before_the_chain", log.unlinked},
          {"torn", log.torn},
          {"lost", log.lost},
          {"problem_count", log.problem_count},
          {"problems", std::move(problems)}};
}

void print_whole(const VerifiedLog& log) {
  for (const LogProblem& one : log.problems) {
    const std::string at = one.line == 0 ? "" : ":" + std::to_string(one.line);
    (void)printf("%s%s: %s\n", printable(one.file).c_str(), at.c_str(), one.text.c_str());
  }
  if (log.problem_count > log.problems.size())
    (void)printf("and %llu problems more\n",
                 static_cast<unsigned long long>(log.problem_count - log.problems.size()));
  const auto tell = [](std::uint64_t number, const char* what) {
    if (number > 0) (void)printf("%llu %s\n", static_cast<unsigned long long>(number), what);
  };
  tell(log.unlinked, "lines from before there was a chain");
  tell(log.torn, "torn lines: a crash or a full disk");
  tell(log.lost, "lines could not be written since the last one");
  if (log.first_seq == 0) return (void)printf("no line of the chain is there\n");
  (void)printf("lines %llu to %llu: %s\n", static_cast<unsigned long long>(log.first_seq),
               static_cast<unsigned long long>(log.head.seq),
               log.problem_count == 0 ? "the chain is whole" : "the chain is broken");
}

int verify(const Settings& settings, const Line& line) {
  const auto pin = read_pin(line.head);
  if (!pin) return (void)report_failure(pin.error().text), kExitUsage;
  const auto verified = verify_log(settings.log.path, *pin);
  if (!verified) return report_failure(verified.error().text);
  if (line.json) {
    (void)printf(
        "%s\n",
        as_json(*verified, settings.log.path).dump(2, ' ', true, Json::error_handler_t::replace).c_str());
  } else {
    print_whole(*verified);
  }
  return verified->problem_count == 0 ? kExitOk : kExitProblems;
}

int head(const Settings& settings, const Line&) {
  const auto verified = verify_log(settings.log.path, {});
  if (!verified) return report_failure(verified.error().text);
  if (verified->problem_count > 0) {
    print_whole(*verified);
    return kExitProblems;
  }
  if (verified->first_seq == 0)
    return report_failure("'" + settings.log.path + "': no line of the chain is there");
  (void)printf("%llu:%s\n", static_cast<unsigned long long>(verified->head.seq), verified->head.hash.c_str());
  return kExitOk;
}

}  // namespace

void add_audit_commands(CLI::App& app, const Settings& settings, Action& action) {
  CLI::App* audit = app.add_subcommand("audit", "The monitor log: whether it is what was written");
  audit->require_subcommand(1);
  audit->fallthrough();
  using Work = int (*)(const Settings&, const Line&);
  const auto add = [&](const char* name, const char* help, Work work) {
    CLI::App* command = audit->add_subcommand(name, help);
    const auto line = std::make_shared<Line>();
    command->fallthrough();  // to --log
    command->callback([&settings, &action, line, work] {
      action = [&settings, line, work] { return work(settings, *line); };
    });
    return std::pair(command, line);
  };
  const auto verified =
      add("verify", "Read all of it, with what was rotated, and hold each line against the next", verify);
  verified.first->add_option("--head", verified.second->head,
                             "NUMBER:HASH of another time, kept elsewhere: that line is still the same");
  verified.first->add_flag("--json", verified.second->json, "As JSON");
  add("head", "How far it goes, to be kept elsewhere: NUMBER:HASH", head);
  audit->footer("Exit status 3: lines are missing, were changed, moved or written by somebody else.");
}

}  // namespace sbx
