#include "keeper/nursery.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>

#include "keeper/adopt.h"
#include "keeper/answer_query.h"
#include "keeper/live_sandbox.h"
#include "keeper/open_client.h"
#include "keeper/serve_run.h"
#include "os/file.h"
#include "os/socket.h"
#include "run/run_one.h"
#include "wire/project_protocol.h"

namespace sbx {
namespace {

using Descriptors = std::vector<UniqueFd>;

// Each to the number behind it; all others are closed by exec.
bool put_at(const Descriptors& descriptors, int first) {
  const int behind = first + static_cast<int>(descriptors.size());
  Descriptors aside;
  for (const UniqueFd& one : descriptors) {
    aside.emplace_back(fcntl(one.get(), F_DUPFD_CLOEXEC, behind));
    if (!aside.back().valid()) return false;
  }
  for (int to = first; const UniqueFd& one : aside) {
    if (dup2(one.get(), to) != to) return false;
    ++to;
  }
  return close_range(static_cast<unsigned>(behind), ~0U, CLOSE_RANGE_CLOEXEC) == 0;
}

// The program that looks after projects takes this process's place, with nothing of it but who asks, and the
// content of files where that comes or goes.
void become_projects(const Site& site, const Descriptors& asked, std::int64_t token) {
  const std::string path = site.settings.helpers + "/sbx-projects";
  std::vector<std::string> words{path};
  words.insert(words.end(), site.places.begin(), site.places.end());
  words.push_back(asked.size() == 1 ? kNobodysQuestion : std::to_string(token));
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::array<char*, 1> environment{nullptr};
  if (!put_at(asked, kProjectSocketFd)) return;
  (void)execve(path.c_str(), arguments.data(), environment.data());
  (void)std::fprintf(stderr, "sbxd: %s\n", system_error("execve", path, errno).text.c_str());
}

// Of a keeper, in its own process.
void keep(const Site& site, const KeeperMessage& message, Descriptors descriptors) {
  const KeeperMessageType type = message.type;
  if (type == KeeperMessageType::run) {
    const bool from_api = message.value == 1;
    UniqueFd place;
    if (!from_api && descriptors.size() == 2) {
      place = std::move(descriptors.front());
      descriptors.erase(descriptors.begin());
    }
    const auto asked = open_client(std::move(descriptors), from_api, message.token);
    if (asked) serve_run(site, *asked, from_api, place.get());
    return;
  }
  if (type == KeeperMessageType::query && descriptors.size() == 1)
    return answer_query(site, static_cast<HostQuery>(message.value), descriptors[0]);
  const std::size_t count = descriptors.size();
  if (type == KeeperMessageType::project && (count == 1 || count == 2 || count == 4))
    return become_projects(site, descriptors, message.token);
  const bool warm = type == KeeperMessageType::warm;
  if ((type != KeeperMessageType::create && !warm) || descriptors.size() != (warm ? 2U : 3U)) return;
  UniqueFd control = std::move(descriptors[0]);
  descriptors.erase(descriptors.begin());
  auto asked = read_asked(std::move(descriptors), message.token);
  if (asked) return LiveSandbox(site, std::move(asked->request), asked->peer, std::move(control)).run();
  tell_api(control.get(), KeeperMessageType::failed, 0, asked.error().text);
}

class Nursery {
 public:
  Nursery(const Site& site, int socket, UniqueFd child_signal)
      : site_(site), socket_(socket), child_signal_(std::move(child_signal)) {}

  Result<void> serve() {
    while (true) {
      std::array<pollfd, 2> polled{{{socket_, POLLIN, 0}, {child_signal_.get(), POLLIN, 0}}};
      if (poll(polled.data(), polled.size(), -1) < 0) {
        if (errno == EINTR) continue;
        return fail(system_error("poll", "", errno));
      }
      if (polled[1].revents != 0) reap();
      if (polled[0].revents == 0) continue;
      auto message = TRY(os::receive_message(socket_, sizeof(KeeperMessage)));
      if (!message) return {};
      const auto header = TRY(os::read_struct<KeeperMessage>(*message, "nursery"));
      if (header.version != kKeeperProtocolVersion) return fail("nursery: another protocol version");
      start(header, std::move(message->descriptors));
    }
  }

 private:
  // A keeper that cannot be forked is seen by its client at the end of the socket.
  void start(const KeeperMessage& message, Descriptors descriptors) {
    const pid_t child = fork();
    if (child != 0) return;
    (void)close(socket_);
    child_signal_.reset();
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, nullptr);
    (void)prctl(PR_SET_NAME, "sbx-keeper");
    (void)prctl(PR_SET_DUMPABLE, 0);
    keep(site_, message, std::move(descriptors));
    _exit(0);
  }

  // What a keeper that was killed left is swept at once.
  void reap() {
    std::array<char, 1024> told{};
    while (read(child_signal_.get(), told.data(), told.size()) > 0) {
    }
    bool killed = false;
    int status = 0;
    while (waitpid(-1, &status, WNOHANG) > 0)
      killed = killed || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    if (!killed || fork() != 0) return;
    (void)sweep_and_say(site_.settings);
    _exit(0);
  }

  const Site& site_;
  int socket_;
  UniqueFd child_signal_;
};

}  // namespace

Result<void> serve_nursery(const Site& site, int socket) {
  sigset_t child;
  (void)sigemptyset(&child);
  (void)sigaddset(&child, SIGCHLD);
  (void)sigprocmask(SIG_BLOCK, &child, nullptr);
  UniqueFd child_signal(signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!child_signal.valid()) return fail(system_error("signalfd", "", errno));
  return Nursery(site, socket, std::move(child_signal)).serve();
}

}  // namespace sbx
