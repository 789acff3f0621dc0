// What the API is to know of who may come and how many: read from files as root, and given as memory files.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "run/check_settings.h"
#include "run/settings.h"

namespace sbx {

struct Access {
  struct Certificate {
    std::size_t listener = 0;  // in Settings::listeners
    UniqueFd chain;
    UniqueFd key;
  };
  std::vector<Certificate> certificates;
  UniqueFd tokens;    // wire/tokens.h
  UniqueFd settings;  // JSON
};

struct AccessReading {
  std::optional<Access> access;  // missing: there is an error among the findings
  std::vector<Finding> findings;
};

// Everything is looked at before it is given: tokens, certificates and keys that cannot be used are errors
// that name their key and the file, and all of them are told. A policy that cannot be read is a warning.
AccessReading read_access(const Settings& settings);

// The keys whose values differ and cannot change while sbxd runs.
std::vector<std::string> fixed_keys_that_differ(const Settings& running, const Settings& fresh);

}  // namespace sbx
