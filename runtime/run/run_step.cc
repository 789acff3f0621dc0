#include "run/run_step.h"

#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "language/placeholders.h"
#include "launch/spawner_process.h"
#include "os/file.h"
#include "os/mount.h"
#include "os/socket.h"
#include "outcome/decide_outcome.h"
#include "policy/denial_filter.h"
#include "resource/foreign_ids.h"
#include "resource/host_needs.h"
#include "resource/host_rights.h"
#include "resource/prepare.h"
#include "run/count_tests.h"
#include "run/streams.h"
#include "supervise/supervise.h"
#include "wire/init_protocol.h"

namespace sbx {
namespace {

// KILL is behind no refusal of a set-up.
std::string lacking_rights() { return lacking_capabilities(effective_capabilities(), true); }

std::string in_words(const TestCounts& counts) {
  return std::to_string(counts.passed) + " passed, " + std::to_string(counts.failed) + " failed, " +
         std::to_string(counts.errors) + " errors, " + std::to_string(counts.skipped) + " skipped";
}

class Step {
 public:
  Step(StepInput input, StepResult& result, StepReport& report)
      : in_(std::move(input)),
        context_(in_.context),
        policy_(in_.context.policy),
        plan_(in_.plan),
        launch_id_(in_.last ? 2 : 1),
        result_(result),
        report_(report) {}

  Result<void> run() {
    Result<void> done = try_run();
    release();
    return done;
  }

 private:
  Result<void> try_run() {
    std::vector<std::string>& degradations = report_.degradations;
    CgroupControls controls;
    LimitSet enforced = plan_.limits;
    if (plan_.report_denials && enforced.pids) ++*enforced.pids;  // of ours, as init is
    cgroup_ = TRY(make_cgroup(in_.layout, plan_.sandbox_id, enforced, policy_.allow_degraded, controls));
    degradations.insert(degradations.end(), controls.degradations.begin(), controls.degradations.end());
    for (const DegradableControl& control : kDegradableControls) {
      const bool given_up = std::ranges::find(degradations, control.name) != degradations.end();
      if (given_up && control.limit != nullptr) (result_.limits.*control.limit).reset();
    }
    cgroup_controls_ = std::move(controls.controls);
    prepared_ = TRY(prepare_mounts(plan_, in_.open, in_.ids, context_.settings.ids, policy_.allow_degraded,
                                   degradations));
    ExecStreams streams = TRY(make_streams(in_.request, std::move(in_.passed), in_.ids.outside(kWorkloadId)));
    const UniqueFd init_socket = TRY(launch(streams));
    streams.inside = {};  // the sandbox's copies are all there are: their end is its end
    watch(init_socket.get(), std::move(streams.captures));
    return {};
  }

  Result<UniqueFd> launch(const ExecStreams& streams) {
    LaunchPlan launch;
    launch.stage = TRY(prepare_stage(context_.settings.run_dir, plan_));
    launch.id_maps = prepared_.id_maps;
    launch.mounts = prepared_.descriptors;
    launch.commands = plan_.commands;
    launch.resource_limits = plan_.resource_limits;
    launch.hostname = plan_.hostname;
    launch.init_uid = kInitId;
    launch.init_gid = kInitId;
    launch.filter = policy_.seccomp_filter;
    if (plan_.report_denials) {
      launch.filter = with_denials_told(std::move(launch.filter));
      launch.report_denials = 1;
    }
    launch.into_cgroup = cgroup_->into_cgroup_fd() >= 0 ? 1 : 0;
    launch.task_files = static_cast<std::uint32_t>(cgroup_->task_fds().size());

    auto [ours, theirs] = TRY(os::seqpacket_pair());
    TRY(send_command(ours.get(), streams));
    std::vector<int> descriptors{theirs.get()};
    if (launch.into_cgroup != 0) descriptors.push_back(cgroup_->into_cgroup_fd());
    for (const int fd : cgroup_->task_fds()) descriptors.push_back(fd);
    for (const UniqueFd& mount : prepared_.mounts) descriptors.push_back(mount.get());
    if (!context_.spawner) return fail(context_.spawner.error());
    result_.started_at = timestamp_now();
    launched_ns_ = std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
    TRY(context_.spawner->launch(launch_id_, launch, descriptors, in_.last && context_.last_launch));
    prepared_.mounts.clear();
    return std::move(ours);
  }

  // Waits in the socket until init reads it: no round trip.
  Result<void> send_command(int socket, const ExecStreams& streams) {
    const UniqueFd payload = TRY(os::sealed_memfd("sbx-exec", make_exec_payload(plan_.exec, context_.cpus)));
    init::Message message;
    message.type = init::MessageType::exec;
    std::vector<int> descriptors{payload.get()};
    std::uint32_t flags = plan_.exec.tty ? init::kExecTty : 0;
    if (!plan_.exec.tty) {
      for (const UniqueFd& fd : streams.inside) descriptors.push_back(fd.get());
    }
    UniqueFd filter;
    if (plan_.report_denials) {
      flags |= init::kExecDenials;
      denial_table_ = TRY(make_denial_table());
      filter = TRY(os::sealed_memfd("sbx-filter", policy_.seccomp_filter));
      descriptors.insert(descriptors.end(), {denial_table_.get(), filter.get()});
    }
    message.value = static_cast<std::int32_t>(flags);
    return os::send_struct(socket, message, descriptors);
  }

  void watch(int init_socket, std::array<CapturePipe, 2> captures) {
    SuperviseInput input;
    input.client = context_.client;
    input.spawner = context_.spawner->socket();
    input.init = init_socket;
    input.launch_id = launch_id_;
    input.launched_ns = launched_ns_;
    input.tty = plan_.exec.tty;
    input.cgroup = cgroup_.get();
    input.limits = plan_.limits;
    input.captures = std::move(captures);
    SuperviseReport watched = supervise(std::move(input));

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
    note_controls();
    if (denial_table_.valid()) result_.denied = read_denial_table(denial_table_.get());
    if (watched.spawner_ended && watched.ending.cause == Ending::Cause::supervisor_error)
      watched.ending.text = context_.spawner->ended_unexpectedly().text;
    decide_outcome(watched.ending, facts_, in_.request.hint, result_);
    read_test_report();
    // sbxrun shows no message of a program that exited.
    if (!facts_.counters_known && result_.outcome == Outcome::exited) notice(kCountersUnknown);
    if (watched.ending.cause == Ending::Cause::launch_failed)
      result_.message += behind(watched.ending.failure);
  }

  // Of a run that ended by itself: what was killed counted nothing to its end.
  void read_test_report() {
    constexpr std::size_t kMostReportBytes = 4U << 20U;
    if (!in_.test_report || result_.outcome != Outcome::exited) return;
    const Result<std::string> text =
        read_from_tmp(prepared_.storage, std::string(kReportPath), kMostReportBytes);
    const Result<TestCounts> counts =
        text ? count_tests(*in_.test_report, *text) : Result<TestCounts>(fail(text.error()));
    if (counts) {
      report_.tests = *counts;
      result_.message += "; tests: " + in_words(*counts);
    } else {
      result_.message += "; its tests could not be counted: " + counts.error().text;
    }
  }

  // What the failed step was about, in the words of the plan, and what the host lacks for it.
  std::string behind(const LaunchFailure& failure) const {
    const auto in = [&](LaunchStep step, std::size_t count) {
      return failure.step == step && failure.index < count;
    };
    if (in(LaunchStep::id_map_mounts, plan_.sources.size()) && failure.error_number == EINVAL) {
      const std::string& path = plan_.sources[failure.index].path;
      const auto fd = os::open_at(AT_FDCWD, path, O_PATH);
      return "; " + id_map_refusal(path, fd ? os::file_system_name(fd->get()) : "a file system");
    }
    if (!in(LaunchStep::mount, plan_.commands.size())) {
      return host_need_behind(failure.step, {}, failure.error_number, lacking_rights());
    }
    const MountCommand& command = plan_.commands[failure.index];
    return "; it was about '/" + command.target + "'" +
           host_need_behind(failure.step, command.action, failure.error_number, lacking_rights());
  }

  void take_captures(SuperviseReport& watched) {
    const auto take = [&](std::size_t index, std::optional<CapturedStream>& stream) {
      if (in_.request.tty || in_.request.streams[index + 1] != StreamMode::capture) return;
      CapturePipe& capture = watched.captures[index];
      stream = CapturedStream{std::move(capture.data), capture.bytes, capture.truncated};
    };
    take(0, result_.standard_output);
    take(1, result_.standard_error);
  }

  void read_usage(const SuperviseReport& watched) {
    const auto in_ms = [](std::optional<std::uint64_t> us) {
      return us ? std::optional(*us / 1000) : std::nullopt;
    };
    const CgroupUsage counted = cgroup_->usage();
    const CgroupCounters counters = cgroup_->counters();
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
    StorageReport storage = read_storage(prepared_.storage, plan_.limits);
    facts_.storage_hits = std::move(storage.hits);
    usage.workspace_bytes = storage.workspace_bytes;
    usage.workspace_inodes = storage.workspace_inodes;
  }

  void note_controls() {
    auto& controls = report_.controls;
    for (const char* name : {"user_ns", "mount_ns", "pid_ns", "net_ns", "ipc_ns", "uts_ns", "cgroup_ns"}) {
      controls.emplace_back(name, "on");
    }
    controls.emplace_back("seccomp", plan_.seccomp);
    if (plan_.report_denials) controls.emplace_back("denials", "counted");
    controls.emplace_back("capabilities", "none");
    controls.emplace_back("no_new_privs", "on");
    controls.emplace_back("network", "loopback");
    controls.emplace_back("root", policy_.writable_root ? "writable copy" : "read-only");
    for (auto& control : cgroup_controls_) controls.push_back(std::move(control));
  }

  // The mounts first: then nothing of the sandbox's is left in them.
  void release() {
    prepared_ = {};
    if (abandoned_) {
      report_.clean = false;
      notice("the sandbox did not end within 10 s of being killed; the next start sweeps it");
    }
    if (!cgroup_) return;
    if (const auto removed = cgroup_->remove(); !removed) {
      report_.clean = false;
      notice("a cgroup could not be removed; the next start tries again: " + removed.error().text);
    }
    cgroup_.reset();
  }

  void notice(std::string text) { report_.notices.push_back(std::move(text)); }

  StepInput in_;
  const RunContext& context_;
  const Policy& policy_;
  const SandboxPlan& plan_;
  std::uint64_t launch_id_;
  StepResult& result_;
  StepReport& report_;
  std::int64_t launched_ns_ = 0;
  bool abandoned_ = false;
  PreparedMounts prepared_;
  UniqueFd denial_table_;
  std::unique_ptr<SandboxCgroup> cgroup_;
  std::vector<std::pair<std::string, std::string>> cgroup_controls_;
  RunFacts facts_;
};

}  // namespace

Result<void> run_step(StepInput input, StepResult& result, StepReport& report) {
  return Step(std::move(input), result, report).run();
}

}  // namespace sbx
