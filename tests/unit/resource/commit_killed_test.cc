// A commit that is killed (SIGKILL) at each of its system calls, and its worker's: the project has what it
// had, or what it was to have, and nothing else is left.
#include "support/killed_at.h"
#include "unit/resource/some_project.h"

namespace sbx {
namespace {

std::string all_of(const SomeProject& project) {
  std::string text;
  for (const char* name : {"changed", "same", "gone", "new/file"}) {
    const std::string path = project.head(name);
    const bool there = std::filesystem::exists(project.place().path(path));
    text += there ? project.place().text(path) + " " : "- ";
  }
  return text;
}

}  // namespace

TEST_CASE("a commit that is killed at any system call leaves one generation or the other, whole") {
  const int step = test::stride(7);
  int old_ones = 0;
  int new_ones = 0;
  for (int number = 1;; number += step) {
    CAPTURE(number);
    const SomeProject project;
    project.write("changed", "1");
    project.write("same", "1");
    project.write("gone", "1");
    project.begin("t");
    project.place().file(SomeProject::in_upper("t", "changed"), "2");
    project.place().file(SomeProject::in_upper("t", "new/file"), "2");
    project.place().whiteout(SomeProject::in_upper("t", "gone"));
    const bool finished = test::ends_before(number, [&] {
      const auto done = project.transactions().commit("t");
      return done && done->empty();
    });
    const bool is_new = all_of(project) == "2 1 - 2 ";
    if (!is_new) CHECK(all_of(project) == "1 1 1 - ");
    CHECK(project.transactions().list()->empty() == is_new);
    CHECK(project.names("b").empty() == is_new);
    CHECK(project.names("g").size() == 1);
    ++(is_new ? new_ones : old_ones);
    if (finished) break;
    if (!is_new) {
      const auto again = project.transactions().commit("t");
      REQUIRE_MESSAGE(again, (again ? "" : again.error().text));
      CHECK(again->empty());
      CHECK(all_of(project) == "2 1 - 2 ");
    }
  }
  CHECK(old_ones > 10);
  CHECK(new_ones > 1);
}

}  // namespace sbx
