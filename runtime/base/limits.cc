#include "base/limits.h"

#include <algorithm>

#include "base/units.h"

namespace sbx {

namespace {

Result<std::uint64_t> parse_unit(LimitUnit unit, std::string_view what, std::string_view text) {
  switch (unit) {
  case LimitUnit::bytes: return parse_bytes(what, text);
  case LimitUnit::milliseconds: return parse_milliseconds(what, text);
  case LimitUnit::milli_cpus: return parse_milli_cpus(what, text);
  case LimitUnit::count: break;
  }
  return parse_count(what, text);
}

}  // namespace

Result<std::uint64_t> parse_limit(const LimitField& field, std::string_view what, std::string_view text) {
  const std::uint64_t value = TRY(parse_unit(field.unit, what, text));
  if (value > field.most) {
    return fail(std::string(what) + ": '" + std::string(text) + "' is too large (at most " +
                format_limit(field, field.most) + ")");
  }
  return value;
}

std::string format_limit(const LimitField& field, std::uint64_t value) {
  switch (field.unit) {
  case LimitUnit::bytes: return format_bytes(value);
  case LimitUnit::milliseconds: return format_milliseconds(value);
  case LimitUnit::milli_cpus: return format_milli_cpus(value);
  case LimitUnit::count: break;
  }
  return std::to_string(value);
}

const LimitField* find_limit(std::string_view key) {
  const auto same = [key](const LimitField& field) {
    return std::ranges::equal(field.key, key,
                              [](char a, char b) { return a == b || (a == '-' && b == '_'); });
  };
  const auto* found = std::ranges::find_if(kLimits, same);
  return found == kLimits.end() ? nullptr : found;
}

}  // namespace sbx
