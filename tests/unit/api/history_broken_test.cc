// A history whose file is of another version, or broken, or cannot be written.
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/history_schema.h"
#include "support/skip.h"
#include "unit/api/history_place.h"

namespace sbx::api {

namespace fs = std::filesystem;
using namespace testing;

TEST_CASE("a file of an older version is brought to this one, with what is in it") {
  const Place place;
  const RunRecord run = new_run();
  {
    const auto database = Database::open(place.file(), "history");
    REQUIRE(database);
    REQUIRE(database->execute(kHistoryRuns));
    REQUIRE(database->execute("PRAGMA user_version = 1"));
    REQUIRE(
        database->execute("INSERT INTO runs (id, owner, labels, created_ms, status, outcome, finished_ms) "
                          "VALUES ('" +
                          run.about.id + "', 'uid:5', '{}', 17, 'completed', 'exited', 18)"));
  }
  Opened opened(place);
  const auto found = opened.history.find(run.about.id);
  REQUIRE((found && *found));
  CHECK((*found)->about.owner == "uid:5");
  opened.history.put_key({"uid:1", "key", "hash", "id", utc_ms()});
  CHECK(*opened.history.find_key("uid:1", "key"));
  CHECK(opened.said.empty());
  CHECK(place.broken().empty());
  CHECK(*HistoryFile::open(place.file())->database().number("PRAGMA user_version") == kHistorySchema.size());
}

TEST_CASE("a file that is none, or of a newer version, is moved aside, and a new one is begun") {
  for (const std::string kind : {"bytes", "newer", "other"}) {
    CAPTURE(kind);
    const Place place;
    if (kind == "bytes") {
      std::ofstream(place.file()) << std::string(10'000, 'x');
    } else {
      const auto database = Database::open(place.file(), "history");
      REQUIRE(database->execute(kind == "newer" ? "PRAGMA user_version = 99" : "CREATE TABLE runs (a)"));
    }
    Opened opened(place);
    CHECK(opened.said.find("history.db.broken-2") != std::string::npos);
    CHECK(place.broken().size() == 1);
    const RunRecord run = add(opened.history, new_run());
    CHECK(*opened.history.find(run.about.id));
    CHECK(opened.history.problem().empty());
  }
}

TEST_CASE("a file that turns out to be broken while it is used is moved aside, two of them are kept") {
  const Place place;
  for (int i = 0; i < 3; ++i) {
    CAPTURE(i);
    {
      Opened opened(place);
      for (int n = 0; n < 200; ++n) (void)add(opened.history, new_run("task"));
    }
    // All behind its first page.
    const auto size = fs::file_size(place.file());
    REQUIRE(size > 40'000);
    std::fstream file(place.file(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(8192);
    file << std::string(size - 8192, '\x7F');
    file.close();
    Opened opened(place);
    const RunRecord run = add(opened.history, new_run());
    RunFilter filter;
    filter.task = "task";
    CHECK(ids(opened.history.list(filter)).empty());
    CHECK(opened.said.find("broken-") != std::string::npos);
    CHECK(opened.history.problem().empty());
    const RunRecord next = add(opened.history, new_run());
    CHECK(*opened.history.find(next.about.id));
  }
  CHECK(place.broken().size() == 2);
}

TEST_CASE("another program that writes is waited for, later") {
  const Place place;
  Opened opened(place);
  const auto other = Database::open(place.file(), "history");
  REQUIRE(other->execute("BEGIN IMMEDIATE"));
  const RunRecord run = add(opened.history, new_run());
  CHECK_FALSE(opened.history.problem().empty());
  CHECK((*opened.history.find(run.about.id))->outcome == "exited");
  CHECK(opened.history.unwritten() == 1);
  REQUIRE(other->execute("COMMIT"));
  wait_until_written(opened.history);
  CHECK(opened.history.problem().empty());
  CHECK(opened.history.unwritten() == 0);
  CHECK(ids(opened.history.list({})) == std::vector{run.about.id});
}

TEST_CASE("a full disk stops no run, and when there is space again all is written") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  const Place place;
  const pid_t child = fork();
  if (child == 0) {
    const auto must = [](bool good, int line) {
      if (!good) {
        (void)fprintf(stderr, "line %d\n", line);
        _exit(1);
      }
    };
#define MUST(what) must((what), __LINE__)
    MUST(unshare(CLONE_NEWNS) == 0);
    MUST(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
    MUST(mount("none", place.path().c_str(), "tmpfs", 0, "size=16m") == 0);
    MUST(mkdir(place.output().c_str(), 0700) == 0);
    Opened opened(place);
    const RunRecord before = add(opened.history, new_run());
    const RunRecord across = new_run();
    opened.history.begin(across);
    const std::string filler = place.path() + "/filler";
    {
      std::ofstream file(filler);
      while (file << std::string(4096, 'x') << std::flush) continue;
    }
    std::vector<RunRecord> runs;
    for (int i = 0; i < 100; ++i) {
      RunRecord run = new_run();
      run.about.labels = {{"n", std::to_string(i)}};
      opened.history.begin(run,
                           MadeByKey{"uid:1", "key" + std::to_string(i), "hash", run.about.id, utc_ms()});
      opened.history.set_running(run.about.id);
      run = ended(run);
      run.result = R"({"outcome":"exited","x":")" + std::string(4000, 'x') + "\"}";
      opened.history.end(run);
      runs.push_back(run);
    }
    opened.history.end(ended(across));
    MUST(opened.history.problem().find("full") != std::string::npos);
    MUST(opened.history.unwritten() > 0);
    MUST(opened.said.find("runs go on") != std::string::npos);
    const auto all_there = [&] {
      for (const RunRecord& run : runs) {
        const auto found = opened.history.find(run.about.id);
        if (!found || !*found || (*found)->result != run.result) return false;
      }
      for (int i = 0; i < 100; ++i) {
        const auto key = opened.history.find_key("uid:1", "key" + std::to_string(i));
        if (!key || !*key || (*key)->id != runs[static_cast<std::size_t>(i)].about.id) return false;
      }
      return (*opened.history.find(before.about.id))->ended() &&
             (*opened.history.find(across.about.id))->ended();
    };
    MUST(all_there());
    fs::remove(filler);
    wait_until_written(opened.history);
    MUST(opened.history.problem().empty());
    MUST(opened.history.unwritten() == 0);
    MUST(opened.said.find("written again") != std::string::npos);
    MUST(all_there());
    RunFilter filter;
    filter.limit = 500;
    MUST(opened.history.list(filter)->runs.size() == 102);
#undef MUST
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("a directory that cannot be written is told, and runs are known as long as the process lives") {
  const Place place;
  KeptOutput output(place.output());
  std::string said;
  History history(place.path() + "/nowhere", {}, output, [&](const std::string& text) { said += text; });
  CHECK_FALSE(said.empty());
  const RunRecord run = add(history, new_run());
  CHECK((*history.find(run.about.id))->ended());
  CHECK_FALSE(history.find(new_run_id()));
  CHECK_FALSE(history.list({}));
  CHECK_FALSE(history.find_key("a", "b"));
  fs::create_directory(place.path() + "/nowhere");
  wait_until_written(history);
  CHECK(ids(history.list({})) == std::vector{run.about.id});
}

}  // namespace sbx::api
