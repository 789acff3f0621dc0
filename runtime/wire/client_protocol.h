// What sbxrun and a supervisor say to each other, over a SOCK_SEQPACKET socket: the socket pair of a direct
// supervisor, or later sbxd's socket.
//
//   sbxrun                                        supervisor
//       │  Request + payload memfd + streams           │
//       ├────────────────────────────────────────────▶│
//       │                        Terminal + pty master │   with -t only
//       │◀────────────────────────────────────────────┤
//       │               CompilerOutput + memfd         │   of a compile step that was not captured
//       │               Output + file, eventfd         │   with streams that are spilled
//       │◀────────────────────────────────────────────┤
//       │  Signal{number}, OutputExceeded{},           │
//       │  PassSignal{number}                          │
//       ├────────────────────────────────────────────▶│
//       │        Text{exit status} + memfd             │   a plan, --explain
//       │        Finished{exit status} + memfd         │
//       │◀────────────────────────────────────────────┤
//
// Output never passes through the supervisor unless it captures it: what cannot be handed to the sandbox is
// relayed by sbxrun itself, with its own rights. When sbxrun's end closes, the run is cancelled and recorded
// so.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sbx {

inline constexpr std::uint32_t kClientProtocolVersion = 6;
inline constexpr std::size_t kMaxRequestBytes = 8U << 20U;
inline constexpr int kClientSocketFd = 3;  // in a direct supervisor

enum class ClientMessageType : std::uint32_t {
  request = 1,  // payload memfd (RunRequest), then one descriptor per stream that is passed or relayed
  signal = 2,   // value: number; it ends the run
  output_exceeded = 3,  // sbxrun counted more output than was asked for on streams that it relays
  terminal = 4,         // the master of the sandbox's pty
  text = 5,             // the answer to a request that runs nothing: memfd; value: exit status
  finished = 6,         // value: exit status of sbxrun; memfd: FinishedRun
  compiler_output = 7,  // for the caller's standard error: memfd
  output = 8,           // of streams that are spilled: the file, and an eventfd that counts (wire/spill.h)
  pass_signal = 9,      // value: number; for the program alone: it is no cancellation
};

struct ClientHeader {
  std::uint32_t version = kClientProtocolVersion;
  ClientMessageType type{};
  std::int32_t value = 0;
  std::uint32_t reserved = 0;
  std::uint64_t bytes =
      0;  // output_exceeded; of output the limit of memory, where the sandbox is the run's own
};

// The memfd of Finished, encoded with wire/wire.h: the sentence for a person (empty when the program ended by
// itself), what can be done about it (empty: nothing to say), what could not be done for the record (empty:
// nothing), what was removed that killed runs had left (empty: nothing), the result as JSON, and lines about
// what it changed in its project where that was not kept (empty: nothing to tell).
struct FinishedRun {
  std::string message;
  std::string hint;
  std::string notice;
  std::string sweep;
  std::string json;
  std::string changes;
};

std::string encode_finished_run(const FinishedRun& finished);
Result<FinishedRun> decode_finished_run(std::string_view bytes);

}  // namespace sbx
