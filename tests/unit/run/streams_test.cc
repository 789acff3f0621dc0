// The supervisor trusts no client: it looks at each stream that came with a request itself.
#include "run/streams.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

namespace sbx {
namespace {

// How make_streams refuses `fd` as standard input in this mode; empty: it does not.
std::string refusal(StreamMode mode, int fd) {
  RunRequest request;
  request.streams = {mode, StreamMode::null, StreamMode::null};
  std::vector<UniqueFd> passed;
  passed.emplace_back(fd);
  const Result<ExecStreams> made = make_streams(request, std::move(passed), getuid());
  return made ? "" : made.error().text;
}

int pipe_end() {
  int ends[2] = {-1, -1};
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  (void)close(ends[1]);
  return ends[0];
}

}  // namespace

TEST_CASE("a pipe is taken as a stream, passed or relayed") {
  CHECK(refusal(StreamMode::pass, pipe_end()) == "");
  CHECK(refusal(StreamMode::relay, pipe_end()) == "");
}

TEST_CASE("a descriptor that could be a way out is refused, whatever the client says of it") {
  for (const StreamMode mode : {StreamMode::pass, StreamMode::relay}) {
    CHECK(refusal(mode, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) != "");
    CHECK(refusal(mode, open("/", O_PATH | O_CLOEXEC)) != "");
    CHECK(refusal(mode, open("/dev/zero", O_RDONLY | O_CLOEXEC)) != "");
    CHECK(refusal(mode, memfd_create("test", MFD_CLOEXEC)) != "");
  }
}

TEST_CASE("as many descriptors as streams that need one are taken") {
  RunRequest request;
  request.streams = {StreamMode::pass, StreamMode::null, StreamMode::null};
  CHECK(!make_streams(request, {}, getuid()));
  std::vector<UniqueFd> two;
  two.emplace_back(pipe_end());
  two.emplace_back(pipe_end());
  CHECK(!make_streams(request, std::move(two), getuid()));
}

}  // namespace sbx
