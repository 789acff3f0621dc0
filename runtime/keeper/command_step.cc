#include "keeper/command_step.h"

#include <algorithm>
#include <csignal>

#include "os/clock.h"
#include "resource/denial_table.h"
#include "resource/storage_use.h"

namespace sbx {
namespace {

std::vector<Denial> since(std::vector<Denial> now, const std::vector<Denial>& before) {
  for (Denial& denial : now) {
    for (const Denial& earlier : before) {
      if (earlier.syscall == denial.syscall && earlier.family == denial.family) denial.count -= earlier.count;
    }
  }
  std::erase_if(now, [](const Denial& denial) { return denial.count == 0; });
  return now;
}

std::uint64_t since(std::uint64_t now, std::uint64_t before) { return now - std::min(now, before); }

std::optional<std::uint64_t> since(std::optional<std::uint64_t> now, std::optional<std::uint64_t> before) {
  return now ? std::optional(since(*now, before.value_or(0))) : std::nullopt;
}

std::optional<std::uint64_t> in_ms(std::optional<std::uint64_t> us) {
  return us ? std::optional(*us / 1000) : std::nullopt;
}

}  // namespace

CommandStep::CommandStep(const CommandHome& home, const RunRequest& request, const LimitSet& limits,
                         int client)
    : home_(home), request_(request), limits_(limits), client_(client) {
  before_ = home_.sandbox.cgroup().counters();
  usage_before_ = home_.sandbox.cgroup().usage();
  if (home_.sandbox.denial_table() >= 0) denied_before_ = read_denial_table(home_.sandbox.denial_table());
}

CommandStep::~CommandStep() { let_go(); }

// --- its start -----------------------------------------------------------------------------------------

Result<void> CommandStep::begin_program(const ExecPlan& exec, std::vector<UniqueFd> passed, Spill* spill) {
  ExecStreams streams = TRY(make_streams(request_, std::move(passed), home_.ids.outside(kWorkloadId)));
  const std::uint32_t id = home_.next_id();
  group_ = TRY(home_.sandbox.make_command_group("e" + std::to_string(id)));
  watch({.id = id,
         .tty = exec.tty,
         .leftovers = home_.policy.background_processes ? Leftovers::stay : Leftovers::killed,
         .captures = std::move(streams.captures),
         .kill = [this] { group_->kill(); },
         .signal = [this, id](int number) { home_.watch.signal(id, number); },
         .pass_signal =
             [this, id](int number) { number == SIGKILL ? group_->kill() : home_.watch.signal(id, number); }},
        spill);
  return home_.sandbox.send({.id = id, .exec = exec, .streams = streams, .group = &*group_}, home_.site.cpus);
}

// What it leaves running is the session's.
Result<void> CommandStep::begin_line(Spill* spill) {
  session_ = TRY(home_.session(request_.session));
  oom_kills_before_ = session_->group().oom_kills().value_or(0);
  own_before_ = session_->group().usage();
  auto output = TRY(session_->output());
  watch({.id = home_.next_id(),
         .leftovers = Leftovers::stay,
         .captures = std::move(output),
         .kill = [this] { session_->end_soon(); },
         .signal = [this](int) { session_->interrupt(); },
         .pass_signal = [this](int number) { session_->signal(number); }},
        spill);
  session_->run(*execution_, request_.command.front());
  return {};
}

void CommandStep::watch(ExecutionInput input, Spill* spill) {
  input.client = client_;
  input.limits = limits_;
  input.spill = spill;
  input.cpu_us = [this] { return since(processes().cpu_us(), own_before_.cpu_us); };
  input.sent_ns = os::monotonic_ns();
  execution_ = std::make_unique<Execution>(std::move(input));
  home_.watch.add(*execution_);
}

void CommandStep::let_go() {
  if (!execution_) return;
  if (session_ != nullptr) session_->let_go(*execution_);
  home_.watch.remove(*execution_);
}

// --- while it runs -------------------------------------------------------------------------------------

void CommandStep::wait_in(PollSet& turn) {
  if (!execution_) return;
  execution_->wait_in(turn);
  if (group_)
    turn.add(
        group_->events_fd(), [] {}, POLLPRI);  // `check` looks
}

void CommandStep::check() {
  if (!execution_) return;
  execution_->check_deadlines();
  if (group_ && !group_->populated() && execution_->ended()) execution_->processes_gone();
}

bool CommandStep::check_memory() {
  if (!running() || processes().oom_kills().value_or(0) <= oom_kills_before_) return false;
  execution_->end_because(Ending::Cause::out_of_memory);
  return true;
}

void CommandStep::cancel(const std::string& why) {
  Ending ending;
  ending.cause = Ending::Cause::cancelled;
  ending.text = why;
  execution_->end(std::move(ending));
}

// --- its end -------------------------------------------------------------------------------------------

void CommandStep::fill(StepResult& result) {
  ExecutionReport report = execution_->take_report();
  let_go();
  late_signal_ = report.late_signal;
  if (!report.started) result.started_at.clear();
  const auto take = [&](std::size_t index, std::optional<CapturedStream>& stream) {
    const StreamMode mode = request_.streams[index + 1];
    if (request_.tty || (mode != StreamMode::capture && mode != StreamMode::spill)) return;
    CapturePipe& capture = report.captures[index];
    stream =
        CapturedStream{std::move(capture.data), capture.bytes, capture.truncated, mode == StreamMode::spill};
  };
  take(0, result.standard_output);
  take(1, result.standard_error);
  fill_usage(report, result.usage);
  const RunFacts facts = gather_facts(report, result);
  decide_outcome(report.ending, facts, request_.hint, result);
  if (report.ending.cause == Ending::Cause::exec_failed)
    result.message += home_.sandbox.full_memory(report.ending.failure.error_number);
  if (report.abandoned) result.message += "; its processes did not end within 10 s of being killed";
  execution_.reset();
}

void CommandStep::fill_usage(const ExecutionReport& report, Usage& usage) const {
  const CgroupUsage own = processes().usage();
  if (report.started)
    usage.wall_ms = static_cast<std::uint64_t>(report.ended_ns - report.started_ns) / 1'000'000;
  usage.user_ms = in_ms(since(own.user_us, own_before_.user_us));
  usage.system_ms = in_ms(since(own.system_us, own_before_.system_us));
  if (session_ == nullptr) usage.memory_peak_bytes = own.memory_peak_bytes;  // else all of its lines'
  // Of the sandbox, while it ran.
  usage.throttled_ms = in_ms(since(home_.sandbox.cgroup().usage().throttled_us, usage_before_.throttled_us));
}

RunFacts CommandStep::gather_facts(const ExecutionReport& report, StepResult& result) const {
  const CgroupCounters counters = home_.sandbox.cgroup().counters();
  RunFacts facts;
  facts.oom_kills = since(processes().oom_kills().value_or(0), oom_kills_before_);
  facts.pids_limit_hits = since(counters.pids_limit_hits, before_.pids_limit_hits);
  facts.throttled_periods = since(counters.throttled_periods, before_.throttled_periods);
  facts.counters_known = counters.known && before_.known;
  facts.cpu_us = since(processes().cpu_us().value_or(0), own_before_.cpu_us.value_or(0));
  facts.output_bytes = report.output_bytes;
  StorageReport storage = read_storage(home_.sandbox.mounts().storage, home_.plan.limits);
  facts.storage_hits = std::move(storage.hits);
  result.usage.workspace_bytes = storage.workspace_bytes;
  result.usage.workspace_inodes = storage.workspace_inodes;
  if (home_.sandbox.denial_table() >= 0)
    result.denied = since(read_denial_table(home_.sandbox.denial_table()), denied_before_);
  return facts;
}

}  // namespace sbx
