// Settings that can be read and do not do what their writer thinks: what they name is not there, or one of
// them leaves no room for another.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "run/settings.h"

namespace sbx {

struct Finding {
  // An error is what this host never does as long as the configuration is as it is; a warning is what may
  // come yet: an image, a token, a group.
  enum class Kind : std::uint8_t { error, warning };
  Kind kind = Kind::error;
  std::string key;   // with its place: "pool.sandboxes[0].policy"; empty: none of the configuration
  std::string text;  // what is wrong, and what to do

  // "/etc/sbx/config.yaml: tokens: there is no file …". `file`: of the configuration; empty: there is none.
  [[nodiscard]] std::string told(const std::string& file) const;
};

bool has_error(const std::vector<Finding>& findings);

// All of them. It looks at the host (groups, cgroups, policies, images, tokens) and changes nothing. `built`:
// the directory of images that were built (built_images). A file that is none of tokens is not told here: who
// reads it does (sbxd/access.h).
std::vector<Finding> check_settings(const Settings& settings, const std::string& built);

}  // namespace sbx
