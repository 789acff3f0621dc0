#include "api/run_filter.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "api/query.h"
#include "base/printable.h"
#include "base/suggest.h"
#include "base/times.h"
#include "outcome/run_result.h"

namespace sbx::api {
namespace {

constexpr std::size_t kMostRuns = 500;
constexpr std::array<std::string_view, 10> kKnown{"limit",   "cursor", "project_id", "task_id", "sandbox_id",
                                                  "outcome", "status", "label",      "since",   "until"};
constexpr std::array<std::string_view, 5> kStatuses{"queued", "running", "completed", "timeout", "error"};

std::optional<std::int64_t> read_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

// A '+' in a query is a space; as an offset it is meant.
Result<std::int64_t> parse_time(const std::string& name, std::string text) {
  if (const auto ms = read_number(text)) return *ms;
  if (text.size() > 6 && text[text.size() - 6] == ' ') text[text.size() - 6] = '+';
  const auto time = parse_rfc3339(text);
  if (!time)
    return fail(name + ": '" + printable(text.substr(0, 64)) +
                "' is no time: give milliseconds since 1970, or as in '2026-11-21T10:00:00Z'");
  return *time;
}

Result<void> check_word(const std::string& name, const std::string& value,
                        std::span<const std::string_view> words) {
  if (std::ranges::find(words, value) != words.end()) return {};
  return fail(name + ": " + suggest(value, words));
}

Result<void> read_one(const std::string& name, const std::string& value, RunFilter& filter) {
  if (name == "project_id") filter.project = value;
  if (name == "task_id") filter.task = value;
  if (name == "sandbox_id") filter.sandbox = value;
  if (name == "limit") filter.limit = TRY(parse_limit(value, kMostRuns));
  if (name == "cursor") filter.behind = TRY(parse_cursor(value));
  if (name == "since") filter.since_ms = TRY(parse_time(name, value));
  if (name == "until") filter.until_ms = TRY(parse_time(name, value));
  if (name == "outcome") {
    TRY(check_word(name, value, kOutcomeNames));
    filter.outcome = value;
  }
  if (name == "status") {
    TRY(check_word(name, value, kStatuses));
    filter.status = value;
  }
  if (name == "label") TRY(add_wanted_label(value, filter.labels));
  return {};
}

}  // namespace

Result<RunFilter> parse_run_filter(const http::Request& request) {
  RunFilter filter;
  TRY(check_query(request, kKnown));
  for (const auto& [name, value] : request.query) TRY(read_one(name, value, filter));
  return filter;
}

}  // namespace sbx::api
