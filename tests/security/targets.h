// What attacks have to aim at: of the host, outside; of a careless caller; and of a project.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "integration/isolation.h"
#include "support/project_view.h"

namespace sbx::test {

// `attacks serve`, while this lives; its files are in a directory of the sandbox's test.
class Targets {
 public:
  explicit Targets(const Sandbox& sandbox) : place_(made_place(sandbox)), process_(command(place_)) {
    REQUIRE(process_.wait_for("serving\n"));
    write_file(place_ + "/input", "text\n");
    REQUIRE(chmod((place_ + "/input").c_str(), 0666) == 0);
  }
  // As arguments of `attacks run`.
  [[nodiscard]] std::vector<std::string> words() const {
    std::vector<std::string> words = lines_of(process_.said());
    words.pop_back();
    return words;
  }

  [[nodiscard]] const std::string& place() const { return place_; }

  // A caller that leaves open, shared and in its environment what a program must not get: see
  // descriptors.cc and mounts.cc.
  [[nodiscard]] ProgramOptions careless_caller() const {
    ProgramOptions options;
    options.environment = {{"SBX_CALLERS_SECRET", "hunter2"}, {"HOME", "/SBX_CALLERS_SECRET"}};
    options.before_exec = [place = place_] {
      // As systemd has it: what is mounted anywhere is mounted for everybody.
      (void)unshare(CLONE_NEWNS);
      (void)mount(nullptr, "/", nullptr, MS_SHARED | MS_REC, nullptr);
      (void)dup2(open((place + "/input").c_str(), O_RDONLY), 0);
      (void)dup2(open("/", O_RDONLY | O_DIRECTORY), 3);
      (void)dup2(open("/etc", O_PATH), 4);
      (void)dup2(open((place + "/secret").c_str(), O_RDONLY), 5);
      (void)dup2(socket(AF_UNIX, SOCK_STREAM, 0), 6);
      (void)dup2(memfd_create("callers", MFD_ALLOW_SEALING), 7);
    };
    return options;
  }

 private:
  static std::string made_place(const Sandbox& sandbox) {
    std::string place = sandbox.directory() + "/targets";
    REQUIRE(mkdir(place.c_str(), 0755) == 0);
    REQUIRE(chmod(sandbox.directory().c_str(), 0755) == 0);
    return place;
  }
  static std::vector<std::string> command(const std::string& place) {
    return {probe_directory() + "/attacks", "serve", "key=" + std::to_string(getpid()), "place=" + place};
  }

  std::string place_;
  Background process_;
};

// A project with files that its owner may only read.
inline void make_project(const Sandbox& sandbox, const std::string& name) {
  REQUIRE(sandbox.run({"--project=" + name, "--", "/bin/true"}).exit_status == 0);
  const ProjectView view(sandbox, name);
  const std::string folder = view.path() + "/project_files";
  struct stat status {};
  REQUIRE(stat(folder.c_str(), &status) == 0);
  for (const char* file : {"/file", "/removed"}) {
    write_file(folder + file, "text\n");
    REQUIRE(chown((folder + file).c_str(), status.st_uid, status.st_gid) == 0);
  }
}

// Files that are more than they seem to be: devices, those with set-id bits, those with capabilities.
inline std::string dangerous_files(const std::string& directory) {
  std::string list;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    struct stat status {};
    REQUIRE(lstat(entry.path().c_str(), &status) == 0);
    const bool device = S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode);
    const bool capable = lgetxattr(entry.path().c_str(), "security.capability", nullptr, 0) > 0;
    if (device || capable || (status.st_mode & 06000) != 0) list += entry.path().string() + "\n";
  }
  return list;
}

}  // namespace sbx::test
