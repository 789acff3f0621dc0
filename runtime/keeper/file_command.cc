#include "keeper/file_command.h"

#include <sys/wait.h>

#include "os/clock.h"
#include "plan/plan_environment.h"
#include "run/client_link.h"
#include "run/streams.h"
#include "wire/keeper_protocol.h"

namespace sbx {
namespace {

// Longer than an honest client takes: one that the sandbox stops is killed at last.
constexpr std::uint64_t kWallMs = 3'600'000;

std::string how_it_ended(int wait_status) {
  if (WIFEXITED(wait_status)) return "ended with " + std::to_string(WEXITSTATUS(wait_status));
  return "was killed by signal " + std::to_string(WTERMSIG(wait_status));
}

// The API has its answer, which says why.
bool was_refused(int wait_status) {
  return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == kFilesRefused;
}

}  // namespace

FileCommand::FileCommand(const CommandHome& home, std::uint32_t id, UniqueFd client,
                         std::vector<UniqueFd> pipes, std::optional<AuditEvent> event)
    : home_(home), id_(id), client_(std::move(client)), event_(std::move(event)) {
  if (const auto begun = begin(std::move(pipes)); !begun) answer(FilesEnd::not_started, begun.error().text);
}

FileCommand::~FileCommand() {
  if (execution_) home_.watch.remove(*execution_);
}

Result<void> FileCommand::begin(std::vector<UniqueFd> pipes) {
  RunRequest request;
  request.streams = {StreamMode::pass, StreamMode::pass, StreamMode::null};
  request.command = {"sbx-files"};
  ExecPlan exec;
  TRY(plan_exec(request, home_.facts, exec));
  exec.command.push_back(exec.cwd);  // where a command starts
  exec.environment.clear();
  exec.candidates.clear();
  exec.cwd = "/";
  const Result<ExecStreams> streams = make_streams(request, std::move(pipes), home_.ids.outside(kWorkloadId));
  if (!streams) return fail(streams.error());
  group_ = TRY(home_.sandbox.make_command_group("f" + std::to_string(id_)));
  LimitSet limits;
  limits.wall_ms = kWallMs;
  execution_ = std::make_unique<Execution>(
      ExecutionInput{.id = id_,
                     .client = client_.get(),
                     .leftovers = Leftovers::killed,
                     .sent_ns = os::monotonic_ns(),
                     .limits = limits,
                     .captures = {},
                     .cpu_us = [this] { return group_->cpu_us(); },
                     .kill = [this] { group_->kill(); },
                     .signal = [this](int number) { home_.watch.signal(id_, number); }});
  home_.watch.add(*execution_);
  return home_.sandbox.send(
      {.id = id_, .exec = exec, .streams = *streams, .group = &*group_, .program = kFilesProgramFd},
      home_.site.cpus);
}

void FileCommand::wait_in(PollSet& turn) {
  if (finished_) return;
  execution_->wait_in(turn);
  turn.add(
      group_->events_fd(), [] {}, POLLPRI);  // `check` looks
}

void FileCommand::check() {
  if (finished_) return;
  execution_->check_deadlines();
  if (!group_->populated() && execution_->ended()) execution_->processes_gone();
  if (execution_->finished()) finish();
}

bool FileCommand::check_memory() {
  if (finished_ || execution_->ended() || group_->oom_kills().value_or(0) == 0) return false;
  execution_->end_because(Ending::Cause::out_of_memory);
  return true;
}

void FileCommand::cancel(const std::string& why) {
  if (finished_) return;
  Ending ending;
  ending.cause = Ending::Cause::cancelled;
  ending.text = why;
  execution_->end(std::move(ending));
}

void FileCommand::finish() {
  const ExecutionReport report = execution_->take_report();
  const Ending& ending = report.ending;
  if (group_->oom_kills().value_or(0) > 0 || ending.cause == Ending::Cause::out_of_memory)
    return answer(FilesEnd::out_of_memory, "the sandbox ran out of memory");
  switch (ending.cause) {
  case Ending::Cause::command_exited:
    if (was_refused(ending.wait_status)) return answer(FilesEnd::done, "it cannot be done in the sandbox");
    return ending.wait_status == 0 ? answer(FilesEnd::done, "")
                                   : answer(FilesEnd::failed, "the program in the sandbox that does it " +
                                                                  how_it_ended(ending.wait_status));
  case Ending::Cause::exec_failed:
    return answer(FilesEnd::not_started, std::string("it could not be started in the sandbox: step '") +
                                             launch_step_name(ending.failure.step) +
                                             "': " + errno_text(ending.failure.error_number));
  case Ending::Cause::wall_time: return answer(FilesEnd::too_long, "it took longer than an hour");
  case Ending::Cause::cancelled:
    return answer(FilesEnd::sandbox_ended, ending.text.empty() ? "who asked for it has gone" : ending.text);
  case Ending::Cause::init_died:
    return answer(FilesEnd::sandbox_ended, ending.text.empty() ? "the sandbox ended" : ending.text);
  default: return answer(FilesEnd::failed, ending.text);
  }
}

void FileCommand::answer(FilesEnd end, const std::string& why) {
  finished_ = true;
  if (event_) {
    event_->failed = !why.empty();
    event_->message = why;
    (void)record_event(home_.site.settings.log, *event_);  // one that is lost is counted there
  }
  (void)ClientLink(client_.get()).answer_error(static_cast<int>(end), Error{why, 0});  // else nobody is there
}

}  // namespace sbx
