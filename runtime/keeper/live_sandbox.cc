#include "keeper/live_sandbox.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/names.h"
#include "keeper/adopt.h"
#include "keeper/check_peer.h"
#include "keeper/describe_sandbox.h"
#include "keeper/open_client.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/socket.h"
#include "plan/make_plan.h"
#include "policy/apply_policy.h"
#include "resource/foreign_ids.h"
#include "resource/host_needs.h"
#include "resource/host_rights.h"
#include "run/choose_language.h"
#include "run/gather_facts.h"
#include "wire/init_protocol.h"

namespace sbx {
namespace {

constexpr std::int64_t kMillisecond = 1'000'000;
constexpr std::int64_t kGiveUpTimeout = 10'000 * kMillisecond;
constexpr std::int64_t kMemoryLook = 1'000 * kMillisecond;  // the kernel tells of it before it kills
constexpr std::int64_t kMemoryPause = 2 * kMillisecond;

// Its groups' name: that asked for, unless a sandbox has it that the API knows nothing of (another sbxd's, or
// one whose keeper was killed and that is not swept yet). A journal must not name what is somebody else's.
std::string free_sandbox_id(const CgroupLayout& cgroups, const std::string& asked) {
  constexpr std::size_t kDigits = 12;
  const std::string id = new_run_id();
  if (asked.empty()) return "sbx-" + id;
  const bool taken = std::ranges::any_of(cgroup_directories(cgroups, asked), [](const std::string& path) {
    return access(path.c_str(), F_OK) == 0;
  });
  return taken ? marked_name(asked, id.substr(id.size() - kDigits)) : asked;
}

const char* why_destroyed(std::int64_t value) {
  switch (static_cast<WhyDestroyed>(value)) {
  case WhyDestroyed::idle: return "the sandbox was idle for as long as it may be";
  case WhyDestroyed::too_old: return "the sandbox's total time is over";
  case WhyDestroyed::command: return "a command ended that was to end the sandbox with it";
  case WhyDestroyed::project: return "the sandbox's project is renamed, limited or deleted";
  case WhyDestroyed::shutdown: return "the supervisor ends";
  case WhyDestroyed::asked: break;
  }
  return "the sandbox was destroyed";
}

}  // namespace

void tell_api(int control, KeeperMessageType type, std::int64_t value, std::string_view text) {
  KeeperMessage message;
  message.type = type;
  message.value = value;
  const auto memory = os::sealed_memfd("sbx-keeper", text);
  const int fd = memory ? memory->get() : -1;
  (void)os::send_struct(control, message, std::span(&fd, memory && !text.empty() ? 1U : 0U));
}

LiveSandbox::LiveSandbox(const Site& site, RunRequest request, std::optional<PeerIdentity> owner,
                         UniqueFd control)
    : site_(site), request_(std::move(request)), owner_(std::move(owner)), control_(std::move(control)) {
  about_.mode = "supervisor";
  about_.task_id = request_.task_id;
  about_.project_id = request_.project;
  about_.image_name = request_.image;
}

void LiveSandbox::run() {
  if (const auto made = make(); made) {
    if (owner_) record(event("sandbox.create", owner_->caller()));
    tell(KeeperMessageType::ready, 0, describe());
    serve();
    clean_up();
    if (owner_) record_end();
    tell(KeeperMessageType::ended, report_.clean ? 0 : 1, describe());
  } else {
    const std::string lacking = lacking_capabilities(effective_capabilities(), true);
    const std::string why = with_host_need(made.error(), lacking).text;
    clean_up();
    if (owner_) record(event("sandbox.create", owner_->caller()), why);
    tell(KeeperMessageType::failed, 0, why);
  }
}

// --- the log -------------------------------------------------------------------------------------------

AuditEvent LiveSandbox::event(const char* name, std::optional<Caller> caller) const {
  AuditEvent event;
  event.event = name;
  event.caller = std::move(caller);
  event.project_id = about_.project_id;
  event.task_id = about_.task_id;
  event.sandbox_id = about_.sandbox_id;
  return event;
}

void LiveSandbox::record(AuditEvent event, const std::string& why_not) {
  event.failed = !why_not.empty();
  if (event.failed) event.message = why_not;
  if (const auto recorded = record_event(site_.settings.log, event); !recorded)
    report_.notices.push_back(recorded.error().text);
}

void LiveSandbox::record_end() {
  AuditEvent end = event("sandbox.destroy", asked_by_);
  end.message = why_ended_;
  record(std::move(end), report_.clean ? "" : why_ended_ + "; what was of it could not all be removed");
}

// --- its making ----------------------------------------------------------------------------------------

Result<void> LiveSandbox::make() {
  if (request_.action != RequestAction::keep) return fail("request: not one for a sandbox of many commands");
  policy_ = TRY(load_policy(request_.policy, site_.settings.policy_dirs, site_.settings.cache_dir()));
  about_.policy_name = policy_.name;
  about_.policy_fingerprint = policy_.fingerprint;
  TRY(settle_image(site_.settings, request_));
  about_.image_name = request_.image;
  runner_ = TRY(image_runner(site_.settings, request_.image));
  granted_ = TRY(grant_limits(request_, policy_, runner_ ? needed_limits(*runner_) : LimitSet{}));
  if (!site_.cgroups) return fail(site_.cgroups.error());
  TRY(check_id_pool(site_.settings.ids));
  ids_ = TRY(claim_ids(site_.settings.run_dir, site_.settings.ids));
  claimed_ = true;
  TRY(choose_name());
  if (request_.hostname.empty()) request_.hostname = request_.sandbox_name;
  const auto rights = rights_for_binds(owner_.value_or(nobody()), true);
  inputs_ = TRY(gather_inputs(site_.settings, policy_, request_, rights, granted_, report_.degradations));
  if (runner_) TRY(note_writable(runner_->writable, inputs_.facts));
  inputs_degradations_ = report_.degradations;
  about_.image_digest = inputs_.image_digest;
  about_.transaction = inputs_.project.transaction;
  plan_ = TRY(make_plan(request_, granted_, policy_, inputs_.facts, about_.sandbox_id));
  Result<void> launched = launch();
  if (launched || launched.error().error_number != EEXIST || request_.sandbox_name.empty()) return launched;
  sandbox_.reset();  // another sbxd of this machine was quicker with the name
  TRY(choose_name());
  plan_ = TRY(make_plan(request_, granted_, policy_, inputs_.facts, about_.sandbox_id));
  return launch();
}

Result<void> LiveSandbox::choose_name() {
  about_.sandbox_id = free_sandbox_id(*site_.cgroups, request_.sandbox_name);
  return write_journal();
}

Result<void> LiveSandbox::launch() {
  sandbox_.emplace(SandboxInput{site_.settings, policy_, *site_.cgroups, plan_, ids_, true}, report_);
  TRY(sandbox_->prepare({inputs_.project, inputs_.binds}));
  if (!site_.starter) return fail(site_.starter.error());
  channel_ = TRY(sandbox_->start(**site_.starter, false));
  watch_.emplace(SandboxWatchInput{.launch = *channel_,
                                   .init = sandbox_->init(),
                                   .memory_event = sandbox_->cgroup().memory_event_fd(),
                                   .out_of_memory = [this] { memory_ran_out(); },
                                   .kill = [this] { (void)sandbox_->cgroup().kill(); }});
  while (!watch_->launched() && !watch_->gone()) {
    PollSet turn;
    watch_->wait_in(turn);
    turn.wait();
  }
  if (!watch_->launched()) {
    const LaunchFailure& failure = watch_->failure();
    return fail(std::string("the sandbox could not be set up: step '") + launch_step_name(failure.step) +
                "': " + (failure.error_number != 0 ? errno_text(failure.error_number) : "it was killed") +
                sandbox_->behind(failure));
  }
  TRY(sandbox_->cgroup().give_room_to_init());
  sandbox_->note_controls();
  about_.controls = report_.controls;
  about_.degradations = report_.degradations;
  home_.emplace(CommandHome{site_, policy_, request_, runner_, inputs_.facts, plan_, ids_, about_, *sandbox_,
                            *watch_, [this] { return next_command_++; },
                            [this](const std::string& name) { return session(name); }});
  return {};
}

// --- its life ------------------------------------------------------------------------------------------

void LiveSandbox::serve() {
  while (!gone()) {
    PollSet turn;
    turn.add(control_.get(), [this] { read_control(); });
    if (watch_) watch_->wait_in(turn);
    for (const auto& session : sessions_) session->wait_in(turn);
    for (LiveCommand& command : commands_) command.wait_in(turn);
    for (FileCommand& command : files_) command.wait_in(turn);
    for (const CommandGroup& group : leftovers_)
      turn.add(
          group.events_fd(), [] {}, POLLPRI);
    turn.until(std::min({stop_deadline_, give_up_deadline_, look_for_memory_at_}));
    turn.wait();
    const std::int64_t now = os::monotonic_ns();
    if (now >= look_for_memory_at_) look_for_memory(now);
    if (now >= stop_deadline_) begin_end("the sandbox was stopped");
    for (const auto& session : sessions_) session->check();
    check_commands();
    if (resetting_ && quiet()) end_reset();
    if (!resetting_ && !ending_ && watch_->gone()) begin_end("the sandbox's init ended");
  }
}

void LiveSandbox::check_commands() {
  std::size_t running = 0;
  for (LiveCommand& command : commands_) {
    command.check();
    running += command.running() ? 1 : 0;
    if (!command.finished()) continue;
    std::ranges::move(command.take_groups(), std::back_inserter(leftovers_));
    journal_is_old_ = true;
  }
  commands_.remove_if([](const LiveCommand& command) { return command.finished(); });
  remove_sessions();
  for (FileCommand& command : files_) {
    command.check();
    if (!command.finished()) continue;
    if (auto group = command.take_group()) leftovers_.push_back(std::move(*group));
  }
  files_.remove_if([](const FileCommand& command) { return command.finished(); });
  std::erase_if(leftovers_,
                [](CommandGroup& group) { return !group.populated() && group.remove().has_value(); });
  if (stopping_ && commands_.empty() && files_.empty() && sessions_.empty() && leftovers_.empty())
    begin_end("the sandbox was stopped");
  if (running == running_ && !journal_is_old_) return;
  if (const auto written = write_journal(); !written) report_.notices.push_back(written.error().text);
  // Also of one that never ran: the API counts each from when it is asked for.
  tell(KeeperMessageType::commands, static_cast<std::int64_t>(running));
  running_ = running;
}

Result<std::shared_ptr<ShellSession>> LiveSandbox::session(const std::string& name) {
  for (const auto& session : sessions_) {
    if (session->name() != name || session->over()) continue;
    if (!session->idle())
      return fail(Error{"session '" + name + "' runs another line; wait for its end", EBUSY});
    return session;
  }
  sessions_.emplace_back(TRY(ShellSession::start(*home_, next_command_++, name)));
  return sessions_.back();
}

// One that has ended is kept until its last line is told: what that one used is read from it.
void LiveSandbox::remove_sessions() {
  sessions_.remove_if([this](const auto& session) {
    if (!session->over() || session.use_count() > 1) return false;
    leftovers_.push_back(session->take_group());
    return true;
  });
}

// v1 tells that memory ran out, and then kills one process: whose it was is seen a moment later.
void LiveSandbox::memory_ran_out() {
  std::uint64_t times = 0;
  if (read(sandbox_->cgroup().memory_event_fd(), &times, sizeof times) < 0) return;  // told already
  look_for_memory_at_ = os::monotonic_ns();
  look_for_memory_until_ = look_for_memory_at_ + kMemoryLook;
}

void LiveSandbox::look_for_memory(std::int64_t now) {
  bool found = false;
  for (LiveCommand& command : commands_) found = command.check_memory() || found;
  for (FileCommand& command : files_) found = command.check_memory() || found;
  const auto end_if_killed = [&](const CommandGroup& group) {
    if (group.oom_kills().value_or(0) == 0) return;
    group.kill();
    found = true;
  };
  for (const CommandGroup& group : leftovers_) end_if_killed(group);
  for (const auto& session : sessions_) {
    if (session->idle()) end_if_killed(session->group());
  }
  look_for_memory_at_ = found || now >= look_for_memory_until_ ? kNever : now + kMemoryPause;
}

void LiveSandbox::read_control() {
  auto received = os::receive_message(control_.get(), sizeof(KeeperMessage));
  if (!received || !*received) {
    control_.reset();
    return begin_end("its supervisor went away");
  }
  const auto message = os::read_struct<KeeperMessage>(**received, "control");
  if (!message || message->version != kKeeperProtocolVersion || ending_) return;
  if (!owner_) {
    const auto adopted = message->type == KeeperMessageType::adopt
                             ? adopt(std::move((*received)->descriptors), message->token)
                             : fail("the sandbox is nobody's");
    if (adopted) {
      record(event("sandbox.create", owner_->caller()));
      return tell(KeeperMessageType::ready, 0, describe());
    }
    tell(KeeperMessageType::failed, adopted.error().error_number, adopted.error().text);
    return begin_end(adopted.error().text);
  }
  const auto& descriptors = (*received)->descriptors;
  std::optional<Caller> caller;
  if (descriptors.size() == 1) {
    if (const auto peer = identify_peer(descriptors[0].get(), message->token)) caller = peer->caller();
  }
  switch (message->type) {
  case KeeperMessageType::command: return take_command(*message, std::move((*received)->descriptors));
  case KeeperMessageType::files: return take_files(*message, std::move((*received)->descriptors));
  case KeeperMessageType::pause:
  case KeeperMessageType::resume: {
    const bool pauses = message->type == KeeperMessageType::pause;
    const auto done = sandbox_->cgroup().freeze(pauses);
    const std::string why_not = done ? "" : done.error().text;
    record(event(pauses ? "sandbox.pause" : "sandbox.resume", std::move(caller)), why_not);
    return tell(KeeperMessageType::done, done ? 0 : 1, why_not);
  }
  case KeeperMessageType::reset: return begin_reset(std::move(caller));
  case KeeperMessageType::stop:
    record(event("sandbox.stop", caller));
    asked_by_ = std::move(caller);
    return begin_stop(message->value);
  case KeeperMessageType::destroy:
    asked_by_ = std::move(caller);
    return begin_end(why_destroyed(message->value));
  case KeeperMessageType::stats: return tell(KeeperMessageType::stats_are, 0, describe());
  default: return;
  }
}

// What was made for nobody becomes what a client asks for, if that needs another name at most.
Result<void> LiveSandbox::adopt(std::vector<UniqueFd> descriptors, std::int64_t token) {
  AskedSandbox asked = TRY(read_asked(std::move(descriptors), token));
  if (!asked.peer) return fail("adopt: for nobody");
  if (asked.request.hostname.empty()) asked.request.hostname = asked.request.sandbox_name;
  TRY(check_same_policy(site_.settings, policy_));
  TRY(check_same_image(site_.settings, request_.image, about_.image_digest));
  plan_ = TRY(plan_of_adopted({request_, asked.request, policy_, runner_, inputs_.facts, plan_}));
  TRY(set_hostname(watch_->init_pidfd(), plan_.hostname));
  request_ = std::move(asked.request);
  owner_ = std::move(asked.peer);
  about_.task_id = request_.task_id;
  return {};
}

void LiveSandbox::take_command(const KeeperMessage& message, std::vector<UniqueFd> descriptors) {
  const bool from_api = message.value == 1;
  auto asked = open_client(std::move(descriptors), from_api, message.token);
  if (!asked) return;
  const ClientLink client(asked->client.get());
  if (!asked->peer.may_use_what(*owner_, request_.project, !request_.binds.empty()))
    return (void)client.answer_error(125, Error{"the sandbox is somebody else's", 0});
  if (const auto room = check_room(); !room) return (void)client.answer_error(125, room.error());
  commands_.emplace_back(*home_, std::move(asked->client), std::move(asked->peer), from_api);
}

// Only the API has this socket: no client asks for it by itself.
void LiveSandbox::take_files(const KeeperMessage& message, std::vector<UniqueFd> descriptors) {
  constexpr std::size_t kMostRequest = std::size_t{kMostFilePath} * 4;
  if (descriptors.size() != 5) return;
  UniqueFd client = std::move(descriptors[0]);
  const auto bytes = os::read_sealed_memfd(descriptors[3].get(), "files", kMostRequest);
  const auto request = bytes ? decode_file_request(*bytes) : fail(bytes.error());
  const auto peer = identify_peer(descriptors[4].get(), message.token);
  for (const auto* error : {request ? nullptr : &request.error(), peer ? nullptr : &peer.error()}) {
    if (error == nullptr) continue;
    return (void)ClientLink(client.get()).answer_error(static_cast<int>(FilesEnd::not_started), *error);
  }
  std::optional<AuditEvent> about;
  if (const char* name = file_event_name(*request)) {
    about = event(name, peer->caller());
    about->subject = request->path;
    about->to = request->to;
  }
  std::vector<UniqueFd> pipes;
  pipes.push_back(std::move(descriptors[1]));
  pipes.push_back(std::move(descriptors[2]));
  if (const auto room = check_room(); !room)
    return (void)ClientLink(client.get()).answer_error(static_cast<int>(FilesEnd::not_started), room.error());
  files_.emplace_back(*home_, next_command_++, std::move(client), std::move(pipes), std::move(about));
}

Result<void> LiveSandbox::check_room() const {
  if (stopping_ || resetting_)
    return fail(resetting_ ? "the sandbox is being reset" : "the sandbox is being stopped");
  if (commands_.size() + files_.size() + sessions_.size() + leftovers_.size() < init::kMostExecs) return {};
  return fail(Error{"the sandbox runs " + std::to_string(init::kMostExecs) +
                        " commands already, with what is left of earlier ones; wait for one to end",
                    EAGAIN});
}

// --- its end -------------------------------------------------------------------------------------------

void LiveSandbox::begin_stop(std::int64_t grace_ms) {
  (void)sandbox_->cgroup().freeze(false);
  for (LiveCommand& command : commands_) command.signal_all(SIGTERM);
  for (const auto& session : sessions_) session->group().signal_all(SIGTERM);
  for (FileCommand& command : files_) command.cancel("the sandbox is being stopped");
  for (const CommandGroup& group : leftovers_) group.signal_all(SIGTERM);
  stop_deadline_ = os::monotonic_ns() + std::clamp<std::int64_t>(grace_ms, 0, 3'600'000) * kMillisecond;
  stopping_ = true;
}

void LiveSandbox::begin_end(const std::string& why) {
  stop_deadline_ = kNever;
  if (ending_) return;
  ending_ = true;
  why_ended_ = why;
  give_up_deadline_ = os::monotonic_ns() + kGiveUpTimeout;
  for (LiveCommand& command : commands_) command.cancel(why);
  for (FileCommand& command : files_) command.cancel(why);
  if (watch_) watch_->kill();
}

bool LiveSandbox::gone() const { return ending_ && quiet(); }

// Commands are given up by themselves, and recorded.
bool LiveSandbox::quiet() const {
  return commands_.empty() && files_.empty() &&
         (!watch_ || watch_->gone() || os::monotonic_ns() >= give_up_deadline_);
}

// --- made anew -----------------------------------------------------------------------------------------

// Nothing that was in it goes over into what comes: another init, other namespaces, groups and mounts.
void LiveSandbox::begin_reset(std::optional<Caller> caller) {
  if (resetting_ || stopping_) return tell(KeeperMessageType::done, 1, "the sandbox is being ended");
  resetting_ = true;
  asked_by_ = std::move(caller);
  give_up_deadline_ = os::monotonic_ns() + kGiveUpTimeout;
  for (LiveCommand& command : commands_) command.cancel("the sandbox was reset");
  for (FileCommand& command : files_) command.cancel("the sandbox was reset");
  watch_->kill();
}

void LiveSandbox::end_reset() {
  resetting_ = false;
  give_up_deadline_ = kNever;
  const Result<void> made = make_again();
  record(event("sandbox.reset", std::exchange(asked_by_, {})), made ? "" : made.error().text);
  tell(KeeperMessageType::done, made ? 0 : 1, made ? describe() : made.error().text);
  if (!made) begin_end("the sandbox could not be reset: " + made.error().text);
}

Result<void> LiveSandbox::make_again() {
  if (!watch_->gone()) return fail("its processes did not end within 10 s of being killed");
  drop_groups();
  look_for_memory_at_ = kNever;
  home_.reset();
  watch_.reset();
  channel_.reset();
  sandbox_.reset();
  if (!report_.clean) return fail(report_.notices.back());
  report_.controls.clear();
  if (inputs_.project.top.valid()) {
    std::vector<std::string> degradations;  // the same as at first
    ProjectWish wish = project_wish(request_, policy_, granted_);
    wish.transaction = inputs_.project.transaction;
    wish.afresh = true;
    inputs_.project.branch_in_use.reset();
    inputs_.project = TRY(open_project(site_.settings.state_dir, request_.project, wish,
                                       site_.settings.ids.service_id(), degradations));
    if (keeps_workspace(request_)) TRY(reset_workspace(inputs_.project));
  }
  report_.degradations = inputs_degradations_;
  return launch();
}

void LiveSandbox::drop_groups() {
  for (const auto& session : sessions_) (void)session->group().remove();
  sessions_.clear();
  for (CommandGroup& group : leftovers_) (void)group.remove();
  leftovers_.clear();
}

void LiveSandbox::clean_up() {
  const bool abandoned = watch_ && !watch_->gone();
  commands_.clear();
  files_.clear();
  drop_groups();
  if (sandbox_) sandbox_->release(abandoned);
  inputs_.project = {};
  if (!claimed_ || !report_.clean) return;
  if (const auto cleared = ids_.clear_journal(); !cleared) {
    report_.notices.push_back("the journal could not be emptied; the next start tries again: " +
                              cleared.error().text);
  }
}

std::string LiveSandbox::describe() {
  if (!sandbox_ || !sandbox_->prepared()) return describe_sandbox(about_, plan_, report_, nullptr, {}, {});
  std::vector<std::string> names;
  for (const auto& session : sessions_) names.push_back(session->name());
  return describe_sandbox(about_, plan_, report_, &sandbox_->cgroup(),
                          read_storage(sandbox_->mounts().storage, plan_.limits), names);
}

// What the next start has to remove and to record should we be killed.
Result<void> LiveSandbox::write_journal() {
  journal_is_old_ = false;
  Journal journal{cgroup_directories(*site_.cgroups, about_.sandbox_id), {}, site_.settings.log.path};
  if (journal.log.find('\n') != std::string::npos) journal.log.clear();
  for (const LiveCommand& command : commands_) {
    if (std::string record = command.journal_record(); !record.empty())
      journal.records.push_back(std::move(record));
  }
  if (owner_) {
    AuditEvent killed = event("sandbox.destroy", {});
    killed.message = "its supervisor was killed";
    journal.records.push_back(event_to_json(killed));
  }
  return ids_.write_journal(journal);
}

}  // namespace sbx
