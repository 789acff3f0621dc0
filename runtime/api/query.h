// What the queries of lists have in common.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "http/message.h"

namespace sbx::api {

// Without a value: any.
using WantedLabels = std::vector<std::pair<std::string, std::optional<std::string>>>;

inline constexpr std::string_view kNoCursor = "cursor: give the 'next_cursor' of the page before";

// Every name is one of `known`, and but for `label` it is there once.
Result<void> check_query(const http::Request& request, std::span<const std::string_view> known);

// "NAME" or "NAME=VALUE".
Result<void> add_wanted_label(const std::string& value, WantedLabels& labels);

// 1 to `most`.
Result<std::size_t> parse_limit(std::string_view value, std::size_t most);

}  // namespace sbx::api
