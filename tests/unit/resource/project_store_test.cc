#include "resource/project_store.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "unit/tree/some_tree.h"

namespace sbx {
namespace {

using tree::SomeTree;

TEST_CASE("the head of a project is read as it was written, each time whole") {
  const SomeTree place;
  const ProjectStore store(place.path("."));
  CHECK_FALSE(store.head()->has_value());
  for (const Head& head : {Head{1, true}, Head{2, false}, Head{18446744073709551615U, true}}) {
    REQUIRE(store.set_head(head));
    CHECK(*store.head() == head);
  }
  CHECK_FALSE(std::filesystem::exists(place.path("head.next")));
}

TEST_CASE("a head file with anything else in it is refused") {
  const SomeTree place;
  const ProjectStore store(place.path("."));
  for (const char* text :
       {"", "1\n", "0 apart\n", "1 else\n", "-1 apart\n", "1 apart more\n", "x shared\n"}) {
    CAPTURE(text);
    place.file("head", text);
    CHECK(store.head().error().text == "its head file is not 'NUMBER apart' or 'NUMBER shared'");
  }
}

TEST_CASE("records of transactions and snapshots are kept by name until they are removed") {
  const SomeTree place;
  const ProjectStore store(place.path("."));
  CHECK(store.branches()->empty());
  CHECK(store.snapshots()->empty());
  const BranchRecord plain{"t1", 3, "2026-01-01T00:00:00.000Z", "", 0};
  const BranchRecord busy{"t0", 4, "2026-01-01T00:00:00.000Z", "task-1", 5};
  REQUIRE(store.write_branch(plain));
  REQUIRE(store.write_branch(busy));
  CHECK(*store.branches() == std::vector<BranchRecord>{busy, plain});
  CHECK(*store.branch("t1") == plain);
  const SnapshotRecord snapshot{"x.new.1", 3, "2026-01-01T00:00:00.000Z"};
  REQUIRE(store.write_snapshot(snapshot));
  CHECK(*store.snapshots() == std::vector<SnapshotRecord>{snapshot});
  REQUIRE(store.remove_branch("t1"));
  REQUIRE(store.remove_snapshot("x.new.1"));
  CHECK(store.branch("t1").error().error_number == ENOENT);
  CHECK(store.snapshot("x.new.1").error().error_number == ENOENT);
  CHECK(store.branches()->size() == 1);
  CHECK_FALSE(store.remove_branch("t1"));
}

TEST_CASE("no name of a record leads out of its directory") {
  const SomeTree place;
  const ProjectStore store(place.path("."));
  place.file("head", "1 apart\n");
  for (const char* name : {"", "..", "../head", ".x", "a/b"}) {
    CHECK_FALSE(store.branch(name));
    CHECK_FALSE(store.snapshot(name));
  }
}

TEST_CASE("what a killed writer left of a record is no record, and goes") {
  const SomeTree place;
  const ProjectStore store(place.path("."));
  REQUIRE(store.set_head({2, true}));
  REQUIRE(store.write_branch({"t", 2, "now", "", 0}));
  place.file("head.next", "3 sha");
  place.file("branches/.t", "3");
  place.file("snapshots/.s", "");
  CHECK(store.branches()->size() == 1);
  CHECK(store.snapshots()->empty());
  REQUIRE(store.remove_unfinished());
  for (const char* left : {"head.next", "branches/.t", "snapshots/.s"})
    CHECK_FALSE(std::filesystem::exists(place.path(left)));
  CHECK(*store.head() == Head{2, true});
  CHECK(store.branch("t")->base == 2);
}

}  // namespace
}  // namespace sbx
