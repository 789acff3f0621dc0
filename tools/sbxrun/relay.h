// Copies bytes between the caller's descriptors and pipes (or a pty) of ours, for streams that must not be
// handed to a sandbox: terminals, sockets, devices, files open in both directions.
#pragma once

#include <poll.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace sbx::sbxrun {

// One direction of one stream. Never blocks in a write for longer than a pipe buffer takes: it writes only
// after poll(2) said so, at most PIPE_BUF bytes at a time.
class Relay {
 public:
  // Ours (owned) is closed when the other side ends; theirs is the caller's and stays open.
  // `ends_with` is sent to ours when theirs ends, before it is closed (a pty's end-of-file character).
  Relay(int from, int to, UniqueFd owned, std::string ends_with = {})
      : from_(from), to_(to), owned_(std::move(owned)), ends_with_(std::move(ends_with)) {}

  [[nodiscard]] bool done() const { return done_; }
  // Bytes are waiting for the other side to take them.
  [[nodiscard]] bool has_pending() const { return !pending_.empty(); }
  // The errno of a write that failed; 0 also for EPIPE, which is the reader's wish.
  [[nodiscard]] int write_error() const { return write_error_; }
  // Bytes read so far.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  // What to wait for; empty when done.
  [[nodiscard]] std::optional<pollfd> wanted() const;
  // Call with the events that poll(2) gave.
  void handle(short events);

 private:
  void finish();

  int from_;
  int to_;
  UniqueFd owned_;
  std::string ends_with_;
  std::string pending_;
  std::uint64_t bytes_ = 0;
  int write_error_ = 0;
  bool ended_ = false;
  bool done_ = false;
};

}  // namespace sbx::sbxrun
