#include "run/run_one.h"

#include <algorithm>
#include <cerrno>

#include "base/hash.h"
#include "base/names.h"
#include "os/file.h"
#include "os/mount.h"
#include "os/socket.h"
#include "outcome/classify.h"
#include "plan/make_plan.h"
#include "policy/apply_policy.h"
#include "resource/build_place.h"
#include "resource/foreign_ids.h"
#include "resource/host_needs.h"
#include "resource/host_rights.h"
#include "resource/projects.h"
#include "resource/transactions.h"
#include "run/choose_language.h"
#include "run/client_link.h"
#include "run/gather_facts.h"
#include "run/inputs.h"
#include "run/read_failed_output.h"
#include "run/run_step.h"
#include "run/streams.h"
#include "wire/client_protocol.h"

namespace sbx {
namespace {

class Run {
 public:
  Run(const RunContext& context, const RunRequest& request) : context_(context), request_(request) {
    RunResult& result = report_.result;
    result.created_at = timestamp_now();
    result.run_id = request.run_id.empty() ? new_run_id() : request.run_id;
    request_.run_id = result.run_id;
    result.task_id = request.task_id;
    result.project_id = request.project;
    result.mode = context.mode;
    result.image_name = request.image;
    result.command = request.command;
    if (request.language) note_language_request(*request.language, result);
    result.cwd = request.cwd;
    result.caller = context.caller;
    result.policy_name = context.policy.name;
    result.policy_fingerprint = context.policy.fingerprint;
    result.limits = request.limits;
    for (const EnvironmentVariable& variable : request.environment) {
      result.environment_names.push_back(variable.name);
    }
  }

  RunReport execute(std::vector<UniqueFd> passed) {
    if (const auto done = try_execute(std::move(passed)); !done) fail_with(done.error());
    note_changes();
    finish();
    return std::move(report_);
  }

 private:
  Result<void> try_execute(std::vector<UniqueFd> passed) {
    RunResult& result = report_.result;
    if (!context_.image_there) return fail(context_.image_there.error());
    if (request_.language) language_ = TRY(choose_language(context_.settings, request_));
    result.image_name = request_.image;
    const LimitSet granted = TRY(grant(request_, needed_by(request_, language_)));
    if (context_.note_memory && granted.memory_bytes) context_.note_memory(*granted.memory_bytes);
    result.limits = granted;
    if (language_ && compiles(request_, language_->language)) TRY(plan_compile_step());
    std::optional<LanguageCommand> command = TRY(command_of(LanguageStep::act, granted));
    if (command) result.command = command->command;
    if (!context_.cgroups) return fail(context_.cgroups.error());
    TRY(check_host_files());
    if (!context_.places) return fail(context_.places.error());
    TRY(check_id_pool(context_.settings.ids));
    ids_ = TRY(claim_ids(context_.settings.run_dir, context_.settings.ids));
    claimed_ = true;
    result.sandbox_id = "sbx-" + result.run_id;
    TRY(write_journal(*context_.cgroups));

    if (compile_) TRY(os::enter_own_mount_namespace());  // before anything is opened that is mounted there
    inputs_ = TRY(gather_inputs(context_.settings, context_.policy, request_, context_.bind_rights, granted,
                                result.degradations));
    result.image_digest = inputs_.image_digest;
    result.language = language_ ? language_->language.name : inputs_.language;
    spill_ = TRY(open_spill(request_, context_.settings.state_dir, result.run_id, context_.client,
                            granted.memory_bytes.value_or(0)));
    if (compile_ && !TRY(compile(granted))) return {};
    return carry_out({request_, granted, std::move(command)}, std::move(passed), result);
  }

  // One program of this run: what is asked, what is granted, and in words of a language the command for it.
  struct StepWish {
    const RunRequest& request;
    LimitSet granted;
    std::optional<LanguageCommand> command;
  };

  Result<void> plan_compile_step() {
    compile_request_ = compile_request(request_);
    const LimitSet granted =
        TRY(grant(compile_request_, language_->runner.compile_limits, LimitFlags::compile));
    std::optional<LanguageCommand> command = TRY(command_of(LanguageStep::compile, granted));
    compile_.emplace(StepWish{compile_request_, granted, std::move(command)});
    return {};
  }

  Result<std::optional<LanguageCommand>> command_of(LanguageStep step, const LimitSet& granted) const {
    if (!language_) return std::nullopt;
    return TRY(apply_language(request_, language_->runner, language_->language, step, granted));
  }

  Result<LimitSet> grant(const RunRequest& request, const LimitSet& needed,
                         LimitFlags asked_by = LimitFlags::own) {
    Result<LimitSet> granted = grant_limits(request, context_.policy, needed, asked_by);
    rejected_ = !granted;
    return granted;
  }

  // Whether there is something to run. Where not, the run ends as this step did.
  Result<bool> compile(const LimitSet& granted) {
    build_ = TRY(make_build_place(context_.settings.run_dir, compile_->granted, ids_.outside(kWorkloadId)));
    StepResult step;
    step.program = "the compiler";
    TRY(carry_out(std::move(*compile_), {}, step));
    RunResult& result = report_.result;
    result.compile = step;
    result.cwd = step.cwd;
    if (!captures_output(request_)) TRY(show_compiler_output(step));
    if (step.outcome == Outcome::exited && step.exit_code == 0) {
      if (!clean_) return fail("the sandbox of the compile step is not gone; the code is not run beside it");
      if (late_signal_ != 0) {
        result.outcome = Outcome::cancelled;
        result.signal = late_signal_;
        result.message = "the run was cancelled by " + signal_name(late_signal_);
        return false;
      }
      // A file system of its own is mounted once per sandbox.
      if (inputs_.project.is_mount) TRY(open_project_again(granted));
      return true;
    }
    result.outcome = step.outcome;
    result.exit_code = step.exit_code;
    result.signal = step.signal;
    result.message = "the code was not compiled, and so not run: " + step.message;
    result.step = step.step;
    result.step_error = step.step_error;
    return false;
  }

  // While it is open: nobody changes its size in between.
  Result<void> open_project_again(const LimitSet& granted) {
    std::vector<std::string> degradations;  // the same as at first
    request_.transaction = inputs_.project.transaction;
    inputs_.project.branch_in_use.reset();
    inputs_.project = TRY(open_project(context_.settings.state_dir, request_.project,
                                       project_wish(request_, context_.policy, granted),
                                       context_.settings.ids.service_id(), degradations));
    return {};
  }

  // `result` is the run's own, or its compile step's.
  Result<void> carry_out(StepWish wish, std::vector<UniqueFd> passed, StepResult& result) {
    result.limits = wish.granted;
    const std::optional<ReportFormat> report_format = wish.command ? wish.command->report : std::nullopt;
    if (wish.command) TRY(note_language(std::move(*wish.command), inputs_.facts));
    const SandboxPlan plan =
        TRY(make_plan(wish.request, wish.granted, context_.policy, inputs_.facts, report_.result.sandbox_id));
    result.limits = plan.limits;
    result.command = plan.exec.command;
    result.cwd = plan.exec.cwd;
    const OpenSources open{inputs_.project, inputs_.binds, build_.get()};
    StepInput input{context_,
                    *context_.cgroups,
                    wish.request,
                    plan,
                    ids_,
                    open,
                    report_.result.run_id,
                    report_format,
                    &result == &report_.result,
                    std::move(passed),
                    spill_.get()};
    StepReport report;
    report.degradations = report_.result.degradations;
    Result<void> done = run_step(std::move(input), result, report);
    note(std::move(report));
    return done;
  }

  void note(StepReport report) {
    RunResult& result = report_.result;
    if (report.tests) result.tests = report.tests;
    if (!report.controls.empty()) result.controls = std::move(report.controls);
    for (std::string& degradation : report.degradations) {
      if (std::ranges::find(result.degradations, degradation) == result.degradations.end())
        result.degradations.push_back(std::move(degradation));
    }
    for (const std::string& text : report.notices) notice(text);
    clean_ = clean_ && report.clean;
    late_signal_ = report.late_signal;
  }

  // Before the program writes anything.
  Result<void> show_compiler_output(const StepResult& step) {
    const std::string text = step.standard_output->data + step.standard_error->data;
    if (context_.client < 0) return {};
    const auto sent = ClientLink(context_.client).show_compiler_output(text);
    // A client that is gone is seen at its socket.
    return sent || sent.error().error_number == EPIPE ? Result<void>() : sent;
  }

  // Before anything is made: what the next start has to remove and to record should we be killed.
  Result<void> write_journal(const CgroupLayout& layout) const {
    RunResult record = report_.result;
    record.outcome = Outcome::cancelled;
    record.message = "the run was cancelled because its supervisor was killed";
    classify_failures(record);
    const std::string& log = context_.settings.log.path;
    // A path with a line break would end its line: then the sweeper's log has to do.
    const Journal journal{cgroup_directories(layout, record.sandbox_id),
                          {result_to_json(record, false)},
                          log.find('\n') == std::string::npos ? log : ""};
    return ids_.write_journal(journal);
  }

  void fail_with(const Error& error) {
    RunResult& result = report_.result;
    result.outcome = rejected_ ? Outcome::rejected : Outcome::setup_failed;
    // KILL is behind no refusal of a set-up.
    const std::string lacking = lacking_capabilities(effective_capabilities(), true);
    result.message = rejected_ ? error.text : with_host_need(error, lacking).text;
    if (!rejected_) result.step = "prepare";
    if (error.error_number == ECANCELED) {
      result.outcome = Outcome::cancelled;
      result.message = "the run was cancelled while its image was built";
      result.step.clear();
    }
    result.started_at.clear();
  }

  // What it changed on a branch of its project. Its file system is opened anew: that of the sandbox is
  // id-mapped.
  void note_changes() {
    Project& project = inputs_.project;
    if (project.branch.empty() || !clean_) return;
    report_.result.transaction = project.transaction;
    const auto changes = [&]() -> Result<ChangeList> {
      const OpenedProject opened = TRY(open_project_disk(context_.settings.state_dir, request_.project));
      const Transactions transactions(opened, context_.settings.ids.service_id());
      ChangeList list = TRY(transactions.diff_of_run(project.tree, project.branch, kMostChanges));
      if (!project.transaction.empty()) return list;
      project.branch_in_use.reset();  // a dry run's: nobody goes on with it
      project.generation.reset();
      TRY(transactions.collect());
      return list;
    }();
    if (!changes) return notice("what it changed cannot be told: " + changes.error().text);
    report_.result.changes = *changes;
  }

  // Records the run, whose sandboxes are gone, in an order in which a kill -9 in between loses nothing.
  void finish() {
    inputs_.project = {};
    report_.result.finished_at = timestamp_now();
    classify_failures(report_.result, read_output_confined);
    const RunResult& result = report_.result;
    std::string record = result_to_json(result, false);
    const auto logged = append_to_monitor_log(context_.settings.log, record);
    const bool captured = result.standard_output || result.standard_error || result.compile;
    report_.json = captured ? result_to_json(result, true) : std::move(record);
    if (!logged) notice("the monitor log could not be written: " + logged.error().text);
    if (!claimed_ || !clean_) return;
    if (const auto cleared = ids_.clear_journal(); !cleared)
      notice("the journal could not be emptied; the next start tries again: " + cleared.error().text);
  }

  void notice(const std::string& text) { report_.notice += (report_.notice.empty() ? "" : "; ") + text; }

  const RunContext& context_;
  RunRequest request_;
  std::optional<ChosenLanguage> language_;
  RunReport report_;
  bool rejected_ = false;
  bool claimed_ = false;
  bool clean_ = true;
  int late_signal_ = 0;
  RunRequest compile_request_;
  std::optional<StepWish> compile_;  // the step before the program's
  IdClaim ids_;
  Inputs inputs_;
  UniqueFd build_;
  std::unique_ptr<Spill> spill_;
};

}  // namespace

RunReport run_one(const RunContext& context, const RunRequest& request, std::vector<UniqueFd> passed) {
  return Run(context, request).execute(std::move(passed));
}

}  // namespace sbx
