// Many runs at once.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <thread>

#include "lifecycle_fixture.h"
#include "support/skip.h"

namespace sbx::test {

TEST_CASE("many supervisors killed at once are all swept by the next starts, which may come at once") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  constexpr int kRuns = 8;
  std::vector<std::string> marks;
  std::vector<std::thread> threads;
  for (int i = 0; i < kRuns; ++i) marks.push_back(unique_duration());
  for (const std::string& mark : marks) {
    threads.emplace_back([&sandbox, mark] {
      (void)run_and_kill(sandbox, mark, {Program::direct, {}, true});
    });
  }
  for (std::thread& thread : threads) thread.join();
  threads.clear();
  for (const std::string& mark : marks) check_nothing_survives(mark);
  std::vector<int> exits(kRuns, -1);
  for (int& status : exits) {
    threads.emplace_back([&sandbox, &status] { status = sandbox.run({"--", "/bin/true"}).exit_status; });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(std::ranges::count(exits, 0) == kRuns);
  CHECK(sandbox.leftovers(2) == "");
  for (const std::string& mark : marks) {
    const auto lines = lines_with(sandbox, mark);
    REQUIRE(lines.size() == 1);
    CHECK(lines[0]["message"].get<std::string>().starts_with(kKilled));
  }
  CHECK(sandbox.log_lines().size() == 2 * kRuns);
}

TEST_CASE("runs of several run directories at once have id ranges of their own") {
  SKIP_UNLESS(is_root(), "needs root");
  constexpr std::size_t kRuns = 8;
  const Sandbox meeting;
  const std::string place = meeting.directory() + "/place";
  std::filesystem::create_directory(place);
  std::filesystem::permissions(place, std::filesystem::perms::all);
  std::vector<std::unique_ptr<Sandbox>> sandboxes;
  std::vector<ProgramResult> results(kRuns);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kRuns; ++i) sandboxes.push_back(std::make_unique<Sandbox>());
  for (std::size_t i = 0; i < kRuns; ++i) {
    // Each says which ids it has, and stays until all are there.
    threads.emplace_back([&, i] {
      const std::string script = "cat /proc/self/uid_map; touch /mnt/" + std::to_string(i) +
                                 "; n=0; while [ $n -lt 3000 ]; do [ $(ls /mnt | wc -l) = 8 ] && exit 0; "
                                 "sleep 0.01; n=$((n+1)); done; exit 1";
      results[i] = sandboxes[i]->shell(script, {"--bind=" + place + ":/mnt:rw"});
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> maps;
  for (const ProgramResult& result : results) {
    CHECK_MESSAGE(result.exit_status == 0, result.err);
    maps.insert(result.out);
  }
  CHECK(maps.size() == kRuns);
}

TEST_CASE("32 runs at once all end right and are all recorded") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  constexpr std::size_t kRuns = 32;
  std::vector<ProgramResult> results(kRuns);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kRuns; ++i) {
    threads.emplace_back([&, i] {
      const std::string number = std::to_string(i);
      results[i] =
          sandbox.shell("echo out-" + number + "; echo err-" + number + " >&2; sleep 0.2; exit " + number);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < kRuns; ++i) {
    CHECK(results[i].exit_status == static_cast<int>(i));
    CHECK(results[i].out == "out-" + std::to_string(i) + "\n");
    CHECK(results[i].err == "err-" + std::to_string(i) + "\n");
  }
  std::set<std::string> ids;
  std::set<int> codes;
  for (const json& line : sandbox.log_lines()) {
    ids.insert(line["run_id"]);
    codes.insert(line["exit_code"].get<int>());
  }
  CHECK(ids.size() == kRuns);
  CHECK(codes.size() == kRuns);
  CHECK(sandbox.log_lines().size() == kRuns);
  CHECK(sandbox.leftovers(0) == "");
}

}  // namespace sbx::test
