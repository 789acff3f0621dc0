#include "tree/merge.h"

#include "some_tree.h"
#include "tree/copy.h"

namespace sbx::tree {
namespace {

Changes changes(const SomeTree& before, const SomeTree& after, After kind) {
  Changes list;
  REQUIRE(compare(before.fd(), after.fd(), kind, [&](Change change) -> Result<void> {
    list.push_back(std::move(change));
    return {};
  }));
  return list;
}

// A project three times: as a branch began, as it is now, and the branch's layer.
struct Three {
  SomeTree base;
  SomeTree head;
  SomeTree upper;
  SomeTree next;

  void both(const std::string& name, const std::string& text) const {
    base.file(name, text);
    head.file(name, text);
  }
  [[nodiscard]] std::string conflicts() const {
    const auto found = find_conflicts(
        changes(base, upper, After::layer), changes(base, head, After::whole),
        [&](const std::string& path) -> Result<bool> { return head.text(path) == upper.text(path); });
    REQUIRE(found);
    std::string text;
    for (const std::string& path : *found) text += path + "\n";
    return text;
  }
  // What the next one has over the one of now.
  [[nodiscard]] std::string merged() const {
    REQUIRE(copy_tree(head.fd(), next.fd(), CopyKind::shared));
    const auto applied = apply_changes(changes(base, upper, After::layer), upper.fd(), next.fd());
    if (!applied) return applied.error().text;
    return told(head.fd(), next.fd(), After::whole);
  }
};

TEST_CASE("changes of a branch come into what the project is by now") {
  const Three three;
  three.both("a", "1");
  three.both("b", "1");
  three.both("gone/x", "1");
  three.head.file("a", "theirs");
  three.head.file("d/theirs", "");
  three.upper.file("b", "ours");
  three.upper.whiteout("gone");
  three.upper.file("d/ours", "");
  three.upper.link("l", "a");
  CHECK(three.conflicts() == "");
  CHECK(three.merged() == "~b\n+d/ours\n-gone/x\n-gone\n+l\n");
  CHECK(three.next.text("a") == "theirs");
}

TEST_CASE("what both changed differently conflicts, what both changed alike does not") {
  const Three three;
  for (const char* name : {"content", "alike", "mode", "deleted", "both-deleted", "type"})
    three.both(name, "1");
  three.head.file("content", "theirs");
  three.upper.file("content", "ours");
  three.head.file("alike", "same");
  three.upper.file("alike", "same");
  three.head.file("mode", "1", 0755);
  three.upper.file("mode", "ours");
  three.head.remove("deleted");
  three.upper.file("deleted", "ours");
  three.head.remove("both-deleted");
  three.upper.whiteout("both-deleted");
  three.head.file("type", "theirs");
  three.upper.whiteout("type");
  three.head.file("new", "theirs");
  three.upper.file("new", "ours");
  CHECK(three.conflicts() == "content\ndeleted\nmode\nnew\ntype\n");
}

TEST_CASE("what is below a directory that the other one deleted conflicts") {
  const Three three;
  three.both("ours/x", "1");
  three.both("theirs/x", "1");
  three.both("file/x", "1");
  three.upper.whiteout("ours");
  three.head.file("ours/new", "");
  three.head.remove("theirs");
  three.upper.file("theirs/deep/new", "");
  three.upper.file("file", "now a file");
  three.head.file("file/new", "");
  CHECK(three.conflicts() == "file/new\nours/new\ntheirs/deep\ntheirs/deep/new\n");
}

TEST_CASE("what both did alike is done once") {
  const Three three;
  three.both("gone/x", "1");
  three.head.remove("gone");
  three.upper.whiteout("gone");
  three.head.file("new/x", "same");
  three.upper.file("new/x", "same");
  CHECK(three.conflicts() == "");
  CHECK(three.merged() == "");
}

TEST_CASE("types and permissions of a branch come into the project") {
  const Three three;
  three.both("dir/x", "1");
  three.both("file", "1");
  three.base.directory("mode", 0755);
  three.head.directory("mode", 0755);
  three.upper.file("dir", "a file");
  three.upper.opaque("file");
  three.upper.file("file/y", "");
  three.upper.directory("mode", 0500);
  CHECK(three.conflicts() == "");
  CHECK(three.merged() == "-dir/x\n~dir\n~file\n+file/y\n%mode\n");
}

TEST_CASE("files of the branch are linked, without what the overlay noted") {
  const Three three;
  three.upper.file("f", "text");
  REQUIRE(setxattr(three.upper.path("f").c_str(), "user.overlay.origin", "o", 1, 0) == 0);
  REQUIRE(three.merged() == "+f\n");
  CHECK(three.next.stat("f").st_ino == three.upper.stat("f").st_ino);
  char value = 0;
  CHECK(getxattr(three.next.path("f").c_str(), "user.overlay.origin", &value, 1) < 0);
}

}  // namespace
}  // namespace sbx::tree
