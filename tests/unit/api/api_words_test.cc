// Errors that name flags, for those who gave keys.
#include "api/api_words.h"

#include <doctest/doctest.h>

#include "base/limits.h"

namespace sbx::api {

TEST_CASE("flags become the keys that a request has for them") {
  CHECK(in_api_words("--memory 8G: above the ceiling") == "limits.memory_bytes 8G: above the ceiling");
  CHECK(in_api_words("ask with --wall-time 5s or less") == "ask with limits.wall_ms 5s or less");
  CHECK(in_api_words("--compile-limit memory=2G: above") == "compile_limits.memory_bytes=2G: above");
  CHECK(in_api_words("--compile-limit: nothing is compiled") == "compile_limits: nothing is compiled");
  CHECK(in_api_words("--bind /a:/b: hides") == "binds /a:/b: hides");
  for (const LimitField& field : kLimits)
    CHECK(in_api_words("--" + std::string(field.key)) == "limits." + std::string(field.name));
}

TEST_CASE("what is no flag of ours stays as it is") {
  for (const char* text :
       {"", "--", "'--memory' was not found", "--memory-size", "a--memory", "--no-such 1", "/srv/--env/x"})
    CHECK(in_api_words(text) == text);
}

TEST_CASE("of a result only the message, and only where nothing ran") {
  CHECK(result_in_api_words(R"({"outcome":"rejected","message":"--pids 9: above","command":["--pids"]})") ==
        R"({"outcome":"rejected","message":"limits.pids 9: above","command":["--pids"]})");
  const std::string ran = R"({"outcome": "exited", "message": "--pids 9"})";
  CHECK(result_in_api_words(ran) == ran);
  for (const std::string none : {"", "[]", R"({"outcome":"rejected","message":null})"})
    CHECK(result_in_api_words(none) == none);
}

}  // namespace sbx::api
