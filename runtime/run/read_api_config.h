// The parts of the configuration that say who may come to sbxd, and how many. An error has file, line and
// column.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/yaml_reader.h"
#include "run/settings.h"

namespace sbx {

Result<void> read_listeners(std::string_view path, const yaml::Node& node,
                            std::vector<TcpListener>& listeners);
Result<void> read_origins(std::string_view path, const yaml::Node& node, std::vector<std::string>& origins);
Result<void> read_admission(std::string_view path, const yaml::Node& node, AdmissionSettings& admission);
Result<void> read_warm_pool(std::string_view path, const yaml::Node& node, PoolConfig& pool);

std::uint64_t memory_of_host();
// `pool.memory` where the configuration does not say it.
std::uint64_t default_pool_memory();

}  // namespace sbx
