#include "base/times.h"

#include <doctest/doctest.h>

namespace sbx {

TEST_CASE("times are read as they are written, and with any offset from UTC") {
  for (const std::int64_t ms : {std::int64_t{0}, std::int64_t{1'763'719'200'123}, std::int64_t{-1}})
    CHECK(parse_rfc3339(rfc3339(ms)) == ms);
  CHECK(parse_rfc3339("1970-01-01T00:00:01Z") == 1000);
  CHECK(parse_rfc3339("1970-01-01t00:00:01z") == 1000);
  CHECK(parse_rfc3339("1970-01-01 00:00:01.5Z") == 1500);
  CHECK(parse_rfc3339("1970-01-01T00:00:00.1239999Z") == 123);
  CHECK(parse_rfc3339("1970-01-01T02:30:00+02:30") == 0);
  CHECK(parse_rfc3339("1969-12-31T19:00:00-05:00") == 0);
  CHECK(parse_rfc3339("2024-02-29T00:00:00Z") == 1'709'164'800'000);
}

TEST_CASE("what is no time is none") {
  for (const char* bad : {"",
                          "2024",
                          "2024-02-30T00:00:00Z",
                          "2023-02-29T00:00:00Z",
                          "2024-13-01T00:00:00Z",
                          "2024-01-01T24:00:00Z",
                          "2024-01-01T00:60:00Z",
                          "2024-01-01T00:00:61Z",
                          "2024-01-01T00:00:00",
                          "2024-01-01T00:00Z",
                          "2024-01-01T00:00:00.Z",
                          "2024-01-01T00:00:00Z ",
                          "2024-01-01T00:00:00+2:00",
                          "2024-01-01T00:00:00+24:00",
                          "-024-01-01T00:00:00Z",
                          "2024-01-01T00:00:00+02:00Z",
                          "x024-01-01T00:00:00Z",
                          "1.5",
                          "x.5",
                          ".5"}) {
    CAPTURE(std::string(bad));
    CHECK_FALSE(parse_rfc3339(bad));
  }
}

}  // namespace sbx
