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

// `value` in quotes, as it was given.
Unexpected too_small(const LimitField& field, std::string_view what, const std::string& value) {
  return fail(std::string(what) + ": " + value + " is too small; give at least " +
              limit_with_unit(field, field.least));
}

Unexpected too_large(const LimitField& field, std::string_view what, const std::string& value) {
  return fail(std::string(what) + ": " + value + " is too large; give at most " +
              limit_with_unit(field, field.most));
}

}  // namespace

Result<std::uint64_t> parse_limit(const LimitField& field, std::string_view what, std::string_view text) {
  Result<std::uint64_t> value = parse_unit(field.unit, what, text);
  const std::string given = "'" + std::string(text) + "'";
  const int error = value ? 0 : value.error().error_number;
  if (error == EDOM || (value && *value < field.least)) return too_small(field, what, given);
  if (error == ERANGE || (value && *value > field.most)) return too_large(field, what, given);
  return value;
}

Result<void> check_limit(const LimitField& field, std::string_view what, std::uint64_t value) {
  if (value < field.least) return too_small(field, what, "'" + limit_with_unit(field, value) + "'");
  if (value > field.most) return too_large(field, what, "'" + limit_with_unit(field, value) + "'");
  return {};
}

std::string limit_with_unit(const LimitField& field, std::uint64_t value) {
  std::string text = format_limit(field, value);
  if (text.find_first_not_of("0123456789.") != std::string::npos) return text;  // "64M"
  std::string_view unit = field.what;
  if (field.unit == LimitUnit::bytes) unit = "bytes";
  if (field.unit == LimitUnit::milli_cpus) unit = "CPUs";
  if (text == "1") unit.remove_suffix(unit == "processes" ? 2 : 1);
  return text + " " + std::string(unit);
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

std::string_view unlimited_word(const LimitField& field) {
  return field.unit == LimitUnit::milli_cpus ? "all" : "none";
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
