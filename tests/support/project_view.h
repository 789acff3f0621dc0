// The files of a project as the host's root has them, while no sandbox uses it: its file system is mounted
// below the test's own directory.
#pragma once

#include <doctest/doctest.h>

#include <filesystem>

#include "support/process_tree.h"
#include "support/sandbox.h"

namespace sbx::test {

class ProjectView {
 public:
  ProjectView(const Sandbox& sandbox, const std::string& project) : path_(sandbox.directory() + "/view") {
    REQUIRE(sandbox.leftovers() == "");  // one block device at a time
    std::filesystem::create_directory(path_);
    const std::string head = read_file(sandbox.state_dir() + "/projects/" + project + "/head");
    head_ = head.substr(0, head.find(' '));
    image_ = sandbox.state_dir() + "/projects/" + project + "/workspace.ext4";
    REQUIRE(run_program({"/usr/bin/mount", "-o", "loop,nosuid,nodev", image_, path_}).exit_status == 0);
  }
  ProjectView(const ProjectView&) = delete;
  ProjectView& operator=(const ProjectView&) = delete;
  // A mount namespace that somebody else made meanwhile may have it for a moment more: what is written last
  // comes to the file only then.
  ~ProjectView() {
    CHECK(run_program({"/usr/bin/umount", path_}).exit_status == 0);
    CHECK(wait_until(std::chrono::milliseconds(10'000), [&] {
      return run_program({"/usr/sbin/losetup", "-j", image_}).out.empty();
    }));
  }

  // Of the generation that its runs see.
  [[nodiscard]] std::string path() const { return path_ + "/g/" + head_; }

 private:
  std::string path_;
  std::string image_;
  std::string head_;
};

}  // namespace sbx::test
