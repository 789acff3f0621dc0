#include "tree/copy.h"

#include "some_tree.h"

namespace sbx::tree {
namespace {

void fill(const SomeTree& tree) {
  tree.file("d/a", "text", 0750);
  tree.file("d/secret", "s", 0000);
  tree.directory("closed", 0500);
  tree.link("d/l", "../outside");
  tree.link("loop", "loop");
  REQUIRE(mkfifo(tree.path("fifo").c_str(), 0640) == 0);
  REQUIRE(::link(tree.path("d/a").c_str(), tree.path("second").c_str()) == 0);
  REQUIRE(setxattr(tree.path("d/a").c_str(), "user.note", "n", 1, 0) == 0);
  REQUIRE(setxattr(tree.path("d/a").c_str(), "user.overlay.origin", "o", 1, 0) == 0);
  REQUIRE(setxattr(tree.path("d").c_str(), "user.overlay.opaque", "y", 1, 0) == 0);
  const timespec times[2] = {{1000, 0}, {1'000'000'000, 5}};
  REQUIRE(utimensat(AT_FDCWD, tree.path("d/a").c_str(), times, 0) == 0);
  REQUIRE(utimensat(AT_FDCWD, tree.path("closed").c_str(), times, 0) == 0);
}

TEST_CASE("a copy has everything but an overlay's notes, and files of its own") {
  const SomeTree from;
  const SomeTree to;
  fill(from);
  REQUIRE(copy_tree(from.fd(), to.fd(), CopyKind::apart));
  CHECK(told(from.fd(), to.fd(), After::whole) == "");
  CHECK(to.stat("d/a").st_ino != from.stat("d/a").st_ino);
  CHECK(to.stat("d/a").st_ino == to.stat("second").st_ino);
  CHECK(to.stat("d/a").st_mtim.tv_sec == 1'000'000'000);
  CHECK(to.stat("closed").st_mtim.tv_nsec == 5);
  char value = 0;
  CHECK(getxattr(to.path("d/a").c_str(), "user.note", &value, 1) == 1);
  CHECK(getxattr(to.path("d/a").c_str(), "user.overlay.origin", &value, 1) < 0);
  CHECK(getxattr(to.path("d").c_str(), "user.overlay.opaque", &value, 1) < 0);
}

TEST_CASE("a shared copy has the same files in directories of its own") {
  const SomeTree from;
  const SomeTree to;
  fill(from);
  REQUIRE(copy_tree(from.fd(), to.fd(), CopyKind::shared));
  CHECK(told(from.fd(), to.fd(), After::whole) == "");
  CHECK(to.stat("d/a").st_ino == from.stat("d/a").st_ino);
  CHECK(to.stat("d/secret").st_ino == from.stat("d/secret").st_ino);
  CHECK(to.stat("d").st_ino != from.stat("d").st_ino);
}

TEST_CASE("holes stay holes") {
  const SomeTree from;
  const SomeTree to;
  const off_t size = off_t{1} << 30;
  const UniqueFd file(open(from.path("f").c_str(), O_WRONLY | O_CREAT, 0644));
  REQUIRE(pwrite(file.get(), "x", 1, 100 << 20) == 1);
  REQUIRE(ftruncate(file.get(), size) == 0);
  REQUIRE(copy_tree(from.fd(), to.fd(), CopyKind::apart));
  const struct stat copy = to.stat("f");
  CHECK(copy.st_size == size);
  CHECK(copy.st_blocks * 512 < (1 << 20));
  CHECK(told(from.fd(), to.fd(), After::whole) == "");
}

TEST_CASE("a file with as many names as the file system allows is copied instead") {
  const SomeTree from;
  const SomeTree to;
  from.file("f", "text");
  const std::string first = from.path("f");
  int made = 0;
  while (::link(first.c_str(), from.path("n" + std::to_string(made)).c_str()) == 0 && made < 70'000) ++made;
  if (made == 70'000) {
    MESSAGE("skipped: this file system has no such limit");
    return;
  }
  REQUIRE(errno == EMLINK);
  REQUIRE(copy_entry(from.fd(), "f", to.fd(), "copy", CopyKind::shared));
  CHECK(to.text("copy") == "text");
  CHECK(to.stat("copy").st_ino != from.stat("f").st_ino);
}

}  // namespace
}  // namespace sbx::tree
