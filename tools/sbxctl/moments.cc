#include "moments.h"

#include "base/times.h"
#include "base/units.h"

namespace sbx {

Result<std::uint64_t> parse_span(const std::string& flag, const std::string& text) {
  constexpr std::uint64_t kDayMs = 24ULL * 60 * 60 * 1000;
  constexpr std::uint64_t kMost = 36'600 * kDayMs;
  const bool days = text.ends_with('d');
  const std::uint64_t number =
      TRY(days ? parse_count(flag, text.substr(0, text.size() - 1)) : parse_milliseconds(flag, text));
  if (number > (days ? kMost / kDayMs : kMost))
    return fail(flag + " '" + text + "': more than a hundred years");
  return days ? number * kDayMs : number;
}

Result<std::int64_t> parse_moment(const std::string& flag, const std::string& text) {
  if (const auto moment = parse_rfc3339(text)) return *moment;
  const auto span = parse_span(flag, text);
  if (span) return utc_ms() - static_cast<std::int64_t>(*span);
  return fail(flag + " '" + text +
              "': neither a time (2026-11-24T10:00:00Z) nor how long ago (30m, 24h, 7d)");
}

}  // namespace sbx
