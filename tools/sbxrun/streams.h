// What becomes of sbxrun's own standard streams: handed to the sandbox, relayed, or left out.
#pragma once

#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "options.h"
#include "relay.h"

namespace sbx::sbxrun {

struct ClientStreams {
  std::vector<int> sent;           // descriptors for the request, in order of the streams
  std::vector<UniqueFd> to_close;  // those of them that are ours: closed once sent
  std::vector<Relay> inputs;
  std::vector<Relay> outputs;
  std::vector<UniqueFd> terminals;

  // Where relayed output for our descriptor `stream` is written: a terminal by a description of our own that
  // does not block, since poll(2) says of a terminal only that it takes one byte. The caller's stays as it
  // is.
  int output_number(int stream);
};

// Opens /dev/null where one of 0 to 2 is closed, so that no descriptor of ours lands there.
void hold_standard_streams();

// Sets request.streams. The error names the stream that cannot be used: a directory, an O_PATH descriptor.
Result<ClientStreams> plan_streams(Options& options);

}  // namespace sbx::sbxrun
