// The setting `cgroup_parent`: where sandboxes are made, on pure v2 and on hybrid hosts.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <sstream>

#include "support/process_tree.h"
#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

namespace fs = std::filesystem;

// Where cgroup hierarchies are mounted.
std::set<std::string> hierarchies() {
  std::set<std::string> places;
  std::istringstream lines(read_file("/proc/self/mounts"));
  for (std::string device, place, type, rest;
       lines >> device >> place >> type && std::getline(lines, rest);) {
    if (type == "cgroup" || type == "cgroup2") places.insert(place);
  }
  return places;
}

// A group of this test's own in each hierarchy, removed at its end.
class OwnGroup {
 public:
  OwnGroup() = default;
  OwnGroup(const OwnGroup&) = delete;
  OwnGroup& operator=(const OwnGroup&) = delete;
  ~OwnGroup() {
    for (const std::string& directory : directories()) (void)rmdir(directory.c_str());
  }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::set<std::string> directories() const {
    std::set<std::string> all;
    for (const std::string& place : hierarchies()) {
      if (fs::exists(place + "/" + name_)) all.insert(place + "/" + name_);
    }
    return all;
  }

 private:
  std::string name_ = "sbxtest." + std::to_string(getpid());
};

std::string members(const fs::path& below) {
  std::string text;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(below, error)) {
    if (entry.path().filename() == "cgroup.procs") text += read_file(entry.path());
  }
  return text;
}

}  // namespace

TEST_SUITE_BEGIN("v2");

TEST_CASE("sandboxes are made below cgroup_parent in every hierarchy that limits them") {
  SKIP_UNLESS(is_root(), "needs root");
  const OwnGroup group;
  const Sandbox sandbox;
  const std::string config = sandbox.directory() + "/config.yaml";
  write_file(config, "cgroup_parent: /sys/fs/cgroup/" + group.name() + "\n");
  const std::string mark = unique_duration();
  ProgramOptions options;
  std::size_t holding = 0;
  options.after_start = [&](pid_t sbxrun) {
    (void)wait_until(milliseconds(10'000), [&] { return runs_inside(mark); });
    const std::string init = std::to_string(find_program(sbxrun, Program::init));
    for (const std::string& directory : group.directories()) {
      if (("\n" + members(directory)).find("\n" + init + "\n") != std::string::npos) ++holding;
    }
    (void)kill(sbxrun, SIGTERM);
  };
  const ProgramResult result = sandbox.run({"--config", config, "--", "/bin/sleep", mark}, options);
  CHECK_MESSAGE(result.exit_status == 143, result.err);
  CHECK(!group.directories().empty());
  CHECK(holding == group.directories().size());
  for (const std::string& directory : group.directories()) CHECK(members(directory).empty());
  const auto limited = sandbox.run_json(
      {"--config", config, "-m", "32M", "--", "/bin/sh", "-c", "head -c 300M /dev/zero | tail -c 1G"});
  CHECK(limited["outcome"] == "out_of_memory");
}

TEST_CASE("a cgroup_parent that is no group is an error that names the setting") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string config = sandbox.directory() + "/config.yaml";
  const std::string place = sandbox.directory() + "/group";
  write_file(config, "cgroup_parent: " + place + "\n");
  const ProgramResult result = sandbox.run({"--config", config, "--", "/bin/true"});
  CHECK(result.exit_status == 125);
  CHECK_MESSAGE(result.err.find("cgroup_parent '" + place + "'") != std::string::npos, result.err);
  CHECK(!fs::exists(place));
  const ProgramResult doctor = run_program({program_directory() + "/sbxctl", "--config", config, "doctor"});
  CHECK(doctor.exit_status == 1);
  CHECK_MESSAGE(doctor.out.find("cgroup_parent") != std::string::npos, doctor.out);
}

TEST_SUITE_END();

}  // namespace sbx::test
