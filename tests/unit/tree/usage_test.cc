#include "tree/usage.h"

#include <cerrno>

#include "some_tree.h"

namespace sbx::tree {
namespace {

TEST_CASE("a tree takes the blocks of its files, each file once, and an inode for each entry") {
  const SomeTree tree;
  const Usage empty = *measure(tree.fd());
  CHECK(empty.bytes == 0);
  CHECK(empty.inodes == 0);
  tree.file("a/b", std::string(100'000, 'x'));
  REQUIRE(::link(tree.path("a/b").c_str(), tree.path("second").c_str()) == 0);
  tree.link("l", "/etc");
  REQUIRE(mkfifo(tree.path("fifo").c_str(), 0600) == 0);
  const Usage usage = *measure(tree.fd());
  CHECK(usage.inodes == 4);  // a, b, l, fifo
  CHECK(usage.bytes >= 100'000);
  CHECK(usage.bytes < 200'000);
}

TEST_CASE("a tree that lies too deep is refused, not walked without end") {
  const SomeTree tree;
  std::string path = "d";
  tree.directory(path, 0755);
  UniqueFd below = *os::open_at(tree.fd(), "d", O_RDONLY | O_DIRECTORY);
  for (int depth = 0; depth <= kMostDepth; ++depth) {
    REQUIRE(mkdirat(below.get(), "d", 0755) == 0);
    below = *os::open_at(below.get(), "d", O_RDONLY | O_DIRECTORY);
  }
  const auto usage = measure(tree.fd());
  REQUIRE_FALSE(usage);
  CHECK(usage.error().error_number == ENAMETOOLONG);
}

}  // namespace
}  // namespace sbx::tree
