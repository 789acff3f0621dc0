#include "run/run_step.h"

#include <algorithm>

#include "language/placeholders.h"
#include "os/clock.h"
#include "outcome/decide_outcome.h"
#include "run/streams.h"
#include "run/test_report.h"
#include "supervise/supervise.h"

namespace sbx {
namespace {

class Step {
 public:
  Step(StepInput input, StepResult& result, StepReport& report)
      : in_(std::move(input)),
        context_(in_.context),
        policy_(in_.context.policy),
        plan_(in_.plan),
        sandbox_({context_.settings, policy_, in_.layout, plan_, in_.ids}, report),
        result_(result),
        report_(report) {}

  Result<void> run() {
    Result<void> done = try_run();
    sandbox_.release(abandoned_);
    return done;
  }

 private:
  Result<void> try_run() {
    TRY(sandbox_.prepare(in_.open));
    for (const DegradableControl& control : kDegradableControls) {
      const bool given_up =
          std::ranges::find(report_.degradations, control.name) != report_.degradations.end();
      if (given_up && control.limit != nullptr) (result_.limits.*control.limit).reset();
    }
    ExecStreams streams = TRY(make_streams(in_.request, std::move(in_.passed), in_.ids.outside(kWorkloadId)));
    if (!context_.starter) return fail(context_.starter.error());
    TRY(sandbox_.send({.exec = plan_.exec, .streams = streams}, context_.cpus));
    if (in_.spill != nullptr) in_.spill->begin_stage(in_.last ? stage_of(in_.request) : "compile");
    result_.started_at = timestamp_now();
    launched_ns_ = os::monotonic_ns();
    const auto channel = TRY(sandbox_.start(**context_.starter, in_.last && context_.last_launch));
    streams.inside = {};  // the sandbox's copies are all there are: their end is its end
    watch(*channel, std::move(streams.captures), in_.last ? in_.spill : nullptr);
    return {};
  }

  void watch(LaunchChannel& launch, std::array<CapturePipe, 2> captures, Spill* spill) {
    SuperviseReport watched = supervise({.client = context_.client,
                                         .launch = launch,
                                         .init = sandbox_.init(),
                                         .launched_ns = launched_ns_,
                                         .tty = plan_.exec.tty,
                                         .cgroup = &sandbox_.cgroup(),
                                         .limits = plan_.limits,
                                         .captures = std::move(captures),
                                         .spill = spill});

    if (!watched.started) result_.started_at.clear();
    abandoned_ = watched.abandoned;
    report_.late_signal = watched.late_signal;
    take_captures(watched);
    for (unsigned step = 0; step < kLaunchSteps; ++step) {
      if (watched.step_us[step] == 0) continue;
      result_.setup_ms.emplace_back(launch_step_name(static_cast<LaunchStep>(step)),
                                    watched.step_us[step] / 1000.0);
    }
    read_usage(watched);
    sandbox_.note_controls();
    if (sandbox_.denial_table() >= 0) result_.denied = read_denial_table(sandbox_.denial_table());
    if (watched.spawner_ended && watched.ending.cause == Ending::Cause::supervisor_error)
      watched.ending.text = (*context_.starter)->ended_unexpectedly().text;
    decide_outcome(watched.ending, facts_, in_.request.hint, result_);
    if (in_.test_report)
      report_.tests =
          read_test_report(sandbox_.mounts().storage, std::string(kReportPath), *in_.test_report, result_);
    // sbxrun shows no message of a program that exited.
    if (!facts_.counters_known && result_.outcome == Outcome::exited) notice(kCountersUnknown);
    if (watched.ending.cause == Ending::Cause::launch_failed)
      result_.message += sandbox_.behind(watched.ending.failure);
  }

  void take_captures(SuperviseReport& watched) {
    const auto take = [&](std::size_t index, std::optional<CapturedStream>& stream) {
      const StreamMode mode = in_.request.streams[index + 1];
      if (in_.request.tty || (mode != StreamMode::capture && mode != StreamMode::spill)) return;
      CapturePipe& capture = watched.captures[index];
      stream = CapturedStream{std::move(capture.data), capture.bytes, capture.truncated,
                              mode == StreamMode::spill};
    };
    take(0, result_.standard_output);
    take(1, result_.standard_error);
  }

  void read_usage(const SuperviseReport& watched) {
    const auto in_ms = [](std::optional<std::uint64_t> us) {
      return us ? std::optional(*us / 1000) : std::nullopt;
    };
    const CgroupUsage counted = sandbox_.cgroup().usage();
    const CgroupCounters counters = sandbox_.cgroup().counters();
    Usage& usage = result_.usage;
    if (watched.started)
      usage.wall_ms = static_cast<std::uint64_t>(watched.ended_ns - watched.started_ns) / 1'000'000;
    usage.user_ms = in_ms(counted.user_us);
    usage.system_ms = in_ms(counted.system_us);
    usage.memory_peak_bytes = counted.memory_peak_bytes;
    // Without those of ours, which the limit does not count either: init, and what counts denials.
    const std::uint64_t ours = plan_.report_denials ? 2 : 1;
    if (counted.pids_peak) usage.pids_peak = *counted.pids_peak - std::min(ours, *counted.pids_peak);
    usage.io_read_bytes = counted.io_read_bytes;
    usage.io_write_bytes = counted.io_write_bytes;
    usage.throttled_ms = in_ms(counted.throttled_us);
    facts_.oom_kills = counters.oom_kills;
    facts_.pids_limit_hits = counters.pids_limit_hits;
    facts_.throttled_periods = counters.throttled_periods;
    facts_.counters_known = counters.known;
    facts_.cpu_us = counted.cpu_us.value_or(0);
    facts_.output_bytes = watched.output_bytes;
    StorageReport storage = read_storage(sandbox_.mounts().storage, plan_.limits);
    facts_.storage_hits = std::move(storage.hits);
    usage.workspace_bytes = storage.workspace_bytes;
    usage.workspace_inodes = storage.workspace_inodes;
  }

  void notice(std::string text) { report_.notices.push_back(std::move(text)); }

  StepInput in_;
  const RunContext& context_;
  const Policy& policy_;
  const SandboxPlan& plan_;
  Sandbox sandbox_;
  StepResult& result_;
  StepReport& report_;
  std::int64_t launched_ns_ = 0;
  bool abandoned_ = false;
  RunFacts facts_;
};

}  // namespace

Result<void> run_step(StepInput input, StepResult& result, StepReport& report) {
  return Step(std::move(input), result, report).run();
}

}  // namespace sbx
