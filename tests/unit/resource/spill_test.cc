// What a keeper writes of a run, where the disk takes it and where it does not.
#include "resource/spill.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "api/spill_reader.h"

namespace sbx {
namespace {

// Nothing longer than that can be written.
void limit_files(rlim_t bytes) {
  rlimit limit{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &limit) == 0);
  limit.rlim_cur = bytes;
  REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

class State {
 public:
  State() {
    std::array<char, 32> name{"/tmp/sbx-spill.XXXXXX"};
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name.data();
    std::filesystem::create_directories(path_ + "/" + kSpillDirectory);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { std::filesystem::remove_all(path_); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string all_of(const Spill& spill) {
  api::SpillReader reader(UniqueFd(dup(spill.reader())));
  std::string all;
  for (auto piece = reader.next(); piece && *piece; piece = reader.next()) {
    const bool gap = (*piece)->missing > 0;
    all += std::to_string((*piece)->stream) + "@" + std::to_string((*piece)->offset) + ":" +
           (gap ? "-" + std::to_string((*piece)->missing) : (*piece)->bytes) + " ";
  }
  return all;
}

}  // namespace

TEST_CASE("stages and output are kept in their order, and readers are told of each") {
  const State state;
  auto spill = Spill::create(state.path(), "run");
  REQUIRE(spill);
  (*spill)->begin_stage("compile");
  (*spill)->begin_stage("run");
  (*spill)->append(0, "text");
  (*spill)->append(1, "bad");
  (*spill)->begin_stage("more");
  std::uint64_t told = 0;
  REQUIRE(read((*spill)->event(), &told, sizeof told) == sizeof told);
  CHECK(told == 5);
  CHECK(all_of(**spill) == "2@0:compile 2@0:run 0@0:text 1@0:bad 2@4:more ");
}

TEST_CASE("a stage that begins on a full disk is told when there is room, behind what is missing") {
  const State state;
  auto spill = Spill::create(state.path(), "run");
  REQUIRE(spill);
  struct sigaction before {};
  struct sigaction ignored {};
  ignored.sa_handler = SIG_IGN;
  REQUIRE(sigaction(SIGXFSZ, &ignored, &before) == 0);
  rlimit limit{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &limit) == 0);
  limit_files(10);
  (*spill)->append(0, "lost");
  (*spill)->begin_stage("test");
  CHECK(all_of(**spill).empty());
  limit_files(limit.rlim_cur);
  (*spill)->append(0, "kept");
  REQUIRE(sigaction(SIGXFSZ, &before, nullptr) == 0);
  CHECK(all_of(**spill) == "0@0:-4 2@4:test 0@4:kept ");
}

}  // namespace sbx
