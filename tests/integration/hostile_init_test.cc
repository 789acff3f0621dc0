// An init that was taken over speaks to its supervisor: it can lie about how the program ended, and about
// nothing else; the run ends, in time, with a result that is one.
#include <doctest/doctest.h>

#include <filesystem>

#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Strings = std::vector<std::string>;

// Our programs, but for init (os/own_places.h: those that lie together find each other).
class Programs {
 public:
  explicit Programs(const Sandbox& sandbox) : sandbox_(sandbox), bin_(sandbox.directory() + "/build/bin") {
    fs::create_directories(bin_);
    for (const char* name : {"sbxrun", "sbx-direct", "sbx-spawner"})
      fs::copy_file(program_directory() + "/" + name, bin_ + "/" + name);
    fs::copy_file(probe_directory() + "/hostile_init", bin_ + "/sbx-init");
    fs::copy(std::string(std::getenv("SBX_TEST_DATA")) + "/policies", sandbox.directory() + "/policies",
             fs::copy_options::recursive);
  }

  // The result of a run whose init plays `part`, and its exit status.
  std::pair<json, int> run(const std::string& part, const Strings& options = {}) const {
    const std::string file = sandbox_.directory() + "/result.json";
    Strings all{bin_ + "/sbxrun", "--direct",           "--quiet",   "--result",         file,
                "--state-dir",    sandbox_.state_dir(), "--run-dir", sandbox_.run_dir(), "--log",
                sandbox_.log()};
    all.insert(all.end(), options.begin(), options.end());
    all.insert(all.end(), {"--", "/bin/true", part});
    const ProgramResult result = run_program(all);
    INFO(part << " said: " << result.err);
    CHECK_FALSE(result.timed_out);
    json object = json::parse(read_file(file), nullptr, false);
    REQUIRE(object.is_object());
    fs::remove(file);
    const json& wall = object["usage"]["wall_ms"];
    CHECK((wall.is_null() || wall < 120'000));
    CHECK(wall.is_null() == object["started_at"].is_null());
    CHECK(sandbox_.log_lines().back()["outcome"] == object["outcome"]);
    return {std::move(object), result.exit_status};
  }

 private:
  const Sandbox& sandbox_;
  std::string bin_;
};

}  // namespace

TEST_CASE("whatever an init that was taken over says, the run ends with a result") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Programs programs(sandbox);
  struct Case {
    const char* part;
    const char* outcome;
    int exit_status;
  };
  for (const Case& one : {Case{"nothing", "setup_failed", 125}, Case{"garbage", "setup_failed", 125},
                          Case{"not_started", "setup_failed", 125}, Case{"odd_step", "setup_failed", 126},
                          Case{"after_failure", "setup_failed", 125}, Case{"past", "exited", 0},
                          Case{"turned_round", "exited", 0}, Case{"descriptors", "exited", 0},
                          Case{"too_many_descriptors", "setup_failed", 125}, Case{"twice", "exited", 7},
                          Case{"stopped", "signaled", 255}, Case{"odd_status", "signaled", 255},
                          Case{"own_socket", "exited", 0}}) {
    CAPTURE(std::string(one.part));
    const auto [object, exit_status] = programs.run(one.part);
    CHECK(object["outcome"] == one.outcome);
    CHECK(exit_status == one.exit_status);
  }
}

TEST_CASE("an init that was taken over has no more time than it was given") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Programs programs(sandbox);
  const std::string limit = std::to_string(500 * time_scale()) + "ms";
  for (const char* part : {"future", "flood"}) {
    CAPTURE(std::string(part));
    const auto [object, exit_status] = programs.run(part, {"--wall-time", limit});
    CHECK(object["outcome"] == "timed_out");
    CHECK(exit_status == 124);
  }
}

TEST_CASE("an init that gives its socket away as the terminal does not keep the run from ending") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Programs programs(sandbox);
  const auto [object, exit_status] = programs.run("own_socket", {"-t"});
  CHECK(object["outcome"] == "exited");
  CHECK(exit_status == 0);
}

}  // namespace sbx::test
