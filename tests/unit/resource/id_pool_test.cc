#include "resource/id_pool.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "os/file.h"
#include "support/sandbox.h"

namespace sbx {
namespace {

namespace fs = std::filesystem;
using test::write_file;

constexpr std::uint32_t kFirst = 65536 * 1000;
constexpr std::uint32_t kRange = 65536;

// Two run directories on one machine.
class Machine {
 public:
  Machine() {
    std::string pattern = "/var/tmp/sbx-ids-XXXXXX";
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    directory_ = pattern;
  }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  ~Machine() { fs::remove_all(directory_); }

  [[nodiscard]] std::string run_dir(const std::string& name) const { return directory_ + "/" + name; }
  // The first id claimed; 0: none is free.
  std::uint32_t claim(const std::string& name, const IdPool& pool = {kFirst, 3}) {
    Result<IdClaim> claimed = claim_ids(run_dir(name), pool, directory_ + "/claims");
    if (!claimed) {
      CHECK(claimed.error().text.find("no id range is free") != std::string::npos);
      return 0;
    }
    held_.push_back(*std::move(claimed));
    return held_.back().first_id();
  }
  IdClaim& last() { return held_.back(); }
  // As when the supervisors are killed.
  void drop_all() { held_.clear(); }
  [[nodiscard]] std::string claims() const { return directory_ + "/claims"; }

 private:
  std::string directory_;
  std::vector<IdClaim> held_;
};

}  // namespace

TEST_CASE("two run directories never hold one id range at once") {
  Machine machine;
  CHECK(machine.claim("a") == kFirst + kRange);
  CHECK(machine.claim("b") == kFirst + 2 * kRange);
  CHECK(machine.claim("a") == 0);
  CHECK(machine.claim("b") == 0);
  machine.drop_all();
  CHECK(machine.claim("b") == kFirst + kRange);
}

TEST_CASE("pools of two configurations that overlap share what they have in common") {
  Machine machine;
  CHECK(machine.claim("a", {kFirst, 3}) == kFirst + kRange);
  CHECK(machine.claim("b", {kFirst - kRange, 4}) == kFirst);
  CHECK(machine.claim("b", {kFirst - kRange, 4}) == kFirst + 2 * kRange);
  CHECK(machine.claim("a", {kFirst, 3}) == 0);
}

TEST_CASE("what a killed supervisor of another run directory left keeps its range until it is swept there") {
  Machine machine;
  const IdPool pool{kFirst, 2};
  CHECK(machine.claim("a", pool) == kFirst + kRange);
  REQUIRE(machine.last().write_journal({{}, {"{}"}, {}}));
  machine.drop_all();
  CHECK(machine.claim("b", pool) == 0);
  CHECK(machine.claim("a", pool) == 0);
  auto orphans = find_orphans(machine.run_dir("a"), pool);
  REQUIRE(orphans);
  REQUIRE(orphans->size() == 1);
  CHECK(machine.claim("b", pool) == 0);
  CHECK(orphans->front().claim.clear_journal());
  CHECK(machine.claim("b", pool) == kFirst + kRange);
}

TEST_CASE("a run directory that is gone keeps no range, and a spoiled claim neither") {
  Machine machine;
  const IdPool pool{kFirst, 2};
  CHECK(machine.claim("a", pool) != 0);
  REQUIRE(machine.last().write_journal({{}, {"{}"}, {}}));
  machine.drop_all();
  fs::remove_all(machine.run_dir("a"));
  CHECK(machine.claim("b", pool) != 0);
  machine.drop_all();
  for (const auto& entry : fs::directory_iterator(machine.claims()))
    write_file(entry.path(), std::string("\0\xff/no", 5));
  CHECK(machine.claim("b", pool) != 0);
  machine.drop_all();
  for (const auto& entry : fs::directory_iterator(machine.claims()))
    write_file(entry.path(), std::string(70'000, 'x'));
  CHECK(machine.claim("b", pool) != 0);
}

TEST_CASE("a place for claims that cannot be made is a clear error") {
  Machine machine;
  write_file(machine.claims(), "");
  const Result<IdClaim> claimed = claim_ids(machine.run_dir("a"), {kFirst, 3}, machine.claims());
  REQUIRE(!claimed);
  CHECK(claimed.error().text.find(machine.claims()) != std::string::npos);
  CHECK(claimed.error().text.find("ENOTDIR") != std::string::npos);
}

}  // namespace sbx
