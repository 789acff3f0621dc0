#include "run/run_one.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "base/hash.h"
#include "base/names.h"
#include "base/scope_exit.h"
#include "language/placeholders.h"
#include "os/file.h"
#include "os/mount.h"
#include "os/socket.h"
#include "outcome/decide_outcome.h"
#include "plan/make_plan.h"
#include "policy/apply_policy.h"
#include "policy/denial_filter.h"
#include "resource/cgroup.h"
#include "resource/foreign_ids.h"
#include "resource/host_image.h"
#include "resource/host_needs.h"
#include "resource/host_rights.h"
#include "resource/id_pool.h"
#include "resource/image_store.h"
#include "resource/prepare.h"
#include "resource/projects.h"
#include "run/choose_language.h"
#include "run/count_tests.h"
#include "run/gather_facts.h"
#include "run/streams.h"
#include "supervise/supervise.h"
#include "wire/init_protocol.h"

namespace sbx {
namespace {

constexpr std::uint64_t kLaunchId = 1;  // a direct supervisor launches once

// What a run holds on to while it lives, besides its plan.
struct Inputs {
  PlanFacts facts;
  std::string image_digest;
  std::string language;
  UniqueFd image_in_use;
  Project project;
};

Result<Inputs> gather_inputs(const Settings& settings, const Policy& policy, const RunRequest& request,
                             const LimitSet& granted, std::vector<std::string>& degradations) {
  Inputs inputs;
  if (request.image == "host") {
    HostImage image = TRY(host_image(settings.state_dir));
    inputs.facts.image_root = std::move(image.root);
    inputs.facts.host_usr = "/usr";
    inputs.image_in_use = std::move(image.in_use);
  } else {
    Image image = TRY(find_image(settings.state_dir, request.image));
    inputs.image_in_use = TRY(hold_image(image));
    inputs.facts.image_root = std::move(image.root);
    inputs.facts.image_environment = std::move(image.environment);
    inputs.image_digest = std::move(image.digest);
    inputs.language = std::move(image.language);
  }
  if (!request.project.empty()) {
    inputs.project =
        TRY(open_project(settings.state_dir, request.project, project_wish(request, policy, granted),
                         settings.ids.service_id(), degradations));
    note_project(inputs.project, inputs.facts);
  }
  TRY(gather_caller_facts(request, policy, inputs.facts));
  return inputs;
}

// KILL is behind no refusal of a set-up.
std::string lacking_rights() { return lacking_capabilities(effective_capabilities(), true); }

class Run {
 public:
  Run(const RunContext& context, const RunRequest& request) : context_(context), request_(request) {
    RunResult& result = report_.result;
    result.created_at = timestamp_now();
    result.run_id = new_run_id();
    result.task_id = request.task_id;
    result.project_id = request.project;
    result.mode = context.mode;
    result.image_name = request.image;
    result.command = request.command;
    if (request.language) note_language_request(*request.language);
    result.cwd = request.cwd;
    result.caller_uid = context.caller_uid;
    result.policy_name = context.policy.name;
    result.policy_fingerprint = context.policy.fingerprint;
    result.limits = request.limits;
    for (const EnvironmentVariable& variable : request.environment) {
      result.environment_names.push_back(variable.name);
    }
  }

  RunReport execute(std::vector<UniqueFd> passed) {
    if (const auto done = try_execute(std::move(passed)); !done) fail_with(done.error());
    finish();
    return std::move(report_);
  }

 private:
  Result<void> try_execute(std::vector<UniqueFd> passed) {
    if (request_.language) language_ = TRY(choose_language(context_.settings.state_dir, request_));
    report_.result.image_name = request_.image;
    const Result<LimitSet> granted =
        grant_limits(request_, context_.policy, language_ ? language_->runner.limits : LimitSet{});
    if (!granted) {
      rejected_ = true;
      return fail(granted.error());
    }
    report_.result.limits = *granted;
    std::optional<LanguageCommand> command;
    if (language_) command = TRY(apply_language(request_, language_->runner, language_->language, *granted));
    if (!context_.cgroups) return fail(context_.cgroups.error());
    const CgroupLayout& layout = *context_.cgroups;
    TRY(check_host_files());
    if (!context_.places) return fail(context_.places.error());
    TRY(check_id_pool(context_.settings.ids));
    ids_ = TRY(claim_ids(context_.settings.run_dir, context_.settings.ids));
    claimed_ = true;
    report_.result.sandbox_id = "sbx-" + report_.result.run_id;
    TRY(write_journal(layout));

    std::vector<std::string>& degradations = report_.result.degradations;
    inputs_ = TRY(gather_inputs(context_.settings, context_.policy, request_, *granted, degradations));
    if (command) TRY(note_language(std::move(*command), inputs_.facts));
    plan_ = TRY(make_plan(request_, *granted, context_.policy, inputs_.facts, report_.result.sandbox_id));
    RunResult& result = report_.result;
    result.limits = plan_.limits;
    result.image_digest = inputs_.image_digest;
    result.language = language_ ? language_->language.name : inputs_.language;
    result.command = plan_.exec.command;
    result.cwd = plan_.exec.cwd;

    CgroupControls controls;
    LimitSet enforced = plan_.limits;
    if (plan_.report_denials && enforced.pids) ++*enforced.pids;  // of ours, as init is
    cgroup_ = TRY(make_cgroup(layout, result.sandbox_id, enforced, context_.policy.allow_degraded, controls));
    degradations.insert(degradations.end(), controls.degradations.begin(), controls.degradations.end());
    for (const DegradableControl& control : kDegradableControls) {
      const bool given_up = std::ranges::find(degradations, control.name) != degradations.end();
      if (given_up && control.limit != nullptr) (result.limits.*control.limit).reset();
    }
    cgroup_controls_ = std::move(controls.controls);
    prepared_ = TRY(prepare_mounts(plan_, inputs_.project, ids_, context_.settings.ids,
                                   context_.policy.allow_degraded, degradations));
    ExecStreams streams = TRY(make_streams(request_, std::move(passed), ids_.outside(kWorkloadId)));
    const UniqueFd init_socket = TRY(launch(streams));
    streams.inside = {};  // the sandbox's copies are all there are: their end is its end
    watch(init_socket.get(), std::move(streams.captures));
    return {};
  }

  void note_language_request(const LanguageRequest& language) {
    RunResult& result = report_.result;
    result.language = language.name;
    result.action = kLanguageActions[static_cast<std::size_t>(language.action)];
    if (!language.code) return;
    result.code = CodeRecord{sha256_hex(language.code->content), language.code->content.size()};
  }

  // Before anything is made: what the next start has to remove and to record should we be killed.
  Result<void> write_journal(const CgroupLayout& layout) const {
    RunResult record = report_.result;
    record.outcome = Outcome::cancelled;
    record.message = "the run was cancelled because its supervisor was killed";
    const std::string& log = context_.settings.log.path;
    // A path with a line break would end its line: then the sweeper's log has to do.
    const Journal journal{cgroup_directories(layout, record.sandbox_id), result_to_json(record, false),
                          log.find('\n') == std::string::npos ? log : ""};
    return ids_.write_journal(journal);
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
    launch.filter = context_.policy.seccomp_filter;
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
    report_.result.started_at = timestamp_now();
    launched_ns_ = std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
    TRY(context_.spawner->launch(kLaunchId, launch, descriptors, context_.last_launch));
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
      filter = TRY(os::sealed_memfd("sbx-filter", context_.policy.seccomp_filter));
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
    input.launch_id = kLaunchId;
    input.launched_ns = launched_ns_;
    input.tty = plan_.exec.tty;
    input.cgroup = cgroup_.get();
    input.limits = plan_.limits;
    input.captures = std::move(captures);
    SuperviseReport watched = supervise(std::move(input));

    RunResult& result = report_.result;
    if (!watched.started) result.started_at.clear();
    abandoned_ = watched.abandoned;
    take_captures(watched);
    for (unsigned step = 0; step < kLaunchSteps; ++step) {
      if (watched.step_us[step] == 0) continue;
      result.setup_ms.emplace_back(launch_step_name(static_cast<LaunchStep>(step)),
                                   watched.step_us[step] / 1000.0);
    }
    read_usage(watched);
    note_controls();
    if (denial_table_.valid()) result.denied = read_denial_table(denial_table_.get());
    if (watched.spawner_ended && watched.ending.cause == Ending::Cause::supervisor_error)
      watched.ending.text = context_.spawner->ended_unexpectedly().text;
    decide_outcome(watched.ending, facts_, request_.hint, result);
    read_report();
    // sbxrun shows no message of a program that exited.
    if (!facts_.counters_known && result.outcome == Outcome::exited) notice(kCountersUnknown);
    if (watched.ending.cause == Ending::Cause::launch_failed)
      result.message += behind(watched.ending.failure);
  }

  // Of a run that ended by itself: what was killed counted nothing to its end.
  void read_report() {
    constexpr std::size_t kMostReportBytes = 4U << 20U;
    RunResult& result = report_.result;
    const std::optional<LanguageCommand>& language = inputs_.facts.language;
    if (!language || !language->report || result.outcome != Outcome::exited) return;
    const Result<std::string> text =
        read_from_tmp(prepared_.storage, std::string(kReportPath), kMostReportBytes);
    const Result<TestCounts> counts =
        text ? count_tests(*language->report, *text) : Result<TestCounts>(fail(text.error()));
    if (counts) {
      result.tests = *counts;
    } else {
      result.message += "; its tests could not be counted: " + counts.error().text;
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
      if (request_.tty || request_.streams[index + 1] != StreamMode::capture) return;
      CapturePipe& capture = watched.captures[index];
      stream = CapturedStream{std::move(capture.data), capture.bytes, capture.truncated};
    };
    take(0, report_.result.standard_output);
    take(1, report_.result.standard_error);
  }

  void read_usage(const SuperviseReport& watched) {
    const auto in_ms = [](std::optional<std::uint64_t> us) {
      return us ? std::optional(*us / 1000) : std::nullopt;
    };
    const CgroupUsage counted = cgroup_->usage();
    const CgroupCounters counters = cgroup_->counters();
    Usage& usage = report_.result.usage;
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
    auto& controls = report_.result.controls;
    for (const char* name : {"user_ns", "mount_ns", "pid_ns", "net_ns", "ipc_ns", "uts_ns", "cgroup_ns"}) {
      controls.emplace_back(name, "on");
    }
    controls.emplace_back("seccomp", plan_.seccomp);
    if (plan_.report_denials) controls.emplace_back("denials", "counted");
    controls.emplace_back("capabilities", "none");
    controls.emplace_back("no_new_privs", "on");
    controls.emplace_back("network", "loopback");
    controls.emplace_back("root", context_.policy.writable_root ? "writable copy" : "read-only");
    for (auto& control : cgroup_controls_) controls.push_back(std::move(control));
  }

  void fail_with(const Error& error) {
    RunResult& result = report_.result;
    result.outcome = rejected_ ? Outcome::rejected : Outcome::setup_failed;
    result.message = rejected_ ? error.text : with_host_need(error, lacking_rights()).text;
    if (!rejected_) result.step = "prepare";
    result.started_at.clear();
  }

  // Frees everything, in an order in which a kill -9 in between loses nothing, and records the run.
  void finish() {
    prepared_ = {};
    inputs_.project = {};
    bool clean = !abandoned_;
    if (abandoned_) notice("the sandbox did not end within 10 s of being killed; the next start sweeps it");
    if (cgroup_) {
      if (const auto removed = cgroup_->remove(); !removed) {
        clean = false;
        notice("a cgroup could not be removed; the next start tries again: " + removed.error().text);
      }
      cgroup_.reset();
    }
    report_.result.finished_at = timestamp_now();
    const RunResult& result = report_.result;
    std::string record = result_to_json(result, false);
    const auto logged = append_to_monitor_log(context_.settings.log, record);
    const bool captured = result.standard_output || result.standard_error;
    report_.json = captured ? result_to_json(result, true) : std::move(record);
    if (!logged) notice("the monitor log could not be written: " + logged.error().text);
    if (!claimed_ || !clean) return;
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
  bool abandoned_ = false;
  std::int64_t launched_ns_ = 0;
  IdClaim ids_;
  Inputs inputs_;
  SandboxPlan plan_;
  PreparedMounts prepared_;
  UniqueFd denial_table_;
  std::unique_ptr<SandboxCgroup> cgroup_;
  std::vector<std::pair<std::string, std::string>> cgroup_controls_;
  RunFacts facts_;
};

}  // namespace

RunReport run_one(const RunContext& context, const RunRequest& request, std::vector<UniqueFd> passed) {
  return Run(context, request).execute(std::move(passed));
}

}  // namespace sbx
