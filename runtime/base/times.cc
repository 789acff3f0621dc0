#include "base/times.h"

#include <array>
#include <chrono>
#include <cstdio>

namespace sbx {

std::int64_t utc_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// By calendar arithmetic: gmtime_r would read /etc/localtime first, which costs more than all of this.
std::string rfc3339(std::int64_t ms) {
  using namespace std::chrono;
  const sys_time<milliseconds> at{milliseconds(ms)};
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss time(at - day);
  std::array<char, 64> text{};
  (void)std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
                      static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                      static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()),
                      static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()),
                      static_cast<int>(time.subseconds().count()));
  return text.data();
}

namespace {

class TimeReader {
 public:
  explicit TimeReader(std::string_view text) : rest_(text) {}
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  bool take(std::string_view any) {
    if (rest_.empty() || any.find(rest_.front()) == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(std::string_view any) { good_ &= take(any); }
  int number(std::size_t digits) {
    int value = 0;
    for (; digits > 0; --digits) {
      good_ &= !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9';
      if (!good_) return 0;
      value = value * 10 + (rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    return value;
  }
  int fraction_ms() {
    int value = number(1) * 100;
    for (int unit = 10; good_ && !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; unit /= 10)
      value += number(1) * unit;
    return value;
  }

 private:
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  TimeReader reader(text);
  const year in_year(reader.number(4));
  reader.expect("-");
  const month in_month(static_cast<unsigned>(reader.number(2)));
  reader.expect("-");
  const year_month_day date(in_year, in_month, day(static_cast<unsigned>(reader.number(2))));
  reader.expect("Tt ");
  const int hour = reader.number(2);
  reader.expect(":");
  const int minute = reader.number(2);
  reader.expect(":");
  const int second = reader.number(2);
  const int fraction = reader.take(".") ? reader.fraction_ms() : 0;
  minutes offset{};
  if (!reader.take("Zz")) {
    const bool behind = reader.take("-");
    if (!behind) reader.expect("+");
    const int hours_off = reader.number(2);
    reader.expect(":");
    const int minutes_off = reader.number(2);
    if (hours_off > 23 || minutes_off > 59) return {};
    offset = minutes((behind ? -1 : 1) * (hours_off * 60 + minutes_off));
  }
  // 60: a leap second.
  if (!reader.good() || !reader.at_end() || !date.ok() || hour > 23 || minute > 59 || second > 60) return {};
  const sys_time<milliseconds> at =
      sys_days(date) + hours(hour) + minutes(minute) + seconds(second) + milliseconds(fraction) - offset;
  return at.time_since_epoch().count();
}

}  // namespace sbx
