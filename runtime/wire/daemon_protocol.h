// What sbxd and its API process say to each other, over a SOCK_SEQPACKET socket pair.
//
//   sbxd (root)                                  sbx-api (nobody's user, own root)
//       │  Listener + socket, Nursery + socket      │
//       │  Images + pipe, Past + JSON                │
//       │  Certificate + chain, key; Tokens + list  │
//       │  Go + what it is to know (JSON)           │
//       ├──────────────────────────────────────────▶│  opens its files, gives up its rights, serves
//       │                            Ready, Alive…, KeeperLost  │
//       │◀──────────────────────────────────────────┤
//       │  Nursery + socket (one died)              │
//       │  Certificate…, Tokens, Settings + JSON    │  from then on all of these are in force
//       │  MemoryShort…, Stop                       │
//       ├──────────────────────────────────────────▶│  ends its sandboxes, then itself
//
// At end-of-file either ends.
#pragma once

#include <cstdint>

namespace sbx {

inline constexpr std::uint32_t kDaemonProtocolVersion = 2;
inline constexpr int kDaemonSocketFd = 3;  // in the API

enum class DaemonMessageType : std::uint32_t {
  listener = 1,  // a listening socket, Unix or TCP
  nursery = 2,   // value: which; one that died is replaced
  go = 3,        // memfd
  stop = 4,
  certificate = 5,  // value: of which listener, as they came; two memfds: the chain and the key, in PEM
  tokens = 6,       // memfd: wire/tokens.h
  settings = 7,     // memfd, as of go
  images = 8,       // the reading end of a pipe on which `sbxctl images warm --lines` tells
  past = 9,         // memfd: what is to be counted on, as JSON
  ready = 10,
  alive = 11,
  keeper_lost = 12,   // one ended without a word: what it left is to be swept
  memory_short = 13,  // the host is; once in two seconds at most
};

struct DaemonMessage {
  std::uint32_t version = kDaemonProtocolVersion;
  DaemonMessageType type{};
  std::int64_t value = 0;
};

}  // namespace sbx
