// What sbxd and its API process say to each other, over a SOCK_SEQPACKET socket pair.
//
//   sbxd (root)                                  sbx-api (nobody's user, own root)
//       │  Listener + socket, Nursery + socket      │
//       │  Go + what it is to know (JSON)           │
//       ├──────────────────────────────────────────▶│  opens its files, gives up its rights, serves
//       │                            Ready, Alive…, KeeperLost  │
//       │◀──────────────────────────────────────────┤
//       │  Nursery + socket (one died), Stop        │
//       ├──────────────────────────────────────────▶│  ends its sandboxes, then itself
//
// At end-of-file either ends.
#pragma once

#include <cstdint>

namespace sbx {

inline constexpr std::uint32_t kDaemonProtocolVersion = 1;
inline constexpr int kDaemonSocketFd = 3;  // in the API

enum class DaemonMessageType : std::uint32_t {
  listener = 1,  // a listening Unix socket
  nursery = 2,   // value: which; one that died is replaced
  go = 3,        // memfd
  stop = 4,
  ready = 10,
  alive = 11,
  keeper_lost = 12,  // one ended without a word: what it left is to be swept
};

struct DaemonMessage {
  std::uint32_t version = kDaemonProtocolVersion;
  DaemonMessageType type{};
  std::int64_t value = 0;
};

}  // namespace sbx
