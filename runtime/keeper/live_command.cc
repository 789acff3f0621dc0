#include "keeper/live_command.h"

#include <algorithm>
#include <array>

#include "base/names.h"
#include "keeper/check_peer.h"
#include "monitor/log_file.h"
#include "os/clock.h"
#include "outcome/decide_outcome.h"
#include "plan/plan_environment.h"
#include "policy/apply_policy.h"
#include "resource/denial_table.h"
#include "run/streams.h"

namespace sbx {
namespace {

constexpr int kOurFailure = 125;

// What each command may have of its own; all other limits are the sandbox's.
constexpr std::array kOfCommand{&LimitSet::wall_ms, &LimitSet::cpu_ms, &LimitSet::output_bytes};

std::vector<Denial> since(std::vector<Denial> now, const std::vector<Denial>& before) {
  for (Denial& denial : now) {
    for (const Denial& earlier : before) {
      if (earlier.syscall == denial.syscall && earlier.family == denial.family) denial.count -= earlier.count;
    }
  }
  std::erase_if(now, [](const Denial& denial) { return denial.count == 0; });
  return now;
}

std::optional<std::uint64_t> since(std::optional<std::uint64_t> now, std::optional<std::uint64_t> before) {
  return now && before ? std::optional(*now - std::min(*now, *before)) : std::nullopt;
}

std::optional<std::uint64_t> in_ms(std::optional<std::uint64_t> us) {
  return us ? std::optional(*us / 1000) : std::nullopt;
}

}  // namespace

LiveCommand::LiveCommand(const CommandHome& home, std::uint32_t id, UniqueFd client, uid_t uid, bool from_api)
    : home_(home), id_(id), client_(std::move(client)), from_api_(from_api), result_(home.about) {
  result_.created_at = timestamp_now();
  result_.run_id = new_run_id();
  result_.caller_uid = uid;
}

LiveCommand::~LiveCommand() {
  if (execution_) let_go();
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
  if (request_.command.empty()) return fail("no command to run");
  if (!request_.binds.empty() || request_.here) return refuse("--bind and --here");
  if (!request_.hostname.empty()) return refuse("--hostname");
  if (!request_.session.empty()) {
    if (request_.command.size() != 1) return fail("session: takes one line");
    if (request_.tty || request_.streams[0] != StreamMode::null)
      return fail("session: its lines have no terminal and no standard input");
    if (!request_.cwd.empty() || !request_.environment.empty())
      return fail("session: has its own directory and variables: set them in a line");
    for (const StreamMode mode : {request_.streams[1], request_.streams[2]}) {
      if (mode != StreamMode::spill && mode != StreamMode::capture)
        return fail("session: the output of its lines can only be read");
    }
  }
  for (const LimitField& field : kLimits) {
    const bool own = std::ranges::find(kOfCommand, field.member) != kOfCommand.end();
    if (!own && request_.limits.*field.member) return refuse(("--" + std::string(field.key)).c_str());
  }
  return {};
}

Result<void> LiveCommand::try_begin(ReceivedRequest received) {
  request_ = std::move(received.request);
  result_.command = request_.command;
  result_.cwd = request_.cwd;
  for (const EnvironmentVariable& variable : request_.environment)
    result_.environment_names.push_back(variable.name);
  PeerIdentity caller;
  caller.uid = result_.caller_uid;
  TRY(check_peer_may(request_, caller, from_api_));
  if (!request_.run_id.empty()) result_.run_id = request_.run_id;
  TRY(check_request());
  for (const auto member : kOfCommand) {
    if (!(request_.limits.*member)) request_.limits.*member = home_.request.limits.*member;
  }
  const Result<LimitSet> granted = grant_limits(request_, home_.policy);
  rejected_ = !granted;
  if (!granted) return fail(granted.error());
  result_.limits = home_.plan.limits;
  for (const auto member : kOfCommand) result_.limits.*member = (*granted).*member;
  if (!captures_output(request_)) result_.limits.output_bytes = request_.limits.output_bytes;

  before_ = home_.sandbox.cgroup().counters();
  usage_before_ = home_.sandbox.cgroup().usage();
  if (home_.sandbox.denial_table() >= 0) denied_before_ = read_denial_table(home_.sandbox.denial_table());
  return request_.session.empty() ? begin_program(std::move(received.streams)) : begin_line();
}

Result<void> LiveCommand::begin_program(std::vector<UniqueFd> passed) {
  // The sandbox's variables, and those of the command above them.
  RunRequest whole = request_;
  whole.environment = home_.request.environment;
  std::ranges::copy(request_.environment, std::back_inserter(whole.environment));
  ExecPlan exec;
  TRY(plan_exec(whole, home_.facts, exec));
  result_.cwd = exec.cwd;
  ExecStreams streams = TRY(make_streams(request_, std::move(passed), home_.ids.outside(kWorkloadId)));
  group_ = TRY(home_.sandbox.cgroup().make_command_group("e" + std::to_string(id_)));
  TRY(watch({.id = id_,
             .tty = exec.tty,
             .leftovers = home_.policy.background_processes ? Leftovers::stay : Leftovers::killed,
             .captures = std::move(streams.captures),
             .kill = [this] { group_->kill(); },
             .signal = [this](int number) { home_.watch.signal(id_, number); }}));
  return home_.sandbox.send({.id = id_, .exec = exec, .streams = streams, .group = &*group_},
                            home_.site.cpus);
}

// What it leaves running is the session's.
Result<void> LiveCommand::begin_line() {
  session_ = TRY(home_.session(request_.session));
  oom_kills_before_ = session_->group().oom_kills().value_or(0);
  own_before_ = session_->group().usage();
  auto output = TRY(session_->output());
  TRY(watch({.id = id_,
             .leftovers = Leftovers::stay,
             .captures = std::move(output),
             .kill = [this] { session_->end_soon(); },
             .signal = [this](int) { session_->interrupt(); }}));
  session_->run(*execution_, request_.command.front());
  return {};
}

Result<void> LiveCommand::watch(ExecutionInput input) {
  spill_ = TRY(open_spill(request_, home_.site.settings.state_dir, result_.run_id, client_.get()));
  input.client = client_.get();
  input.limits = result_.limits;
  input.spill = spill_.get();
  input.cpu_us = [this] { return since(processes().cpu_us(), own_before_.cpu_us.value_or(0)); };
  result_.started_at = timestamp_now();
  input.sent_ns = os::monotonic_ns();
  execution_ = std::make_unique<Execution>(std::move(input));
  home_.watch.add(*execution_);
  return {};
}

void LiveCommand::let_go() {
  if (session_ != nullptr) session_->let_go(*execution_);
  home_.watch.remove(*execution_);
}

// --- while it runs -------------------------------------------------------------------------------------

void LiveCommand::wait_in(PollSet& turn) {
  if (finished_) return;
  if (!execution_) return turn.add(client_.get(), [this] { begin(); });
  execution_->wait_in(turn);
  if (group_)
    turn.add(
        group_->events_fd(), [] {}, POLLPRI);  // `check` looks
}

void LiveCommand::check() {
  if (!execution_ || finished_) return;
  execution_->check_deadlines();
  if (group_ && !group_->populated() && execution_->ended()) execution_->processes_gone();
  if (execution_->finished()) finish();
}

bool LiveCommand::check_memory() {
  if (!running() || processes().oom_kills().value_or(0) <= oom_kills_before_) return false;
  execution_->end_because(Ending::Cause::out_of_memory);
  return true;
}

void LiveCommand::cancel(const std::string& why) {
  if (finished_) return;
  if (!execution_) {
    (void)ClientLink(client_.get()).answer_error(kOurFailure, Error{why, 0});
    finished_ = true;
    return;
  }
  Ending ending;
  ending.cause = Ending::Cause::cancelled;
  ending.text = why;
  execution_->end(std::move(ending));
}

std::string LiveCommand::journal_record() const {
  if (!execution_ || finished_) return {};
  RunResult record = result_;
  record.outcome = Outcome::cancelled;
  record.message = "the run was cancelled because its supervisor was killed";
  return result_to_json(record, false);
}

std::optional<CommandGroup> LiveCommand::take_group() { return std::exchange(group_, std::nullopt); }

// --- its end -------------------------------------------------------------------------------------------

void LiveCommand::finish() {
  ExecutionReport report = execution_->take_report();
  let_go();
  if (!report.started) result_.started_at.clear();
  const auto take = [&](std::size_t index, std::optional<CapturedStream>& stream) {
    const StreamMode mode = request_.streams[index + 1];
    if (request_.tty || (mode != StreamMode::capture && mode != StreamMode::spill)) return;
    CapturePipe& capture = report.captures[index];
    stream =
        CapturedStream{std::move(capture.data), capture.bytes, capture.truncated, mode == StreamMode::spill};
  };
  take(0, result_.standard_output);
  take(1, result_.standard_error);

  SandboxCgroup& cgroup = home_.sandbox.cgroup();
  const CgroupCounters counters = cgroup.counters();
  const CgroupUsage own = processes().usage();
  Usage& usage = result_.usage;
  if (report.started)
    usage.wall_ms = static_cast<std::uint64_t>(report.ended_ns - report.started_ns) / 1'000'000;
  usage.user_ms = in_ms(since(own.user_us, own_before_.user_us.value_or(0)));
  usage.system_ms = in_ms(since(own.system_us, own_before_.system_us.value_or(0)));
  if (session_ == nullptr) usage.memory_peak_bytes = own.memory_peak_bytes;  // else all of its lines'
  // Of the sandbox, while it ran.
  usage.throttled_ms = in_ms(since(cgroup.usage().throttled_us, usage_before_.throttled_us));
  RunFacts facts;
  facts.oom_kills = processes().oom_kills().value_or(0) - oom_kills_before_;
  facts.pids_limit_hits =
      counters.pids_limit_hits - std::min(counters.pids_limit_hits, before_.pids_limit_hits);
  facts.throttled_periods =
      counters.throttled_periods - std::min(counters.throttled_periods, before_.throttled_periods);
  facts.counters_known = counters.known && before_.known;
  facts.cpu_us = since(own.cpu_us, own_before_.cpu_us.value_or(0)).value_or(0);
  facts.output_bytes = report.output_bytes;
  StorageReport storage = read_storage(home_.sandbox.mounts().storage, home_.plan.limits);
  facts.storage_hits = std::move(storage.hits);
  usage.workspace_bytes = storage.workspace_bytes;
  usage.workspace_inodes = storage.workspace_inodes;
  if (home_.sandbox.denial_table() >= 0)
    result_.denied = since(read_denial_table(home_.sandbox.denial_table()), denied_before_);
  decide_outcome(report.ending, facts, request_.hint, result_);
  if (report.abandoned) result_.message += "; its processes did not end within 10 s of being killed";
  answer();
}

void LiveCommand::fail_with(const Error& error) {
  if (execution_) {
    let_go();
    execution_.reset();
  }
  result_.outcome = rejected_ ? Outcome::rejected : Outcome::setup_failed;
  result_.message = error.text;
  if (!rejected_) result_.step = "prepare";
  result_.started_at.clear();
  answer();
}

void LiveCommand::answer() {
  finished_ = true;
  result_.finished_at = timestamp_now();
  RunReport report;
  std::string record = result_to_json(result_, false);
  if (const auto logged = append_to_monitor_log(home_.site.settings.log, record); !logged)
    report.notice = "the monitor log could not be written: " + logged.error().text;
  const bool captured = result_.standard_output || result_.standard_error;
  report.json = captured ? result_to_json(result_, true) : std::move(record);
  report.result = std::move(result_);
  (void)ClientLink(client_.get())
      .answer_finished(request_, std::move(report));  // else nobody is there to tell
}

}  // namespace sbx
