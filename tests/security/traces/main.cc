// Leaves traces and looks for them; prints NAME=WHAT CAME OF IT.
// traces list            the tables, a line each, tab-separated
// traces leave KEY       leaves all, says "left", and keeps them until its input ends
// traces find KEY        looks for them
// traces both KEY        leaves and looks; prints what was found
// traces outside KEY     the same, as root, in namespaces and directories that go with it
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "trace.h"

namespace sbx::trace {
namespace {

constexpr unsigned kPatience = 10;  // seconds

std::string key_word;

std::string error_name(int number) {
  const char* name = strerrorname_np(number);
  return name != nullptr ? name : std::to_string(number);
}

template <class F>
void for_each_trace(F use) {
  constexpr std::span<const Trace> (*kKinds[])() = {file_traces,   shared_file_traces, page_cache_traces,
                                                    ipc_traces,    key_traces,         process_traces,
                                                    network_traces};
  for (const auto kind : kKinds) {
    for (const Trace& trace : kind()) use(trace);
  }
}

void say(const Trace& trace, const std::string& what) {
  std::printf("%.*s=%s\n", static_cast<int>(trace.name.size()), trace.name.data(), what.c_str());
  (void)std::fflush(stdout);
}

// Starts a process that leaves it, and waits until it has; what came of it.
std::string left(const Trace& trace, std::vector<pid_t>& keepers) {
  int ends[2];
  if (pipe(ends) != 0) return error_name(errno);
  const pid_t pid = fork();
  if (pid == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)close(ends[0]);
    errno = 0;
    const int error = trace.leave() < 0 ? errno : 0;
    (void)!write(ends[1], &error, sizeof error);
    while (true) (void)pause();
  }
  keepers.push_back(pid);
  (void)close(ends[1]);
  int error = EPIPE;
  pollfd polled{ends[0], POLLIN, 0};
  if (poll(&polled, 1, kPatience * 1'000) <= 0) return "late";
  (void)!read(ends[0], &error, sizeof error);
  (void)close(ends[0]);
  return error == 0 ? "ok" : error_name(error);
}

std::string found(const Trace& trace) {
  const pid_t pid = fork();
  if (pid == 0) {
    (void)alarm(kPatience);
    errno = 0;
    _exit(trace.find() < 0 ? errno : 0);
  }
  int status = 0;
  (void)waitpid(pid, &status, 0);
  if (WIFSIGNALED(status)) return std::string("SIG") + sigabbrev_np(WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? "ok" : error_name(WEXITSTATUS(status));
}

void list() {
  for_each_trace([](const Trace& trace) {
    for (const std::string_view field :
         {trace.name, trace.aim, trace.control, trace.other, trace.next, trace.unfiltered,
          trace.unfiltered_next, trace.alone, trace.outside}) {
      std::printf("%.*s\t", static_cast<int>(field.size()), field.data());
    }
    std::printf("\n");
  });
}

bool is_tried(const Trace& trace, bool outside) {
  return !outside || !trace.outside.starts_with("not tried");
}

std::vector<pid_t> leave_all(bool outside, bool tell) {
  std::vector<pid_t> keepers;
  for_each_trace([&](const Trace& trace) {
    const std::string what = is_tried(trace, outside) ? left(trace, keepers) : "not tried";
    if (tell) say(trace, what);
  });
  return keepers;
}

void find_all(bool outside) {
  for_each_trace([&](const Trace& trace) {
    if (is_tried(trace, outside)) say(trace, found(trace));
  });
}

void forget_all(const std::vector<pid_t>& keepers) {
  for_each_trace([](const Trace& trace) {
    if (trace.forget != nullptr) trace.forget();
  });
  for (const pid_t pid : keepers) (void)kill(pid, SIGKILL);
  for (const pid_t pid : keepers) (void)waitpid(pid, nullptr, 0);
}

int both(bool outside) {
  const std::vector<pid_t> keepers = leave_all(outside, false);
  find_all(outside);
  forget_all(keepers);
  return 0;
}

void switch_on_loopback() {
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  (void)ioctl(socket(AF_UNIX, SOCK_DGRAM, 0), SIOCSIFFLAGS, &request);
}

int in_own_place() {
  if (unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID) != 0) return 1;
  const pid_t pid = fork();
  if (pid != 0) {
    int status = 0;
    (void)waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  }
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) _exit(1);
  (void)mount("proc", "/proc", "proc", 0, nullptr);
  for (const char* place : {"/tmp", "/var/tmp", "/dev/shm"}) (void)mount("none", place, "tmpfs", 0, nullptr);
  (void)setenv("HOME", "/var/tmp", 1);
  switch_on_loopback();
  // The first process here ignores what has no handler; those who look are others.
  _exit(both(true));
}

int main_with(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  key_word = argc > 2 ? argv[2] : "1";
  if (command == "list") list();
  if (command == "find") find_all(false);
  if (command == "both") return both(false);
  if (command == "outside") return in_own_place();
  if (command == "leave") {
    const std::vector<pid_t> keepers = leave_all(false, true);
    std::printf("left\n");
    (void)std::fflush(stdout);
    char byte = 0;
    while (read(0, &byte, 1) > 0) {
    }
    // Nothing is forgotten here: it is the sandbox's end that must take it away.
    return keepers.empty() ? 1 : 0;
  }
  return 0;
}

}  // namespace

long key() { return std::atol(key_word.c_str()); }
std::string name_with_key() { return "sbx-trace-" + key_word; }

}  // namespace sbx::trace

int main(int argc, char** argv) { return sbx::trace::main_with(argc, argv); }
