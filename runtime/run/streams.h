// The three standard streams of an exec, ready to be handed to the sandbox.
#pragma once

#include <array>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "request/run_request.h"
#include "supervise/supervise.h"

namespace sbx {

struct ExecStreams {
  std::array<UniqueFd, 3> inside;       // what the sandbox gets
  std::array<CapturePipe, 2> captures;  // our ends of captured output
};

// `passed` are the descriptors that came with the request, in order of the streams that are passed or
// relayed. A descriptor that could be a way out (a directory, a device, a socket, a terminal, a file open in
// both directions, a memfd) is refused. Pipes of ours belong to `owner`, an outside uid, so that the program
// can reopen them through /dev/stdout.
Result<ExecStreams> make_streams(const RunRequest& request, std::vector<UniqueFd> passed,
                                 std::uint32_t owner);

// Of a request with streams that are spilled: makes the spill and tells the client, and of a sandbox that is
// a run's own its limit of memory. Of another one: null.
Result<std::unique_ptr<Spill>> open_spill(const RunRequest& request, const std::string& state_dir,
                                          const std::string& run_id, int client,
                                          std::uint64_t memory_bytes = 0);

}  // namespace sbx
