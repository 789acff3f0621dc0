#include "policy/policy_cache.h"

#include <filesystem>

#include "policy_fixture.h"

namespace sbx {
namespace {

using namespace testing;
namespace fs = std::filesystem;

std::string shipped(const std::string& name) {
  return read_text(std::string(std::getenv("SBX_TEST_DATA")) + "/policies/" + name + ".yaml");
}

void check_same(const Policy& a, const Policy& b) {
  CHECK(a.name == b.name);
  CHECK(a.description == b.description);
  CHECK(a.limits == b.limits);
  CHECK(a.ceilings == b.ceilings);
  CHECK(a.wall_time_with_tty == b.wall_time_with_tty);
  CHECK(a.seccomp == b.seccomp);
  CHECK(a.writable_root == b.writable_root);
  CHECK(a.workspace_layout == b.workspace_layout);
  CHECK(a.allow_degraded == b.allow_degraded);
  CHECK(a.bind_roots == b.bind_roots);
  CHECK(a.uploads == b.uploads);
}

std::vector<fs::path> entries(const std::string& cache) {
  std::vector<fs::path> files;
  if (!fs::exists(cache)) return files;
  for (const auto& file : fs::directory_iterator(cache)) files.push_back(file.path());
  return files;
}

TEST_CASE("a policy from the cache is the policy that was parsed") {
  const TempDirectory directory;
  const std::string cache = directory.path() + "/state/cache";
  for (const std::string name : {"default", "strict", "permissive"}) {
    CAPTURE(name);
    std::string text = shipped(name);
    if (name == "permissive") {
      text = replaced(text, "allow_degraded: []", "allow_degraded: [pids, swap]");
      text = replaced(text, "layout: split", "layout: flat");
      text = replaced(text, "bind_roots: []", "bind_roots: [{path: /a, mode: rw, users: [b]}, {path: /c}]");
      text = replaced(text, "wall_time_with_tty: limited", "wall_time_with_tty: unlimited");
    }
    const Policy parsed = parse_policy("p.yaml", text).value();
    check_same(parse_policy_cached("p.yaml", text, cache).value(), parsed);
    check_same(parse_policy_cached("p.yaml", text, cache).value(), parsed);
  }
  CHECK(entries(cache).size() == 3);
}

TEST_CASE("what is read is the entry, and a torn one is made again") {
  const TempDirectory directory;
  const std::string cache = directory.path() + "/state/cache";
  const std::string text = shipped("default");
  REQUIRE(parse_policy_cached("p.yaml", text, cache));
  const fs::path entry = entries(cache).at(0);
  const std::string good = read_text(entry);
  const fs::file_time_type written = fs::last_write_time(entry) - std::chrono::hours(1);
  fs::last_write_time(entry, written);
  REQUIRE(parse_policy_cached("p.yaml", text, cache));
  CHECK(fs::last_write_time(entry) == written);
  std::ofstream(entry, std::ios::trunc) << good.substr(0, good.size() - 1);
  REQUIRE(parse_policy_cached("p.yaml", text, cache));
  CHECK(read_text(entry) == good);
}

TEST_CASE("a bad policy is not kept, and without a cache nothing is made") {
  const TempDirectory directory;
  const std::string cache = directory.path() + "/state/cache";
  const std::string bad = shipped("default") + "\nnonsense: 1\n";
  CHECK_FALSE(parse_policy_cached("p.yaml", bad, cache));
  CHECK_FALSE(parse_policy_cached("p.yaml", bad, cache));
  CHECK(parse_policy_cached("p.yaml", shipped("default"), ""));
  CHECK(entries(cache).empty());
}

}  // namespace
}  // namespace sbx
