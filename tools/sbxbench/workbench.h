// The place of one benchmark: a temporary directory with the root that all peers share, their bundles and
// the state of sbx. Removed with its object.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace sbx::bench {

class Workbench {
 public:
  // Below $TMPDIR, else /var/tmp: on a disk as the real state is, since not every kernel can id-map a tmpfs.
  static Result<Workbench> create();

  Workbench(Workbench&& other) noexcept;
  Workbench& operator=(Workbench&&) = delete;
  Workbench(const Workbench&) = delete;
  Workbench& operator=(const Workbench&) = delete;
  ~Workbench();

  [[nodiscard]] const std::string& directory() const { return directory_; }

  // What the image `host` shows, for the others: links such as /bin, an /etc with what programs need to
  // start, and empty directories to mount at; /usr is one of those.
  [[nodiscard]] std::string root() const { return directory_ + "/root"; }

  // The caller's environment, and below it state, run directory and log of sbx here, except those that the
  // caller has set: who wants to measure an installation says so by SBX_STATE_DIR.
  [[nodiscard]] std::vector<std::string> environment() const;

 private:
  explicit Workbench(std::string directory) : directory_(std::move(directory)) {}
  [[nodiscard]] Result<void> make_root() const;

  std::string directory_;  // empty: moved from
};

}  // namespace sbx::bench
