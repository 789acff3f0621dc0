#include "http/parse_target.h"

#include <doctest/doctest.h>

namespace sbx::http {
namespace {

using Query = std::vector<std::pair<std::string, std::string>>;

TEST_CASE("path and query are taken apart and decoded") {
  struct Row {
    std::string target;
    std::string path;
    Query query;
  };
  const std::vector<Row> rows = {
      {"/", "/", {}},
      {"/v1/runs", "/v1/runs", {}},
      {"/a%20b/%C3%A9", "/a b/\xC3\xA9", {}},
      {"/a+b", "/a+b", {}},
      {"/a..b/...", "/a..b/...", {}},
      {"/?", "/", {}},
      {"/x?a=1&b=&c&a=2", "/x", {{"a", "1"}, {"b", ""}, {"c", ""}, {"a", "2"}}},
      {"/x?a=b=c&&d=%26%3D+%2F", "/x", {{"a", "b=c"}, {"d", "&= /"}}},
      {"/x?a=/../?", "/x", {{"a", "/../?"}}},
      {"http://host/x?y", "/x", {{"y", ""}}},
      {"HTTPS://host:80/", "/", {}},
      {"http://host", "/", {}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.target);
    const auto target = parse_target(row.target);
    REQUIRE(target);
    CHECK(target->path == row.path);
    CHECK(target->query == row.query);
  }
}

TEST_CASE("a target that others could read differently is refused") {
  std::string many = "/?";
  for (int i = 0; i < 300; ++i) many += "a&";
  const std::vector<std::string> targets = {"",
                                            "*",
                                            "x",
                                            "host:80",
                                            "ftp://host/x",
                                            "/..",
                                            "/a/../b",
                                            "/.",
                                            "/a/%2e%2E/b",
                                            "/a/.%2e",
                                            "/a%2Fb",
                                            "/a%5cb",
                                            "/a%00",
                                            "/a%0d%0a",
                                            "/%7f",
                                            "/%",
                                            "/%4",
                                            "/%zz",
                                            "/%ff",
                                            "/%C0%AF",
                                            "/a#b",
                                            "/?a=%00",
                                            "/?%ff=1",
                                            "/?a=%4",
                                            "/\xff",
                                            "http://",
                                            "http://h?x",
                                            "/" + std::string(9000, 'a'),
                                            many};
  for (const std::string& target : targets) {
    CAPTURE(target);
    const auto parsed = parse_target(target);
    REQUIRE_FALSE(parsed);
    CHECK_FALSE(parsed.error().text.empty());
  }
}

}  // namespace
}  // namespace sbx::http
