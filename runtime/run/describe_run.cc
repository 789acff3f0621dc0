#include "base/printable.h"
#include "plan/make_plan.h"
#include "policy/apply_policy.h"
#include "resource/bind_contents.h"
#include "resource/host_rights.h"
#include "run/choose_language.h"
#include "run/gather_facts.h"
#include "run/run_one.h"

namespace sbx {
namespace {

// The two programs of a run that compiles, or the one of any other.
class Description {
 public:
  Description(const Settings& settings, const Policy& policy, RunRequest request,
              const std::optional<os::FileRights>& bind_rights)
      : settings_(settings), policy_(policy), request_(std::move(request)), bind_rights_(bind_rights) {}

  Result<std::string> make() {
    if (request_.language) chosen_ = TRY(choose_language(settings_, request_));
    const LimitSet granted = TRY(grant_limits(request_, policy_, needed_by(request_, chosen_)));
    facts_ = TRY(look_up_facts(settings_, policy_, request_, bind_rights_, granted));
    std::string text;
    if (chosen_ && compiles(request_, chosen_->language)) {
      const RunRequest request = compile_request(request_);
      const LimitSet limits =
          TRY_DOING("the compile step", grant_limits(request, policy_, chosen_->runner.compile_limits));
      text = TRY(describe(request, limits, LanguageStep::compile));
    }
    text += TRY(describe(request_, granted, LanguageStep::act));
    if (request_.action == RequestAction::plan) return text;
    // The paths are followed as they are now: for who may go everywhere alone.
    const auto of_binds = bind_rights_ ? std::vector<std::string>() : bind_warnings(request_);
    for (const auto& warnings : {setting_warnings(), of_binds})
      for (const std::string& warning : warnings) text += "Careful: " + warning + ".\n";
    return text;
  }

 private:
  Result<std::string> describe(const RunRequest& request, const LimitSet& granted, LanguageStep step) {
    if (chosen_) {
      LanguageCommand command =
          TRY(apply_language(request_, chosen_->runner, chosen_->language, step, granted));
      TRY(note_language(std::move(command), facts_));
    }
    const SandboxPlan plan = TRY(make_plan(request, granted, policy_, facts_, "sbx-plan"));
    const bool is_compile = step == LanguageStep::compile;
    if (request.action == RequestAction::plan) {
      const std::string text = describe_plan(plan, policy_, request, facts_);
      return is_compile ? "compile step, in a sandbox of its own\n" + text + "\n" : text;
    }
    if (!is_compile) return explain_plan(plan, policy_, request, facts_);
    std::string text = "First the code is compiled, in a sandbox of its own with the same rules:";
    for (const std::string& word : plan.exec.command) text += " " + printable(word);
    return text + "\n";
  }

  const Settings& settings_;
  const Policy& policy_;
  RunRequest request_;
  const std::optional<os::FileRights>& bind_rights_;
  std::optional<ChosenLanguage> chosen_;
  PlanFacts facts_;
};

}  // namespace

Result<std::string> describe_run(const Settings& settings, const Policy& policy, RunRequest request,
                                 const std::optional<os::FileRights>& bind_rights) {
  return Description(settings, policy, std::move(request), bind_rights).make();
}

}  // namespace sbx
