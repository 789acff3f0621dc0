#include "base/names.h"

#include <doctest/doctest.h>

#include <set>

namespace sbx {

TEST_CASE("a name is one safe path component") {
  for (const char* name : {"a", "project-1", "Py3.11", "x_y", "0"}) CHECK(check_name("--project", name));
  for (const char* name : {"", ".", "..", ".hidden", "-x", "a/b", "a b", "a\n", "é", "a:b", "*"}) {
    CAPTURE(name);
    CHECK_FALSE(check_name("--project", name));
  }
  CHECK(check_name("x", std::string(64, 'a')));
  CHECK_FALSE(check_name("x", std::string(65, 'a')));
  CHECK_FALSE(check_name("x", std::string("a\0b", 3)));
}

TEST_CASE("a host name follows RFC 1123") {
  for (const char* name : {"a", "sandbox", "a-b.c-d", "1host"}) CHECK(check_hostname("--hostname", name));
  for (const char* name : {"", "-a", "a-", "a..b", ".a", "a.", "a_b", "a b"}) {
    CAPTURE(name);
    CHECK_FALSE(check_hostname("--hostname", name));
  }
  CHECK_FALSE(check_hostname("--hostname", std::string(64, 'a')));
}

TEST_CASE("a path inside is absolute and clean") {
  CHECK(*check_inside_path("--cwd", "/") == "/");
  CHECK(*check_inside_path("--cwd", "/a/b") == "/a/b");
  CHECK(*check_inside_path("--cwd", "/a/") == "/a");
  for (const char* path : {"", "a", "/a/../b", "/..", "/a/./b", "//a", "/a//b"}) {
    CAPTURE(path);
    CHECK_FALSE(check_inside_path("--cwd", path));
  }
  CHECK_FALSE(check_inside_path("--cwd", "/" + std::string(5000, 'a')));
}

TEST_CASE("run ids are UUIDv7: unique, and sorted by time of creation") {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(new_run_id());
  CHECK(ids.size() == 1000);
  const std::string id = new_run_id();
  CHECK(id.size() == 36);
  CHECK(id[14] == '7');
  CHECK(std::string("89ab").find(id[19]) != std::string::npos);
}

}  // namespace sbx
