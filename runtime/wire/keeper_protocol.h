// What a supervisor's API and its keepers say to each other, over SOCK_SEQPACKET socket pairs. A keeper is
// the process that keeps one sandbox, forked for it by one that waits (a nursery) and has all that is the
// same for each.
//
//   API                                               nursery
//       │  Run + client, peer                              │
//       ├────────────────────────────────────────────────▶│  forks a keeper, which serves this one client as
//       │                                                  │  wire/client_protocol.h says, and ends
//       │  Create + control, payload, peer                 │
//       ├────────────────────────────────────────────────▶│  forks a keeper of a sandbox of many commands
//       │  Warm + control, payload                         │
//       ├────────────────────────────────────────────────▶│  the same, for nobody yet
//       │  Project + client, peer                          │
//       ├────────────────────────────────────────────────▶│  starts sbx-projects, which answers one question
//       │  (without peer: the API's own; with two pipes    │  there (wire/project_protocol.h), and ends
//       │  where content of files comes or goes)           │
//       │  Query{what} + client                            │
//       ├────────────────────────────────────────────────▶│  forks a process that answers the request there
//       with │                                                  │  a text, JSON, and ends
//
//   API                                               keeper of many commands, on `control`
//       │                          Ready + JSON            │
//       │◀────────────────────────────────────────────────┤  or Failed + text, and its end
//       │  Adopt + payload, peer                           │  a warm one becomes that peer's: Ready again;
//       │                                                  │  or Failed, and its end, if it is not as asked
//       │  Command + client, peer                          │  serves a client, whose command runs there
//       │  Files + client, two pipes, payload, peer        │  runs sbx-files there (wire/files_protocol.h)
//       │  (payload: what it is asked for, for the log)    │  until `client`, who is told its end, is closed
//       │  Pause, Resume, Reset, Stop{grace ms},           │
//       │  Destroy{why}, each + peer, if somebody asked    │
//       │  Stats                                           │
//       ├────────────────────────────────────────────────▶│
//       │          Commands{how many}, Stats + JSON, Done  │
//       │◀────────────────────────────────────────────────┤
//       │                          Ended + JSON            │
//       │◀────────────────────────────────────────────────┤  and its end
//
// At end-of-file of `control` a keeper destroys its sandbox. `peer` says who asked the API, which can say
// nothing itself: it is that one's own connection, of which the kernel tells who that is (SO_PEERCRED), or
// for who came over TCP the list of tokens that root made (wire/tokens.h), and the number of one.
//
// A client that is no program of HTTP (sbxrun) speaks to the keeper itself: then `client` is missing, and the
// keeper sends its end of a new pair over `peer`. So what such a one asks for was never in the API's hands.
// A run of such a one comes with a socket besides, which tells the API that it is there, and its limit of
// memory.
#pragma once

#include <cstdint>

namespace sbx {

inline constexpr std::uint32_t kKeeperProtocolVersion = 4;
// In a nursery; kInitProgramFd is init's program, as in a spawner.
inline constexpr int kNurserySocketFd = 3;
inline constexpr int kFilesProgramFd = 5;  // that of sbx-files

enum class KeeperMessageType : std::uint32_t {
  // to a nursery
  run = 1,  // value: 1: the request is the API's; 0: a client's own, who chooses no run id
  create = 2,
  query = 12,  // value: HostQuery; only the API can ask
  warm = 13,
  project = 14,
  // to a keeper
  command = 3,  // value: as of run
  pause = 4,
  resume = 5,
  stop = 6,     // value: how long processes have after SIGTERM, in ms
  destroy = 7,  // value: WhyDestroyed
  stats = 8,
  reset = 9,
  files = 10,
  adopt = 11,
  // from a keeper
  ready = 20,
  failed = 21,    // value: ESTALE: what a warm one was made of has changed
  commands = 22,  // value: how many run now
  stats_are = 23,
  done = 24,  // of pause, resume and reset; value: 0, else a text says why not
  ended = 25,
  memory = 26,  // value: bytes
};

// What the API cannot see for itself. Nothing of it is a secret, and a sweep removes only what has no owner.
enum class HostQuery : std::int64_t {
  images = 1,
  languages = 2,
  capabilities = 3,  // under the request's policy
  sweep = 4,
};

enum class WhyDestroyed : std::int64_t {
  asked = 0,
  idle = 1,     // as long as it may be
  too_old = 2,  // its total time is over
  command = 3,  // one that was to end it did not end well
  project = 4,  // that is renamed, limited or deleted
  shutdown = 5,
};

struct KeeperMessage {
  std::uint32_t version = kKeeperProtocolVersion;
  KeeperMessageType type{};
  std::int64_t value = 0;
  std::int64_t token = -1;  // `peer` is the list of tokens, and it is this one
};

}  // namespace sbx
