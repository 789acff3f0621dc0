// A bundle for crun and runc: the same root, mounts and rights that the other peers get.
// Source: Open Container Initiative, runtime specification, config.md and config-linux.md.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace sbx::bench {

struct Bundle {
  std::string root;                  // its directories are there, /usr is empty and gets the host's
  std::vector<std::string> program;  // what runs, as inside uid 1000 without capabilities
  bool limits = true;                // memory, pids and cpu as in the policy `default` of sbx
};

// Writes DIRECTORY/config.json; the directory is made when it is missing.
Result<void> write_bundle(const std::string& directory, const Bundle& bundle);

}  // namespace sbx::bench
