#include "run/streams.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "os/file.h"
#include "os/socket.h"
#include "wire/client_protocol.h"
#include "wire/passable.h"

namespace sbx {
namespace {

constexpr long kPipeFs = 0x50495045;  // PIPEFS_MAGIC
constexpr std::array<const char*, 3> kNames{"standard input", "standard output", "standard error"};

// A pipe of sbxrun's becomes the sandbox's. Only an anonymous pipe: a named one is somebody's file.
Result<void> give_pipe(int fd, std::uint32_t owner, const char* name) {
  struct statfs status {};
  if (fstatfs(fd, &status) != 0) return fail(system_error("fstatfs", name, errno));
  if (status.f_type != kPipeFs) return fail(std::string(name) + ": a relayed stream must be a pipe");
  if (fchown(fd, owner, owner) != 0) return fail(system_error("fchown", name, errno));
  return {};
}

Result<std::array<UniqueFd, 2>> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return fail(system_error("pipe2", "", errno));
  return std::array<UniqueFd, 2>{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

}  // namespace

Result<ExecStreams> make_streams(const RunRequest& request, std::vector<UniqueFd> passed,
                                 std::uint32_t owner) {
  ExecStreams streams;
  std::size_t next = 0;
  for (int index = 0; index < 3; ++index) {
    const auto place = static_cast<std::size_t>(index);
    const StreamMode mode = request.streams[place];
    if (mode == StreamMode::pass || mode == StreamMode::relay) {
      if (next >= passed.size()) return fail("request: a stream descriptor is missing");
      UniqueFd fd = std::move(passed[next++]);
      if (mode == StreamMode::pass) {
        TRY(check_passable(fd.get(), index));
      } else {
        TRY(give_pipe(fd.get(), owner, kNames[place]));
      }
      streams.inside[place] = std::move(fd);
    } else if ((mode == StreamMode::capture || mode == StreamMode::spill) && index > 0) {
      auto ends = TRY(make_pipe());
      TRY(give_pipe(ends[1].get(), owner, kNames[place]));
      streams.captures[place - 1].fd = std::move(ends[0]);
      streams.inside[place] = std::move(ends[1]);
    } else {
      streams.inside[place] = TRY(os::open_at(AT_FDCWD, "/dev/null", index == 0 ? O_RDONLY : O_WRONLY));
    }
  }
  if (next != passed.size()) return fail("request: more stream descriptors than streams");
  return streams;
}

Result<std::unique_ptr<Spill>> open_spill(const RunRequest& request, const std::string& state_dir,
                                          const std::string& run_id, int client, std::uint64_t memory_bytes) {
  if (!spills_output(request)) return std::unique_ptr<Spill>();
  auto spill = TRY(Spill::create(state_dir, run_id));
  ClientHeader header;
  header.type = ClientMessageType::output;
  header.bytes = memory_bytes;
  const std::array<int, 2> descriptors{spill->reader(), spill->event()};
  TRY(os::send_struct(client, header, descriptors));
  return spill;
}

}  // namespace sbx
