#include "os/file.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace sbx::os {
namespace {

// `count` directories in each other below `parent`, with a file in the last one.
void nest(int parent, int count) {
  UniqueFd at(dup(parent));
  for (int i = 0; i < count; ++i) {
    REQUIRE(mkdirat(at.get(), "d", 0755) == 0);
    at = UniqueFd(openat(at.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(at.valid());
  }
  REQUIRE(UniqueFd(openat(at.get(), "file", O_WRONLY | O_CREAT, 0600)).valid());
}

TEST_CASE("a tree is removed however deep it is") {
  std::string path = "/tmp/sbx-file-test.XXXXXX";
  REQUIRE(mkdtemp(path.data()) != nullptr);
  const UniqueFd top = *open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  REQUIRE(mkdirat(top.get(), "tree", 0755) == 0);
  const UniqueFd tree = *open_at(top.get(), "tree", O_RDONLY | O_DIRECTORY);
  nest(tree.get(), 5000);
  for (const char* name : {"a", ".sbx-deep-1"}) {
    REQUIRE(mkdirat(tree.get(), name, 0755) == 0);
    nest(open_at(tree.get(), name, O_RDONLY | O_DIRECTORY)->get(), 300);
  }
  REQUIRE(symlinkat("/etc", tree.get(), "link") == 0);
  CHECK(remove_tree(top.get(), "tree"));
  CHECK(std::filesystem::is_empty(path));
  CHECK(remove_tree(top.get(), "tree"));  // gone already
  CHECK(rmdir(path.c_str()) == 0);
}

}  // namespace
}  // namespace sbx::os
