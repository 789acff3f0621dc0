// The sandbox configurations that projects have stored under names: rows beside the history.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "os/database.h"

namespace sbx::api {

struct Configuration {
  std::string project;
  std::string name;
  std::string owner;  // who stored it first
  std::string json;   // as it was given
  std::int64_t created_ms = 0;
  std::int64_t updated_ms = 0;
};

inline constexpr std::size_t kMostConfigurationBytes = 64U << 10U;
inline constexpr std::int64_t kMostOfProject = 100;
inline constexpr std::int64_t kMostOfOwner = 1000;

Result<std::optional<Configuration>> find_configuration(const Database& database, const std::string& project,
                                                        const std::string& name);
// By name; the JSON stays where it is.
Result<std::vector<Configuration>> list_configurations(const Database& database, const std::string& project);
// In the place of the one with its name, whose owner and creation stay. EDQUOT: its project or its owner has
// too many.
Result<void> put_configuration(const Database& database, const Configuration& configuration);
Result<void> remove_configuration(const Database& database, const std::string& project,
                                  const std::string& name);
// All of a project. What was stored for one of the new name before it was there goes.
Result<void> move_configurations(const Database& database, const std::string& project,
                                 const std::string& new_project);
Result<void> remove_configurations(const Database& database, const std::string& project);

}  // namespace sbx::api
