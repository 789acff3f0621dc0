#include "keeper/live_command.h"

#include <algorithm>
#include <array>

#include "base/names.h"
#include "keeper/check_peer.h"
#include "monitor/log_file.h"
#include "os/file.h"
#include "os/socket.h"
#include "outcome/classify.h"
#include "plan/plan_environment.h"
#include "run/choose_language.h"
#include "run/read_failed_output.h"
#include "run/test_report.h"

namespace sbx {
namespace {

constexpr int kOurFailure = 125;

// What each command may have of its own; all other limits are the sandbox's.
constexpr std::array kOfCommand{&LimitSet::wall_ms, &LimitSet::cpu_ms, &LimitSet::output_bytes};

Result<void> check_own_limits(const LimitSet& limits) {
  for (const LimitField& field : kLimits) {
    const bool own = std::ranges::find(kOfCommand, field.member) != kOfCommand.end();
    if (!own && limits.*field.member)
      return fail("--" + std::string(field.key) +
                  ": belongs to the sandbox, which is there already; give it when that is made");
  }
  return {};
}

}  // namespace

LiveCommand::LiveCommand(const CommandHome& home, UniqueFd client, PeerIdentity peer, bool from_api)
    : home_(home),
      client_(std::move(client)),
      peer_(std::move(peer)),
      from_api_(from_api),
      result_(home.about) {
  result_.created_at = timestamp_now();
  result_.run_id = new_run_id();
  result_.caller = peer_.caller();
}

// --- from its request to its start ---------------------------------------------------------------------

void LiveCommand::begin() {
  Result<ReceivedRequest> received = ClientLink(client_.get()).receive_request();
  if (!received) {  // nobody asked for anything: there is no run to record
    (void)ClientLink(client_.get()).answer_error(kOurFailure, received.error());
    finished_ = true;
    return;
  }
  if (const auto begun = try_begin(std::move(*received)); !begun) fail_with(begun.error());
}

// What a living sandbox was made with cannot be asked for again.
Result<void> LiveCommand::check_request() const {
  const auto refuse = [](const char* what) {
    return fail(std::string(what) +
                ": belongs to the sandbox, which is there already; give it when that is made");
  };
  if (request_.action != RequestAction::run) return fail("a command of a sandbox can only be run");
  if (request_.command.empty() && !request_.language) return fail("no command to run");
  if (!request_.binds.empty() || request_.here) return refuse("--bind and --here");
  if (!request_.hostname.empty()) return refuse("--hostname");
  TRY(check_own_limits(request_.limits));
  if (request_.language) TRY(check_own_limits(request_.language->compile_limits));
  return request_.session.empty() ? Result<void>() : check_session();
}

Result<void> LiveCommand::check_session() const {
  if (request_.command.size() != 1) return fail("session: takes one line");
  if (request_.tty || request_.streams[0] != StreamMode::null)
    return fail("session: its lines have no terminal and no standard input");
  if (!request_.cwd.empty() || !request_.environment.empty())
    return fail("session: has its own directory and variables: set them in a line");
  for (const StreamMode mode : {request_.streams[1], request_.streams[2]}) {
    if (mode != StreamMode::spill && mode != StreamMode::capture)
      return fail("session: the output of its lines can only be read");
  }
  return {};
}

Result<void> LiveCommand::try_begin(ReceivedRequest received) {
  request_ = std::move(received.request);
  passed_ = std::move(received.streams);
  result_.command = request_.command;
  result_.cwd = request_.cwd;
  for (const EnvironmentVariable& variable : request_.environment)
    result_.environment_names.push_back(variable.name);
  if (request_.language) note_language_request(*request_.language, result_);
  request_.policy = home_.request.policy;
  request_.project = home_.request.project;
  TRY(check_peer_may(request_, peer_, from_api_));
  if (!request_.run_id.empty()) result_.run_id = request_.run_id;
  TRY(check_request());
  result_.limits = TRY(grant(request_, LimitFlags::own));
  if (!captures_output(request_)) result_.limits.output_bytes = request_.limits.output_bytes;
  spill_ = TRY(open_spill(request_, home_.site.settings.state_dir, result_.run_id, client_.get()));
  result_.started_at = timestamp_now();
  if (request_.language) return begin_language();
  if (request_.session.empty()) return begin_program();
  step_ = std::make_unique<CommandStep>(home_, request_, result_.limits, client_.get());
  if (spill_) spill_->begin_stage(stage_of(request_));
  return step_->begin_line(spill_.get());
}

// The sandbox's, but for those that a command has of its own.
Result<LimitSet> LiveCommand::grant(RunRequest& request, LimitFlags asked_by) {
  for (const auto member : kOfCommand) {
    if (!(request.limits.*member)) request.limits.*member = home_.request.limits.*member;
  }
  const Result<LimitSet> granted = grant_limits(request, home_.policy, {}, asked_by);
  rejected_ = !granted;
  if (!granted) return fail(granted.error());
  LimitSet limits = home_.plan.limits;
  for (const auto member : kOfCommand) limits.*member = (*granted).*member;
  return limits;
}

Result<ExecPlan> LiveCommand::plan(const std::optional<LanguageCommand>& command) const {
  // The sandbox's variables, and those of the command above them.
  RunRequest whole = request_;
  whole.environment = home_.request.environment;
  std::ranges::copy(request_.environment, std::back_inserter(whole.environment));
  PlanFacts facts = home_.facts;
  facts.language = command;
  ExecPlan exec;
  TRY(plan_exec(whole, facts, exec));
  return exec;
}

Result<void> LiveCommand::begin_program() {
  const ExecPlan exec = TRY(plan(act_));
  result_.command = exec.command;
  result_.cwd = exec.cwd;
  step_ = std::make_unique<CommandStep>(home_, request_, result_.limits, client_.get());
  if (spill_) spill_->begin_stage(stage_of(request_));
  return step_->begin_program(exec, std::move(passed_), spill_.get());
}

// --- code of a language --------------------------------------------------------------------------------

Result<void> LiveCommand::begin_language() {
  language_ = TRY(language_of(home_.runner, request_.language->name, home_.request.image));
  result_.language = language_->name;
  place_name_ = "run-" + std::to_string(home_.next_id());
  RunRequest asked = request_;
  asked.image = home_.request.image;
  asked.binds = home_.request.binds;
  act_ = TRY(apply_language(asked, *home_.runner, *language_, LanguageStep::act, result_.limits,
                            CodePlace::path_of(place_name_)));
  place_.emplace(TRY(CodePlace::make(home_.sandbox.mounts().storage, place_name_, act_->files,
                                     home_.ids.outside(kWorkloadId))));
  return compiles(request_, *language_) ? begin_compiler() : begin_program();
}

Result<void> LiveCommand::begin_compiler() {
  compile_request_ = compile_request(request_);
  compile_.program = "the compiler";
  compile_.limits = TRY(grant(compile_request_, LimitFlags::compile));
  const std::optional<LanguageCommand> command =
      TRY(apply_language(request_, *home_.runner, *language_, LanguageStep::compile, compile_.limits,
                         CodePlace::path_of(place_name_)));
  const ExecPlan exec = TRY(plan(command));
  compile_.command = exec.command;
  compile_.cwd = exec.cwd;
  compile_.started_at = timestamp_now();
  compiling_ = true;
  if (spill_) spill_->begin_stage("compile");
  step_ = std::make_unique<CommandStep>(home_, compile_request_, compile_.limits, client_.get());
  return step_->begin_program(exec, {}, nullptr);
}

// Where there is nothing to run, the run ends as this did.
void LiveCommand::end_compiler() {
  compiling_ = false;
  step_->fill(compile_);
  if (auto group = step_->take_group()) groups_.push_back(std::move(*group));
  const int signal = step_->late_signal();
  step_.reset();
  result_.compile = compile_;
  result_.started_at.clear();
  if (!captures_output(request_)) {
    const std::string text = compile_.standard_output->data + compile_.standard_error->data;
    (void)ClientLink(client_.get())
        .show_compiler_output(text);  // a client that is gone is seen at its socket
  }
  if (compile_.outcome == Outcome::exited && compile_.exit_code == 0 && signal == 0) {
    result_.started_at = timestamp_now();
    if (const auto begun = begin_program(); !begun) fail_with(begun.error());
    return;
  }
  result_.cwd = compile_.cwd;
  result_.outcome = signal == 0 ? compile_.outcome : Outcome::cancelled;
  result_.exit_code = signal == 0 ? compile_.exit_code : std::nullopt;
  result_.signal = signal == 0 ? compile_.signal : signal;
  result_.message = signal == 0 ? "the code was not compiled, and so not run: " + compile_.message
                                : "the run was cancelled by " + signal_name(signal);
  result_.step = compile_.step;
  result_.step_error = compile_.step_error;
  answer();
}

// --- while it runs -------------------------------------------------------------------------------------

void LiveCommand::wait_in(PollSet& turn) {
  if (finished_) return;
  if (!step_) return turn.add(client_.get(), [this] { begin(); });
  step_->wait_in(turn);
}

void LiveCommand::check() {
  if (finished_ || !step_) return;
  step_->check();
  if (!step_->finished()) return;
  compiling_ ? end_compiler() : finish();
}

void LiveCommand::cancel(const std::string& why) {
  if (finished_) return;
  if (step_) return step_->cancel(why);
  (void)ClientLink(client_.get()).answer_error(kOurFailure, Error{why, 0});
  finished_ = true;
}

std::string LiveCommand::journal_record() const {
  if (!step_ || finished_) return {};
  RunResult record = result_;
  record.outcome = Outcome::cancelled;
  record.message = "the run was cancelled because its supervisor was killed";
  classify_failures(record);
  return result_to_json(record, false);
}

// --- its end -------------------------------------------------------------------------------------------

void LiveCommand::finish() {
  step_->fill(result_);
  if (auto group = step_->take_group()) groups_.push_back(std::move(*group));
  if (act_ && act_->report) {
    const std::string path = report_in(CodePlace::path_of(place_name_));
    result_.tests = read_test_report(home_.sandbox.mounts().storage, path, *act_->report, result_);
  }
  answer();
}

void LiveCommand::fail_with(const Error& error) {
  if (step_) {
    if (auto group = step_->take_group()) groups_.push_back(std::move(*group));
    step_.reset();
  }
  result_.outcome = rejected_ ? Outcome::rejected : Outcome::setup_failed;
  result_.message = error.text;
  if (!rejected_) result_.step = "prepare";
  result_.started_at.clear();
  answer();
}

void LiveCommand::answer() {
  finished_ = true;
  place_.reset();
  result_.finished_at = timestamp_now();
  classify_failures(result_, read_output_confined);
  RunReport report;
  std::string record = result_to_json(result_, false);
  if (const auto logged = append_to_monitor_log(home_.site.settings.log, record); !logged)
    report.notice = "the monitor log could not be written: " + logged.error().text;
  const bool captured = result_.standard_output || result_.standard_error || result_.compile;
  report.json = captured ? result_to_json(result_, true) : std::move(record);
  report.result = std::move(result_);
  (void)ClientLink(client_.get())
      .answer_finished(request_, std::move(report));  // else nobody is there to tell
}

}  // namespace sbx
