#include "base/units.h"

#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <span>

namespace sbx {
namespace {

struct Unit {
  std::string_view suffix;
  std::uint64_t factor;
};

constexpr std::array<Unit, 4> kSizes{{{"", 1}, {"K", 1ULL << 10}, {"M", 1ULL << 20}, {"G", 1ULL << 30}}};
constexpr std::array<Unit, 5> kDurations{
    {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}}};

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return result;
}

Unexpected bad(std::string_view what, std::string_view text, std::string_view why, int error_number = 0) {
  return fail(Error{std::string(what) + ": '" + std::string(text) + "' " + std::string(why), error_number});
}

Unexpected too_large(std::string_view what, std::string_view text) {
  return bad(what, text, "is too large", ERANGE);
}

// Digits, an optional fraction of at most nine digits, and a unit: value × factor as an integer.
Result<std::uint64_t> parse_scaled(std::string_view what, std::string_view text, std::span<const Unit> units,
                                   std::string_view form) {
  std::uint64_t whole = 0;
  const auto [after, error] = std::from_chars(text.data(), text.data() + text.size(), whole);
  if (error == std::errc::result_out_of_range) return too_large(what, text);
  if (error != std::errc{}) return bad(what, text, form);
  std::string_view rest(after, static_cast<std::size_t>(text.data() + text.size() - after));

  std::uint64_t fraction = 0;
  std::uint64_t fraction_scale = 1;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    std::size_t digits = 0;
    while (digits < rest.size() && rest[digits] >= '0' && rest[digits] <= '9') {
      if (digits == 9) return bad(what, text, "has more than nine decimals");
      fraction = fraction * 10 + static_cast<std::uint64_t>(rest[digits] - '0');
      fraction_scale *= 10;
      ++digits;
    }
    if (digits == 0) return bad(what, text, form);
    rest.remove_prefix(digits);
  }

  for (const Unit& unit : units) {
    if (upper(rest) != upper(unit.suffix)) continue;
    std::uint64_t value = 0;
    if (__builtin_mul_overflow(whole, unit.factor, &value)) return too_large(what, text);
    // Both factors are below 2^30 or so: the product fits.
    if (__builtin_add_overflow(value, fraction * unit.factor / fraction_scale, &value))
      return too_large(what, text);
    if (value == 0) return bad(what, text, "must be more than 0", EDOM);
    // Kernel interfaces take signed 64-bit values.
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return too_large(what, text);
    }
    return value;
  }
  return bad(what, text, form);
}

std::string with_largest_unit(std::uint64_t value, std::span<const Unit> units) {
  const Unit* best = nullptr;
  for (const Unit& unit : units) {
    if (unit.suffix.empty() && unit.factor != 1) continue;  // bare seconds: written as "s"
    if (value % unit.factor != 0) continue;
    // Nothing at all is "0ms", not "0h".
    if (best == nullptr || (value == 0 ? unit.factor < best->factor : unit.factor > best->factor))
      best = &unit;
  }
  if (best == nullptr) return std::to_string(value);  // never: every list has a unit of one
  return std::to_string(value / best->factor) + std::string(best->suffix);
}

}  // namespace

Result<std::uint64_t> parse_bytes(std::string_view what, std::string_view text) {
  return parse_scaled(what, text, kSizes, "is not a size (a number with K, M or G, such as 512M)");
}

Result<std::uint64_t> parse_milliseconds(std::string_view what, std::string_view text) {
  return parse_scaled(what, text, kDurations, "is not a duration (a number with ms, s, m or h, such as 10s)");
}

Result<std::uint64_t> parse_count(std::string_view what, std::string_view text) {
  static constexpr std::array<Unit, 1> kNone{{{"", 1}}};
  if (text.find('.') != std::string_view::npos) return bad(what, text, "is not a whole number");
  return parse_scaled(what, text, kNone, "is not a whole number above 0");
}

Result<std::uint64_t> parse_milli_cpus(std::string_view what, std::string_view text) {
  static constexpr std::array<Unit, 1> kCpus{{{"", 1000}}};
  const std::uint64_t milli =
      TRY(parse_scaled(what, text, kCpus, "is not a number of CPUs (such as 0.5 or 2)"));
  if (milli < 10) return bad(what, text, "is below 0.01 CPUs", EDOM);
  return milli;
}

std::string format_bytes(std::uint64_t bytes) { return with_largest_unit(bytes, kSizes); }
std::string format_milliseconds(std::uint64_t milliseconds) {
  return with_largest_unit(milliseconds, kDurations);
}

std::string format_milli_cpus(std::uint64_t milli_cpus) {
  std::string text = std::to_string(milli_cpus / 1000);
  if (milli_cpus % 1000 != 0) {
    std::string fraction = std::to_string(1000 + milli_cpus % 1000).substr(1);
    while (fraction.back() == '0') fraction.pop_back();
    text += "." + fraction;
  }
  return text;
}

}  // namespace sbx
