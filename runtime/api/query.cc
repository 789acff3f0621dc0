#include "api/query.h"

#include <algorithm>
#include <charconv>

#include "base/printable.h"
#include "base/suggest.h"

namespace sbx::api {
namespace {

constexpr std::size_t kMostLabels = 8;

}  // namespace

Result<void> check_query(const http::Request& request, std::span<const std::string_view> known) {
  for (const auto& [name, value] : request.query) {
    if (std::ranges::find(known, name) == known.end())
      return fail("'" + printable(name.substr(0, 64)) + "' is not known: " + suggest(name, known));
    const auto same = [&, &name = name](const auto& other) { return other.first == name; };
    if (name != "label" && std::ranges::count_if(request.query, same) > 1)
      return fail(name + ": is given twice");
  }
  return {};
}

Result<void> add_wanted_label(const std::string& value, WantedLabels& labels) {
  const std::size_t equals = value.find('=');
  auto& label = labels.emplace_back(value.substr(0, equals), std::nullopt);
  if (equals != std::string::npos) label.second = value.substr(equals + 1);
  if (labels.size() > kMostLabels) return fail("label: at most " + std::to_string(kMostLabels));
  return {};
}

Result<std::size_t> parse_limit(std::string_view value, std::size_t most) {
  std::size_t limit = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), limit);
  if (error != std::errc{} || end != value.data() + value.size() || limit == 0 || limit > most)
    return fail("limit: give 1 to " + std::to_string(most));
  return limit;
}

}  // namespace sbx::api
