#include "tree/changes.h"

#include "some_tree.h"

namespace sbx::tree {
namespace {

TEST_CASE("equal trees have no changes, whatever their times") {
  const SomeTree before;
  const SomeTree after;
  for (const SomeTree* tree : {&before, &after}) {
    tree->file("a/b", "text");
    tree->link("l", "/etc/passwd");
    tree->directory("empty", 0700);
    REQUIRE(mkfifo(tree->path("fifo").c_str(), 0600) == 0);
  }
  const timespec old[2] = {{1, 0}, {1, 0}};
  REQUIRE(utimensat(AT_FDCWD, after.path("a/b").c_str(), old, 0) == 0);
  CHECK(told(before.fd(), after.fd(), After::whole) == "");
}

TEST_CASE("what was added, deleted and changed is told in the order of the names, parents around children") {
  const SomeTree before;
  const SomeTree after;
  before.file("a", "1");
  after.file("a", "2");
  before.file("b", "1");
  after.file("b", "1", 0755);
  before.file("gone/deep/x", "");
  after.file("new/deep/y", "");
  before.link("l", "a");
  after.link("l", "b");
  before.directory("mode", 0755);
  after.directory("mode", 0700);
  CHECK(told(before.fd(), after.fd(), After::whole) ==
        "~a\n%b\n-gone/deep/x\n-gone/deep\n-gone\n~l\n%mode\n+new\n+new/deep\n+new/deep/y\n");
}

TEST_CASE("a file of the same size with another last byte is changed, one of many blocks too") {
  const SomeTree before;
  const SomeTree after;
  const std::string big(200'000, 'x');
  before.file("f", big + "1");
  after.file("f", big + "2");
  before.file("same", big);
  after.file("same", big);
  before.file("block", std::string(65536, 'b'));
  after.file("block", std::string(65536, 'b'));
  CHECK(told(before.fd(), after.fd(), After::whole) == "~f\n");
}

TEST_CASE("an entry can become one of another type") {
  const SomeTree before;
  const SomeTree after;
  before.file("d/x", "");
  after.file("d", "");
  before.file("f", "");
  after.file("f/y", "");
  before.file("l", "target");
  after.link("l", "target");
  CHECK(told(before.fd(), after.fd(), After::whole) == "-d/x\n~d\n~f\n+f/y\n~l\n");
}

TEST_CASE("of an overlay's upper layer only what it says is a change") {
  const SomeTree lower;
  const SomeTree upper;
  lower.file("kept/a", "1");
  lower.file("kept/b", "1");
  lower.file("file", "1");
  lower.file("dir/x", "1");
  lower.file("again/x", "1");
  lower.file("again/y", "1");
  upper.file("kept/b", "2");
  upper.whiteout("file");
  upper.whiteout("dir");
  upper.whiteout("never");
  upper.opaque("again");
  upper.file("again/x", "1");
  upper.file("again/z", "1");
  upper.whiteout("made/w");
  CHECK(told(lower.fd(), upper.fd(), After::layer) ==
        "-again/y\n+again/z\n-dir/x\n-dir\n-file\n~kept/b\n+made\n");
}

TEST_CASE("a copy-up without a change is none") {
  const SomeTree lower;
  const SomeTree upper;
  lower.file("d/a", "1");
  upper.file("d/a", "1");
  CHECK(told(lower.fd(), upper.fd(), After::layer) == "");
}

TEST_CASE("links are not followed and special files not opened") {
  const SomeTree before;
  const SomeTree after;
  before.link("l", "/etc");
  after.link("l", "/usr");
  REQUIRE(mkfifo(before.path("p").c_str(), 0600) == 0);
  REQUIRE(mkfifo(after.path("p").c_str(), 0644) == 0);
  CHECK(told(before.fd(), after.fd(), After::whole) == "~l\n%p\n");
}

TEST_CASE("what lies too deep is an error that says where") {
  const SomeTree before;
  const SomeTree after;
  UniqueFd at(dup(after.fd()));
  for (int i = 0; i < kMostDepth + 1; ++i) {
    REQUIRE(mkdirat(at.get(), "d", 0755) == 0);
    at = UniqueFd(openat(at.get(), "d", O_RDONLY | O_DIRECTORY));
    REQUIRE(at.valid());
  }
  const std::string answer = told(before.fd(), after.fd(), After::whole);
  CHECK(answer.starts_with("error: its directories lie too deep in each other, below 'd/d/d"));
}

TEST_CASE("an error of who is told ends it") {
  const SomeTree before;
  const SomeTree after;
  after.file("a", "");
  after.file("b", "");
  int calls = 0;
  const auto done = compare(before.fd(), after.fd(), After::whole, [&](const Change&) -> Result<void> {
    ++calls;
    return fail("enough");
  });
  REQUIRE(!done);
  CHECK(done.error().text == "enough");
  CHECK(calls == 1);
}

}  // namespace
}  // namespace sbx::tree
