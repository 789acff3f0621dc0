// sbxctl doctor: whether this host can enforce a policy, what follows where it cannot, and what to do.
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/names.h"
#include "base/printable.h"
#include "commands.h"
#include "policy/policy.h"
#include "run/diagnose.h"

namespace sbx {
namespace {

// --- for people ------------------------------------------------------------------------------------------

constexpr std::size_t kStateColumn = 2;
constexpr std::size_t kNameColumn = 13;
constexpr std::size_t kFoundColumn = 32;

class Page {
 public:
  explicit Page(bool colours) : colours_(colours) {}

  void check(const HostCheck& check) const {
    const bool advice = !check.required && check.state == CheckState::degraded;
    const std::string word = advice ? "advice" : std::string(check_state_name(check.state));
    std::string name = printable(check.name);
    name.resize(std::max(name.size() + 2, kFoundColumn - kNameColumn), ' ');
    (void)printf("%s%s%s%s", std::string(kStateColumn, ' ').c_str(), painted(word, check).c_str(),
                 std::string(kNameColumn - kStateColumn - word.size(), ' ').c_str(), name.c_str());
    paragraph(check.found, kNameColumn + name.size(), kFoundColumn);
    if (!check.effect.empty()) indented(check.effect);
    if (!check.fix.empty()) indented("Fix: " + check.fix);
  }

  [[nodiscard]] std::string bold(const std::string& text) const {
    return colours_ ? "\x1b[1m" + text + "\x1b[0m" : text;
  }

 private:
  [[nodiscard]] std::string painted(const std::string& word, const HostCheck& check) const {
    if (!colours_) return word;
    const char* colour = "33";  // yellow
    if (check.state == CheckState::ok) colour = "32";
    if (check.state == CheckState::missing && check.required) colour = "31";
    return std::string("\x1b[") + colour + "m" + word + "\x1b[0m";
  }

  static void indented(const std::string& text) {
    (void)printf("%s", std::string(kNameColumn, ' ').c_str());
    paragraph(text, kNameColumn, kNameColumn);
  }

  // Words up to column 79; the cursor is at `column`, further lines begin at `indent`.
  static void paragraph(const std::string& words, std::size_t column, std::size_t indent) {
    const std::string text = printable(words);
    std::string line;
    const std::size_t start = column;
    for (std::size_t at = 0; at <= text.size();) {
      const std::size_t end = std::min(text.find(' ', at), text.size());
      const std::string word = text.substr(at, end - at);
      if (!line.empty() && column + 1 + word.size() > 79) {
        line += "\n" + std::string(indent, ' ') + word;
        column = indent + word.size();
      } else {
        line += (column > start || !line.empty() ? " " : "") + word;
        column += word.size() + (column > start ? 1 : 0);
      }
      at = end + 1;
    }
    (void)printf("%s\n", line.c_str());
  }

  bool colours_;
};

void print_page(const Diagnosis& diagnosis) {
  const char* terminal = std::getenv("TERM");
  const bool colours = isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr &&
                       terminal != nullptr && std::string_view(terminal) != "dumb";
  const Page page(colours);
  std::string group;
  for (const HostCheck& check : diagnosis.checks) {
    if (check.group != group) {
      group = check.group;
      (void)printf("%s%s\n", group == diagnosis.checks.front().group ? "" : "\n", page.bold(group).c_str());
    }
    page.check(check);
  }
  const std::string policy = "the policy '" + printable(diagnosis.policy) + "'";
  const std::string verdict = diagnosis.enforceable
                                  ? "This host can enforce " + policy + "."
                                  : "This host cannot enforce " + policy + ": runs under it are refused.";
  (void)printf("\n%s\n", page.bold(verdict).c_str());
}

}  // namespace

void add_doctor_command(CLI::App& app, const Settings& settings, Action& action) {
  CLI::App* doctor =
      app.add_subcommand("doctor", "Say whether this host can enforce a policy, and what to do");
  struct Line {
    std::string policy = "default";
    bool json = false;
  };
  const auto line = std::make_shared<Line>();
  doctor->fallthrough();  // --state-dir and --config may come after the command
  doctor->add_flag("--json", line->json, "As JSON");
  doctor->add_option("--policy", line->policy, "The policy: a name or a file (default: default)")
      ->check([](const std::string& text) -> std::string {
        if (is_policy_file(text)) return {};
        const Result<void> checked = check_name("policy name", text);
        return checked ? "" : checked.error().text;
      });
  doctor->footer("Exit status: 0 the policy can be enforced, 1 it cannot, 2 wrong usage. Changes nothing.");
  doctor->callback([&settings, &action, line] {
    action = [&settings, line] {
      const Diagnosis diagnosis = diagnose(settings, line->policy);
      if (line->json) {
        (void)printf("%s\n", diagnosis_json(diagnosis)
                                 .dump(2, ' ', true, nlohmann::ordered_json::error_handler_t::replace)
                                 .c_str());
      } else {
        print_page(diagnosis);
      }
      return diagnosis.enforceable ? kExitOk : kExitFailed;
    };
  });
}

}  // namespace sbx
