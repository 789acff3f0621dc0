#include "plan/make_plan.h"
#include "policy/apply_policy.h"
#include "resource/bind_contents.h"
#include "run/choose_language.h"
#include "run/gather_facts.h"
#include "run/run_one.h"

namespace sbx {

Result<std::string> describe_run(const Settings& settings, const Policy& policy, RunRequest request) {
  std::optional<ChosenLanguage> chosen;
  if (request.language) chosen = TRY(choose_language(settings.state_dir, request));
  const LimitSet granted = TRY(grant_limits(request, policy, chosen ? chosen->runner.limits : LimitSet{}));
  std::optional<LanguageCommand> command;
  if (chosen) command = TRY(apply_language(request, chosen->runner, chosen->language, granted));
  PlanFacts facts = TRY(look_up_facts(settings, policy, request, granted));
  if (command) TRY(note_language(std::move(*command), facts));
  const SandboxPlan plan = TRY(make_plan(request, granted, policy, facts, "sbx-plan"));
  if (request.action == RequestAction::plan) return describe_plan(plan, policy, request, facts);
  std::string text = explain_plan(plan, policy, request, facts);
  for (const std::string& warning : bind_warnings(request)) text += "Careful: " + warning + ".\n";
  return text;
}

}  // namespace sbx
