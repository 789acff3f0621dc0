// The socket that clients connect to: RUN/sbxd.sock, of one supervisor at a time.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx {

class Listener {
 public:
  // Mode 0660, of the group `group` (empty, or none of that name: root only). A socket that a dead supervisor
  // left is replaced. Error: another one lives (its lock RUN/sbxd.lock is held).
  static Result<Listener> open(const std::string& run_dir, const std::string& path, const std::string& group);
  // One that was passed to us (passed_sockets.h), whose place is not ours to make or to remove.
  static Result<Listener> adopt(const std::string& run_dir, UniqueFd passed);
  Listener(Listener&&) = default;
  Listener& operator=(Listener&&) = delete;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();

  [[nodiscard]] int fd() const { return socket_.get(); }

 private:
  Listener() = default;
  Result<void> lock(const std::string& run_dir);

  UniqueFd lock_;
  UniqueFd socket_;
  std::string path_;  // ours; empty: it was passed to us
};

}  // namespace sbx
