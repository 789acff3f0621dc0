#include "resource/image_sidecar.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

namespace sbx {
namespace {

using nlohmann::json;

json good() {
  return {{"schema", 1},
          {"name", "python-3.11"},
          {"digest", "sha256:" + std::string(64, 'a')},
          {"tarball_bytes", 10},
          {"unpacked_bytes", 20},
          {"entries", 3},
          {"architecture", "amd64"},
          {"os", "linux"},
          {"env", {"PATH=/bin"}}};
}

TEST_CASE("the fields of a sidecar are read; unknown ones and null do not matter") {
  json sidecar = good();
  sidecar["language"] = "python";
  sidecar["versions"] = {{"python", "3.11.2"}};
  sidecar["entrypoint"] = nullptr;
  sidecar["packages"] = {{{"name", "adduser"}, {"version", "3.134"}}};
  sidecar["new"] = {1, 2};
  const Result<ImageSidecar> parsed = parse_sidecar(sidecar.dump());
  REQUIRE_MESSAGE(parsed, parsed.error().text);
  CHECK(parsed->name == "python-3.11");
  CHECK(parsed->digest_hex == std::string(64, 'a'));
  CHECK(parsed->tarball_bytes == 10);
  CHECK(parsed->entries == 3);
  CHECK(parsed->environment == std::vector<std::string>{"PATH=/bin"});
  CHECK(parsed->versions.at("python") == "3.11.2");
}

TEST_CASE("a field that is wrong is named") {
  const std::vector<std::pair<const char*, json>> wrong{
      {"schema", 2},
      {"schema", "1"},
      {"name", ""},
      {"name", "../x"},
      {"name", "host"},
      {"name", 7},
      {"digest", std::string(64, 'a')},
      {"digest", "sha256:" + std::string(63, 'a')},
      {"digest", "sha256:" + std::string(64, 'A')},
      {"digest", "sha256:../" + std::string(61, 'a')},
      {"tarball_bytes", -1},
      {"tarball_bytes", 1.5},
      {"unpacked_bytes", "20"},
      {"entries", nullptr},
      {"architecture", nullptr},
      {"os", 1},
      {"env", "PATH=/bin"},
      {"env", {"PATH"}},
      {"env", {"=x"}},
      {"env", {std::string("A=b\0c", 5)}},
      {"env", {"A\nB=c"}},
      {"env", {1}},
      {"env", std::vector<std::string>(1025, "A=b")},
      {"env", {"A=" + std::string(200'000, 'x')}},
      {"language", "\x1b[2J"},
      {"built_at", "\u009b2J"},
      {"user", std::string(5000, 'u')},
      {"versions", {1}},
      {"versions", {{"a", "\x1b[2J"}}},
      {"versions", {{"\x1b[2J", "1"}}},
      {"labels", {{"a", 1}}},
      {"cmd", "bash"},
      {"packages", "all"},
      {"runner", 1},
      {"runner", "languages: []"},
      {"runner", std::string((64U << 10U) + 1, ' ')},
  };
  for (const auto& [field, value] : wrong) {
    json sidecar = good();
    sidecar[field] = value;
    CAPTURE(sidecar.dump().substr(0, 300));
    const Result<ImageSidecar> parsed = parse_sidecar(sidecar.dump());
    REQUIRE_FALSE(parsed);
    CHECK_MESSAGE(parsed.error().text.find(field) != std::string::npos, parsed.error().text);
  }
}

TEST_CASE("every field that is needed is missed") {
  const json all = good();
  for (const auto& [field, value] : all.items()) {
    if (field == "env") continue;  // an image may have none
    CAPTURE(field);
    json sidecar = all;
    sidecar.erase(field);
    const Result<ImageSidecar> parsed = parse_sidecar(sidecar.dump());
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().text.find(field) != std::string::npos);
  }
}

TEST_CASE("what is not a JSON object, too large or too deep is refused") {
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[]"), std::string("1"),
        std::string("{\"name\": \"\xff\"}"), std::string("{} x"), std::string("\0", 1)}) {
    CHECK_FALSE(parse_sidecar(text));
  }
  CHECK(parse_sidecar(std::string(1'000'000, '[')).error().text.find("nested") != std::string::npos);
  CHECK(parse_sidecar(std::string(17, '[') + std::string(17, ']')).error().text.find("nested") !=
        std::string::npos);
  CHECK(parse_sidecar(std::string((4U << 20U) + 1, ' ')).error().text.find("4 MiB") != std::string::npos);
  // Brackets in a string do not count.
  json sidecar = good();
  sidecar["comment"] = "\"" + std::string(100, '[') + "\\";
  CHECK(parse_sidecar(sidecar.dump()));
}

}  // namespace
}  // namespace sbx
