#include "base/units.h"

#include <doctest/doctest.h>

namespace sbx {

TEST_CASE("sizes are 1024-based, case-insensitive, bare bytes without a unit") {
  CHECK(*parse_bytes("--memory", "1") == 1);
  CHECK(*parse_bytes("--memory", "512M") == 512ULL << 20U);
  CHECK(*parse_bytes("--memory", "512m") == 512ULL << 20U);
  CHECK(*parse_bytes("--memory", "2k") == 2048);
  CHECK(*parse_bytes("--memory", "1.5G") == 3ULL << 29U);
}

TEST_CASE("durations are seconds without a unit") {
  CHECK(*parse_milliseconds("--wall-time", "10") == 10'000);
  CHECK(*parse_milliseconds("--wall-time", "250ms") == 250);
  CHECK(*parse_milliseconds("--wall-time", "2m") == 120'000);
  CHECK(*parse_milliseconds("--wall-time", "1h") == 3'600'000);
  CHECK(*parse_milliseconds("--wall-time", "0.5") == 500);
}

TEST_CASE("CPUs are a decimal number of at least 0.01") {
  CHECK(*parse_milli_cpus("--cpus", "0.5") == 500);
  CHECK(*parse_milli_cpus("--cpus", "2") == 2000);
  CHECK_FALSE(parse_milli_cpus("--cpus", "0.001"));
}

TEST_CASE("zero, negative, overflow and nonsense are errors that name the flag and the value") {
  for (const char* text :
       {"0", "-1", "", "abc", "1X", "1 M", " 1", "1M ", "0x10", "1e3", "99999999999999999999", "9999999999G",
        "1..5", ".5", "1.", "NaN", "inf", "+5", "1.1234567890"}) {
    CAPTURE(text);
    const auto value = parse_bytes("--memory", text);
    REQUIRE_FALSE(value);
    CHECK(value.error().text.find("--memory") != std::string::npos);
    CHECK(value.error().text.find(text) != std::string::npos);
  }
  CHECK_FALSE(parse_count("--pids", "1.5"));
  CHECK_FALSE(parse_count("--pids", "5K"));
  CHECK_FALSE(parse_bytes("--fsize", "0.0000001"));  // less than a byte
}

TEST_CASE("values are written in the shortest form that reads back as the same") {
  for (const std::uint64_t bytes : {1ULL, 1023ULL, 1024ULL, 1ULL << 20U, (1ULL << 30U) + 1, 3ULL << 29U}) {
    CHECK(*parse_bytes("x", format_bytes(bytes)) == bytes);
  }
  for (const std::uint64_t ms : {1ULL, 999ULL, 1000ULL, 60'000ULL, 90'000ULL, 3'600'000ULL}) {
    CHECK(*parse_milliseconds("x", format_milliseconds(ms)) == ms);
  }
  CHECK(format_bytes(512ULL << 20U) == "512M");
  CHECK(format_milliseconds(1500) == "1500ms");
  CHECK(format_milliseconds(0) == "0ms");
  CHECK(format_bytes(0) == "0");
  CHECK(format_milli_cpus(500) == "0.5");
  CHECK(format_milli_cpus(1000) == "1");
  CHECK(format_milli_cpus(1250) == "1.25");
}

}  // namespace sbx
