#include "project_files/names.h"

#include <doctest/doctest.h>

#include "base/utf8.h"

namespace sbx::project_files {
namespace {

std::string why(const Result<void>& checked) { return checked ? "" : checked.error().text; }

TEST_CASE("a path of what is there has no part that leads elsewhere") {
  CHECK(check_path("a/b") == "a/b");
  CHECK(check_path("a/b/") == "a/b");
  CHECK(check_path("") == "");
  CHECK(check_path(".") == "");
  CHECK(check_path("with \x1b and \xff") == "with \x1b and \xff");
  for (const std::string bad : {"/", "/a", "//a", "a//b", "..", "../a", "a/..", "a/../b", "a/./b", "./a"}) {
    CAPTURE(bad);
    CHECK_FALSE(check_path(bad));
  }
  CHECK_FALSE(check_path(std::string_view("a\0b", 3)));
  CHECK(check_path(std::string(255, 'a')));
  CHECK_FALSE(check_path(std::string(256, 'a')));
  std::string deep;
  while (deep.size() < 4094) deep += "a/";
  CHECK(check_path(deep + "b"));
  CHECK_FALSE(check_path(deep + "bc"));
}

TEST_CASE("a new name is one that people see and other systems keep") {
  for (const std::string good : {"a", ".profile", "a b.txt", "\xc3\xa9", "e\xcc\x81", "CON", "a:b",
                                 "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb"})
    CHECK_MESSAGE(check_new_name(good), good);
  CHECK(check_new_name(std::string(255, 'a')));
  CHECK(why(check_new_name(std::string(256, 'a'))).ends_with("has more than 255 bytes"));
  for (const std::string bad : {"", ".", "..", "a/b", "a.", "a ", " a"})
    CHECK_MESSAGE(!check_new_name(bad), bad);
  for (const std::string bad : {"\xff", "\xc0\xaf", "\xed\xa0\x80", "a\xe2\x80"})
    CHECK(why(check_new_name(bad)).ends_with("is no UTF-8"));
  for (const std::string bad :
       {"a\n", "\x1b[2J", "a\x7f", "\xc2\x9b", "\xd8\x9c", "\xe2\x80\x8b", "\xe2\x80\xaetxt.exe",
        "a\xe2\x80\xa8", "\xe2\x81\xa6", "\xef\xbb\xbf", "\xef\xbf\xb9"})
    CHECK(why(check_new_name(bad)).ends_with("has control or invisible characters"));
  CHECK_FALSE(check_new_name(".sbx-upload-0123456789abcdef"));
  CHECK(check_new_path("a/b") == "a/b");
  CHECK_FALSE(check_new_path("a /b"));
  CHECK_FALSE(check_new_path(""));
  CHECK_FALSE(check_new_path("."));
}

TEST_CASE("what is taken gets a number before its ending, and stays a name") {
  CHECK(numbered_name("a.txt", 1) == "a (1).txt");
  CHECK(numbered_name("a", 2) == "a (2)");
  CHECK(numbered_name(".profile", 1) == ".profile (1)");
  CHECK(numbered_name("a.tar.gz", 12) == "a.tar (12).gz");
  const std::string numbered = numbered_name(std::string(251, 'a') + ".txt", 1);
  CHECK(numbered.size() == 255);
  CHECK(numbered.ends_with("a (1).txt"));
  std::string wide;
  while (wide.size() + 2 <= 250) wide += "\xc3\xa9";
  const std::string cut = numbered_name(wide + ".abcd", 10);
  CHECK(check_new_name(cut));
  CHECK(cut.ends_with(" (10).abcd"));
  const std::string all_ending = "a." + std::string(253, 'b');
  CHECK(check_new_name(numbered_name(all_ending, 3)));
  CHECK(numbered_name(all_ending, 3).ends_with(" (3)"));
}

}  // namespace
}  // namespace sbx::project_files
