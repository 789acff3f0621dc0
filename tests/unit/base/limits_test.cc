#include "base/limits.h"

#include <doctest/doctest.h>

namespace sbx {
namespace {

std::string refusal(std::string_view key, std::string_view text) {
  const auto value = parse_limit(*find_limit(key), "--" + std::string(key), text);
  REQUIRE_FALSE(value);
  return value.error().text;
}

}  // namespace

TEST_CASE("a limit that is too small or too large is told with flag, value, bound and unit") {
  CHECK(refusal("memory", "0") == "--memory: '0' is too small; give at least 1 byte");
  CHECK(refusal("memory", "0.0001") == "--memory: '0.0001' is too small; give at least 1 byte");
  CHECK(refusal("memory", "1073741825G") == "--memory: '1073741825G' is too large; give at most 1073741824G");
  CHECK(refusal("memory", "99999999999999999999") ==
        "--memory: '99999999999999999999' is too large; give at most 1073741824G");
  CHECK(refusal("cpus", "0.001") == "--cpus: '0.001' is too small; give at least 0.01 CPUs");
  CHECK(refusal("cpus", "9000") == "--cpus: '9000' is too large; give at most 8192 CPUs");
  CHECK(refusal("pids", "0") == "--pids: '0' is too small; give at least 1 process");
  CHECK(refusal("pids", "4194304") == "--pids: '4194304' is too large; give at most 4194303 processes");
  CHECK(refusal("nofile", "15") == "--nofile: '15' is too small; give at least 16 open files");
  CHECK(refusal("inodes", "0") == "--inodes: '0' is too small; give at least 1 file");
  CHECK(refusal("wall-time", "0ms") == "--wall-time: '0ms' is too small; give at least 1ms");
  CHECK(refusal("cpu-time", "876001h") == "--cpu-time: '876001h' is too large; give at most 876000h");
}

TEST_CASE("the bounds themselves can be asked for, and what is no number says so") {
  for (const LimitField& field : kLimits) {
    for (const std::uint64_t bound : {field.least, field.most}) {
      const auto value = parse_limit(field, "x", format_limit(field, bound));
      REQUIRE_MESSAGE(value, (value ? "" : value.error().text));
      CHECK(*value == bound);
    }
  }
  CHECK(refusal("pids", "many") == "--pids: 'many' is not a whole number above 0");
  CHECK(refusal("memory", "-1").find("is not a size") != std::string::npos);
}

TEST_CASE("for people every limit has a unit") {
  const auto text = [](std::string_view key, std::uint64_t value) {
    return limit_with_unit(*find_limit(key), value);
  };
  CHECK(text("memory", 1) == "1 byte");
  CHECK(text("memory", 1023) == "1023 bytes");
  CHECK(text("memory", 1024) == "1K");
  CHECK(text("wall-time", 1500) == "1500ms");
  CHECK(text("cpus", 1000) == "1 CPU");
  CHECK(text("cpus", 500) == "0.5 CPUs");
  CHECK(text("pids", 1) == "1 process");
  CHECK(text("nofile", 64) == "64 open files");
  CHECK(text("inodes", 2) == "2 files");
}

}  // namespace sbx
