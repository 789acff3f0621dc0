// What a project says about itself on disk.
#include "resource/project_record.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "os/file.h"

namespace sbx {
namespace {

namespace fs = std::filesystem;

class Directory {
 public:
  Directory() {
    std::string pattern = "/tmp/sbx-record-XXXXXX";
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { fs::remove_all(path_); }

  [[nodiscard]] const std::string& path() const { return path_; }
  void write(const char* name, const std::string& text) const {
    REQUIRE(os::replace_file(AT_FDCWD, path_ + "/" + name, text, 0600));
  }

 private:
  std::string path_;
};

}  // namespace

TEST_CASE("a project's record is read as it was written") {
  const Directory directory;
  for (const ProjectRecord& record :
       {ProjectRecord{WorkspaceLayout::split, ProjectStorage::directory, {}, 0},
        ProjectRecord{WorkspaceLayout::flat, ProjectStorage::image, {1 << 20, 100}, 0},
        ProjectRecord{WorkspaceLayout::split, ProjectStorage::image, {1 << 20, {}}, 0},
        ProjectRecord{WorkspaceLayout::split, ProjectStorage::quota, {1 << 20, 5}, 77}}) {
    REQUIRE(write_project_record(directory.path(), record));
    const auto read = read_project_record(directory.path());
    REQUIRE(read);
    CHECK(read->layout == record.layout);
    CHECK(read->storage == record.storage);
    CHECK(read->limits == record.limits);
    CHECK(read->quota_id == record.quota_id);
  }
}

TEST_CASE("a project without a storage file was made before there were limits") {
  const Directory directory;
  CHECK(read_project_record(directory.path()).error().error_number == ENOENT);
  directory.write("layout", "split\n");
  CHECK(read_project_record(directory.path())->storage == ProjectStorage::directory);
}

TEST_CASE("a spoiled record is an error, not another storage") {
  const Directory directory;
  directory.write("layout", "split\n");
  for (const char* text :
       {"", "image\n", "image 5\n", "image none none\n", "image 0 5\n", "image -5 5\n", "image 5x 5\n",
        "image 5 5 5\n", "quota 5 5\n", "quota 5 5 none\n", "quota 5 5 99999999999\n", "quota 5 5 5 5\n",
        "directory 5\n", "tape\n", "image 99999999999999999999 5\n"}) {
    directory.write("storage", text);
    const auto read = read_project_record(directory.path());
    REQUIRE_FALSE(read);
    CHECK(read.error().text.starts_with("its storage file is none of"));
  }
  directory.write("layout", "round\n");
  CHECK(read_project_record(directory.path()).error().text == "its layout file says neither flat nor split");
}

TEST_CASE("no two projects get one quota id") {
  const Directory directory;
  const auto first = next_quota_id(directory.path());
  const auto second = next_quota_id(directory.path());
  REQUIRE((first && second));
  CHECK(*second == *first + 1);
}

}  // namespace sbx
