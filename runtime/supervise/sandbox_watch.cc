#include "supervise/sandbox_watch.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "os/socket.h"
#include "wire/init_protocol.h"

namespace sbx {

void SandboxWatch::remove(const Execution& execution) { std::erase(executions_, &execution); }

void SandboxWatch::wait_in(PollSet& turn) {
  turn.add(gone_ ? -1 : in_.launch.fd(), [this] { read_launch(); });
  turn.add(init_gone_ ? -1 : in_.init, [this] { read_init(); });
  const bool any = std::ranges::any_of(executions_, [](const Execution* e) { return !e->ended(); });
  turn.add(any ? in_.memory_event : -1, in_.out_of_memory);
}

void SandboxWatch::signal(std::uint32_t exec, int number) const {
  init::Message message;
  message.type = init::MessageType::signal;
  message.exec = exec;
  message.value = number;
  (void)os::send_struct(in_.init, message);  // an init that is gone is seen as its end
}

void SandboxWatch::kill() {
  killed_ = true;
  in_.kill();
  if (init_pidfd_.valid()) (void)syscall(SYS_pidfd_send_signal, init_pidfd_.get(), SIGKILL, nullptr, 0);
}

void SandboxWatch::end_all(const Ending& ending) {
  for (Execution* execution : executions_) {
    execution->end(ending);
    if (gone_) execution->processes_gone();
  }
}

Execution* SandboxWatch::find(std::uint32_t id) {
  const auto found = std::ranges::find_if(executions_, [id](const Execution* e) { return e->id() == id; });
  return found == executions_.end() ? nullptr : *found;
}

// --- who launched it -----------------------------------------------------------------------------------

void SandboxWatch::read_launch() {
  LaunchEvent event = in_.launch.read();
  if (auto* launched = std::get_if<InitLaunched>(&event)) {
    launched_ = true;
    step_us_ = launched->step_us;
    init_pidfd_ = std::move(launched->pidfd);
    if (killed_) kill();  // cancelled while it was being launched
  } else if (const auto* failure = std::get_if<LaunchFailure>(&event)) {
    gone_ = true;
    failure_ = *failure;
    Ending ending;
    ending.cause = Ending::Cause::launch_failed;
    ending.failure = *failure;
    end_all(ending);
  } else if (const auto* ended = std::get_if<InitEnded>(&event)) {
    read_init_until_end();  // its last word may still be in the socket
    gone_ = true;
    Ending ending;
    ending.cause = Ending::Cause::init_died;
    ending.wait_status = ended->wait_status;
    end_all(ending);
  } else if (auto* lost = std::get_if<LauncherGone>(&event)) {
    gone_ = true;  // init dies with its spawner; removing the cgroup makes sure
    spawner_ended_ =
        !lost->error && std::ranges::any_of(executions_, [](const Execution* e) { return !e->ended(); });
    Ending ending;
    ending.cause = Ending::Cause::supervisor_error;
    ending.text = lost->error ? std::move(*lost->error).while_doing("listening to the spawner").text
                              : "the spawner ended unexpectedly";
    end_all(ending);
  }
}

// --- init ----------------------------------------------------------------------------------------------

// Init is dead. Its end of the socket may be open all the same, in the hands of whoever it gave it to:
// nothing more is waited for, and who sends without end is not read without end.
void SandboxWatch::read_init_until_end() {
  constexpr int kMostMessages = 4096;
  pollfd ready{in_.init, POLLIN, 0};
  for (int i = 0; i < kMostMessages && !init_gone_ && poll(&ready, 1, 0) > 0; ++i) read_init();
  init_gone_ = true;
}

void SandboxWatch::read_init() {
  if (init_gone_) return;
  auto received = os::receive_message(in_.init, sizeof(init::Message));
  if (!received) {
    init_gone_ = true;
    Ending ending;
    ending.cause = Ending::Cause::supervisor_error;
    ending.text = std::move(received.error()).while_doing("listening to the sandbox's init").text;
    return end_all(ending);
  }
  if (!*received) {
    init_gone_ = true;  // the spawner tells how it ended
    return;
  }
  const auto message = os::read_struct<init::Message>(**received, "init");
  if (!message || message->version != init::kVersion) return;
  Execution* execution = find(message->exec);
  if (execution == nullptr) return;
  const auto& descriptors = (*received)->descriptors;
  switch (message->type) {
  case init::MessageType::started:
    execution->command_started(message->when_ns, descriptors.empty() ? nullptr : &descriptors.front());
    break;
  case init::MessageType::exec_failed:
    execution->command_failed(
        {message->step < kLaunchSteps ? static_cast<LaunchStep>(message->step) : LaunchStep::execve, 0,
         message->value});
    break;
  case init::MessageType::exited: execution->command_exited(message->value, message->when_ns); break;
  default: break;
  }
}

}  // namespace sbx
