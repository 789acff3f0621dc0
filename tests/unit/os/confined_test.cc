#include "os/confined.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <vector>

namespace sbx::os {
namespace {

std::string refusal(const std::function<std::string()>& reader) {
  const Result<std::string> answer = call_confined(reader);
  return answer ? std::string() : answer.error().text;
}

TEST_CASE("a confined reader answers from this process's memory") {
  const std::string here = "text";
  CHECK(call_confined([&] { return here + "!"; }) == "text!");
  CHECK(call_confined([] { return std::string(); }) == "");
  CHECK(call_confined([] { return std::string(10'000, 'x'); })->size() == kMostAnswer);
  CHECK(call_confined([] { return std::to_string(std::vector<char>(100U << 20U, 'x').size()); }) ==
        "104857600");
}

TEST_CASE("a confined reader can do nothing but read") {
  const pid_t self = getpid();
  const auto number_of = [](auto attempt) {
    return call_confined([=] { return std::to_string(attempt() < 0 ? errno : 0); });
  };
  const std::string refused = std::to_string(EPERM);
  CHECK(number_of([] { return open("/etc/passwd", O_RDONLY); }) == refused);
  CHECK(number_of([] { return socket(AF_INET, SOCK_STREAM, 0); }) == refused);
  CHECK(number_of([] { return fork(); }) == refused);
  CHECK(number_of([self] { return kill(self, 0); }) == refused);
  CHECK(number_of([] { return static_cast<int>(read(0, nullptr, 0)); }) == refused);
  CHECK(number_of([] { return static_cast<int>(write(2, "", 0)); }) == std::to_string(EBADF));
}

TEST_CASE("a reader that does not come to its end is told, and how") {
  CHECK(refusal([]() -> std::string { _exit(3); }) == "its reader exited with status 3");
  // A sanitizer exits for it.
  const std::string trapped = refusal([]() -> std::string { __builtin_trap(); });
  CHECK_MESSAGE(
      (trapped.starts_with("its reader was killed by SIG") || trapped == "its reader exited with status 1"),
      trapped);
  CHECK(call_confined([] { return std::string("still here"); }) == "still here");
}

TEST_CASE("a reader has 2 s of CPU time") {
  const auto seconds = [] {
    rusage usage{};
    return getrusage(RUSAGE_CHILDREN, &usage) == 0 ? usage.ru_utime.tv_sec + usage.ru_stime.tv_sec : -1;
  };
  const auto before = seconds();
  const std::string ended = refusal([]() -> std::string {
    for (volatile bool on = true; on;) {
    }
    return "";
  });
  CHECK_MESSAGE(ended.starts_with("its reader was killed by SIG"), ended);
  CHECK(seconds() - before < 5);
}

}  // namespace
}  // namespace sbx::os
