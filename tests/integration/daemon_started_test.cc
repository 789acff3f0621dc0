// sbxd as systemd starts it: sockets that are passed to it, and what it tells.
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "integration/daemon.h"

namespace sbx::test {

namespace {

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

int bound(const std::string& path, int type) {
  const sockaddr_un address = address_of(path);
  const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

// In the process that becomes sbxd.
void pass(int fd, const std::string& pid) {
  (void)dup2(fd, 3);
  (void)fcntl(3, F_SETFD, 0);  // it may have been the third already
  (void)setenv("LISTEN_FDS", "1", 1);
  (void)setenv("LISTEN_PID", pid.empty() ? std::to_string(getpid()).c_str() : pid.c_str(), 1);
}

// Of those that come within half a minute, up to the one that holds the words.
bool is_told(int fd, const std::string& words) {
  std::array<char, 4096> text{};
  for (int i = 0; i < 300; ++i) {
    pollfd polled{fd, POLLIN, 0};
    if (poll(&polled, 1, 100) != 1) continue;
    const ssize_t count = recv(fd, text.data(), text.size(), 0);
    if (count > 0 &&
        std::string(text.data(), static_cast<std::size_t>(count)).find(words) != std::string::npos)
      return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a socket that was passed is served, also who connected before, and stays") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const std::string path = place.directory() + "/passed.sock";
  const int listening = bound(path, SOCK_STREAM);
  REQUIRE(listen(listening, 8) == 0);
  const int early = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_of(path);
  REQUIRE(connect(early, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  const std::string request = "GET /v1/version HTTP/1.1\r\nHost: sbx\r\n\r\n";
  REQUIRE(write(early, request.data(), request.size()) == static_cast<ssize_t>(request.size()));
  Daemon daemon(place, {}, path, {}, [&] { pass(listening, ""); });
  CHECK_FALSE(std::filesystem::exists(place.run_dir() + "/sbxd.sock"));
  CHECK(is_told(early, "200 OK"));
  (void)close(early);
  CHECK(daemon.run({{"shell", "exit 3"}})["exit_code"] == 3);
  CHECK(daemon.stop() == 0);
  CHECK(std::filesystem::exists(path));
  (void)close(listening);
}

TEST_CASE("sockets for another process are not taken, and what is no listening socket is refused") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const std::string path = place.directory() + "/passed.sock";
  const int listening = bound(path, SOCK_STREAM);
  {
    const Daemon daemon(place, {}, "", {}, [&] { pass(listening, "1"); });
    CHECK(std::filesystem::exists(place.run_dir() + "/sbxd.sock"));
  }
  const int datagrams = bound(place.directory() + "/datagrams.sock", SOCK_DGRAM);
  for (const int wrong : {listening, datagrams}) {  // it does not listen yet
    ProgramOptions options;
    options.before_exec = [&] { pass(wrong, ""); };
    const ProgramResult result = run_program({program_directory() + "/sbxd", "--state-dir", place.state_dir(),
                                              "--run-dir", place.run_dir(), "--log", place.log()},
                                             options);
    CHECK(result.exit_status == 1);
    CHECK_MESSAGE(result.err.find("LISTEN_FDS: descriptor 3 is no listening") != std::string::npos,
                  result.err);
  }
  (void)close(datagrams);
  (void)close(listening);
}

TEST_CASE("sbxd tells that it is ready, as long as its API answers that it lives, and that it stops") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const std::string path = place.directory() + "/notify.sock";
  const int notified = bound(path, SOCK_DGRAM);
  Daemon daemon(place, {}, "", {}, [&] { (void)setenv("NOTIFY_SOCKET", path.c_str(), 1); });
  CHECK(is_told(notified, "READY=1"));
  CHECK(is_told(notified, "WATCHDOG=1"));
  // An API that hangs is not alive: nothing comes in more than twice the time between two messages.
  const pid_t api = daemon.processes("sbx-api").at(0);
  REQUIRE(kill(api, SIGSTOP) == 0);
  std::this_thread::sleep_for(std::chrono::seconds(1));
  std::array<char, 4096> text{};
  while (recv(notified, text.data(), text.size(), MSG_DONTWAIT) > 0) {
  }
  std::this_thread::sleep_for(std::chrono::seconds(11));
  CHECK(recv(notified, text.data(), text.size(), MSG_DONTWAIT) < 0);
  REQUIRE(kill(api, SIGCONT) == 0);
  CHECK(is_told(notified, "WATCHDOG=1"));
  CHECK(daemon.stop() == 0);
  CHECK(is_told(notified, "STOPPING=1"));
  (void)close(notified);
}

}  // namespace sbx::test
