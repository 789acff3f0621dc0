#include "streams.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "os/file.h"
#include "wire/passable.h"

namespace sbx::sbxrun {
namespace {

constexpr std::array<const char*, 3> kNames{"standard input", "standard output", "standard error"};

Result<void> refuse_dead_ends(int index) {
  const std::string name = kNames[static_cast<std::size_t>(index)];
  const struct stat status = TRY(os::stat_fd(index, name));
  if (S_ISDIR(status.st_mode)) return fail(name + " is a directory; it cannot be given to a sandbox");
  if ((fcntl(index, F_GETFL) & O_PATH) != 0)
    return fail(name + " is an O_PATH descriptor; it cannot be read or written");
  return {};
}

Result<void> relay(int index, ClientStreams& streams) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return fail(system_error("pipe2", "", errno));
  UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  UniqueFd& ours = index == 0 ? writing : reading;
  UniqueFd& theirs = index == 0 ? reading : writing;
  const int our_number = ours.get();
  if (index == 0) {
    // The sandbox owns the pipe and can make it smaller just when we write.
    (void)fcntl(our_number, F_SETFL, O_WRONLY | O_NONBLOCK);
    streams.inputs.emplace_back(0, our_number, std::move(ours));
  } else {
    streams.outputs.emplace_back(our_number, streams.output_number(index), std::move(ours));
  }
  streams.sent.push_back(theirs.get());
  streams.to_close.push_back(std::move(theirs));
  return {};
}

}  // namespace

int ClientStreams::output_number(int stream) {
  if (isatty(stream) == 0) return stream;
  const std::string path = "/proc/self/fd/" + std::to_string(stream);
  UniqueFd own(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!own.valid()) return stream;
  terminals.push_back(std::move(own));
  return terminals.back().get();
}

void hold_standard_streams() {
  for (int fd = 0; fd < 3; ++fd) {
    // open(2) gives the lowest free number, which is this one.
    if (fcntl(fd, F_GETFD) < 0) (void)open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY);
  }
}

Result<ClientStreams> plan_streams(Options& options) {
  ClientStreams streams;
  RunRequest& request = options.request;
  for (int index = 0; index < 3; ++index) {
    StreamMode& mode = request.streams[static_cast<std::size_t>(index)];
    TRY(refuse_dead_ends(index));
    // Also where nothing is run: a plan tells of the limit of captured output.
    if (index > 0 && options.json) {
      mode = StreamMode::capture;
      continue;
    }
    const bool taken = index == 0 && options.stdin_is_code;
    if (request.tty || taken || request.action != RequestAction::run) {
      mode = StreamMode::null;
      continue;
    }
    // A limit that was asked for is counted by us: nobody else sees the bytes of a stream that is passed.
    const bool counted = index > 0 && request.limits.output_bytes.has_value();
    if (!counted && check_passable(index, index)) {
      mode = StreamMode::pass;
      streams.sent.push_back(index);
    } else {
      mode = StreamMode::relay;
      TRY(relay(index, streams));
    }
  }
  return streams;
}

}  // namespace sbx::sbxrun
