#include "monitor/run_store.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "base/times.h"
#include "monitor/follow_log.h"
#include "monitor/log_file.h"
#include "monitor/run_statistics.h"

namespace sbx {
namespace {

namespace fs = std::filesystem;

class Place {
 public:
  Place() {
    std::string pattern = (fs::temp_directory_path() / "sbx-runs-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }
  [[nodiscard]] std::string log() const { return directory_ + "/log"; }
  [[nodiscard]] std::string database() const { return directory_ + "/monitor/runs.db"; }

  void write(const std::string& record, std::uint64_t rotate = 1U << 20U) const {
    REQUIRE(append_to_monitor_log({log(), rotate, 50}, record));
  }
  void run(int number, const std::string& outcome = "exited", std::uint64_t rotate = 1U << 20U) const {
    write(line(number, outcome), rotate);
  }
  static std::string line(int number, const std::string& outcome = "exited") {
    const std::string time = rfc3339(1'700'000'000'000 + number * 1'000);
    return R"({"run_id":"run)" + std::to_string(1'000 + number) + R"(","task_id":"t","project_id":)" +
           (number % 2 == 0 ? R"("even")" : "null") +
           R"(,"image":{"name":"host"},"language":null,"outcome":")" + outcome + R"(","status":")" +
           (outcome == "exited" ? "completed" : "error") +
           R"(","failure":null,"caller":{"uid":7},"usage":{"wall_ms":)" + std::to_string(number) +
           R"(,"user_ms":1,"system_ms":2,"memory_peak_bytes":null,"pids_peak":1},"created_at":")" + time +
           R"(","started_at":")" + time + R"(","finished_at":")" + time + R"("})";
  }
  // Followed, as it is then.
  [[nodiscard]] RunStore store(const RunLimits& limits = {100, {}}) const {
    std::string told;
    auto opened = open_followed(directory_, log(), limits, told);
    INFO((opened ? "" : opened.error().text));
    REQUIRE(opened);
    told_ = told;
    return std::move(*opened);
  }
  [[nodiscard]] std::vector<std::string> ids(const RunSearch& search = {}) const {
    const auto found = store().list(search);
    REQUIRE(found);
    std::vector<std::string> ids;
    for (const RunEntry& run : found->runs) ids.push_back(run.id);
    return ids;
  }
  mutable std::string told_;

 private:
  std::string directory_;
};

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("a run of the log is found by what its line says, and an event is none") {
  const auto run = run_in_line(
      R"({"run_id":"r","task_id":"t","project_id":null,"sandbox_id":"s","image":{"name":"i","digest":null},)"
      R"("language":"python","caller":{"token":"ci"},"outcome":"exited","status":"error","failure":{"class":"c"},)"
      R"("usage":{"wall_ms":5,"user_ms":3,"system_ms":null,"memory_peak_bytes":9,"pids_peak":2},)"
      R"("created_at":"2026-11-24T10:00:00.000Z","started_at":"2026-11-24T10:00:00.250Z",)"
      R"("finished_at":"2026-11-24T10:00:01.000Z","seq":7,"prev":"x"})");
  REQUIRE(run);
  CHECK(run->id == "r");
  CHECK(run->task == "t");
  CHECK(run->project.empty());
  CHECK(run->sandbox == "s");
  CHECK(run->image == "i");
  CHECK(run->language == "python");
  CHECK(run->caller == "token:ci");
  CHECK(run->failure == "c");
  CHECK(run->waited_ms == 250);
  CHECK(run->wall_ms == 5);
  CHECK(run->cpu_ms == 3);
  CHECK(run->memory_bytes == 9);
  CHECK(run->pids == 2);
  CHECK(run->finished_ms - run->created_ms == 1'000);
  CHECK(run->json.find("\"seq\"") == std::string::npos);
  CHECK(run->json.find("\"prev\"") == std::string::npos);
  CHECK(run->json.starts_with(R"({"run_id":"r","task_id":"t")"));
  for (const char* other :
       {"", "x", "[]", "{}",
        R"({"event":"cleanup","run_id":"r","outcome":"done","finished_at":"2026-11-24T10:00:00Z"})",
        R"({"run_id":"r","outcome":"exited"})",
        R"({"run_id":7,"outcome":"exited","finished_at":"2026-11-24T10:00:00Z"})"})
    CHECK_FALSE_MESSAGE(run_in_line(other), other);
}

TEST_CASE("the store follows the log: what is new, once, over rotated files") {
  const Place place;
  CHECK(place.ids().empty());  // there is no log yet
  for (int i = 0; i < 3; ++i) place.run(i);
  place.write(R"({"event":"cleanup"})");
  CHECK(place.ids() == Strings{"run1002", "run1001", "run1000"});
  RunStore store = place.store();
  CHECK(*follow_log(place.log(), store) == 0);
  place.run(3);
  CHECK(*follow_log(place.log(), store) == 1);
  // Each file has two lines from here on: what was read is in one that was rotated by then.
  for (int i = 4; i < 10; ++i) place.run(i, "exited", 1'000);
  CHECK(fs::exists(place.log() + ".2"));
  CHECK(*follow_log(place.log(), store) == 6);
  CHECK(place.ids().size() == 10);
  CHECK(*follow_log(place.log(), store) == 0);
  // What is not ended yet is taken when it is.
  const std::string next = Place::line(10);
  std::ofstream(place.log(), std::ios::app) << next.substr(0, 50);
  CHECK(*follow_log(place.log(), store) == 0);
  std::ofstream(place.log(), std::ios::app) << next.substr(50) << "\n";
  CHECK(*follow_log(place.log(), store) == 1);
  CHECK(place.ids().front() == "run1010");
}

TEST_CASE(
    "where the log was put away or another one is there, all that is there is taken, and nothing twice") {
  const Place place;
  for (int i = 0; i < 5; ++i) place.run(i);
  CHECK(place.ids().size() == 5);
  fs::rename(place.log(), place.log() + ".away");
  CHECK(place.ids().size() == 5);
  place.run(5);
  CHECK(place.ids().size() == 6);
  fs::copy_file(place.log() + ".away", place.log(), fs::copy_options::overwrite_existing);
  CHECK(place.ids().size() == 6);
  place.run(6);
  CHECK(place.ids().size() == 7);
  // Cut: the place that was noted is beyond its end.
  fs::resize_file(place.log(), 0);
  place.run(7);
  CHECK(place.ids().size() == 8);
}

TEST_CASE("runs are searched for, in pages, and found by the beginning of their id") {
  const Place place;
  for (int i = 0; i < 6; ++i) place.run(i, i == 3 ? "timed_out" : "exited");
  RunStore store = place.store();
  RunSearch search;
  search.project = "even";
  CHECK(place.ids(search) == Strings{"run1004", "run1002", "run1000"});
  search = {};
  search.outcome = "timed_out";
  CHECK(place.ids(search) == Strings{"run1003"});
  search = {};
  search.task = "t";
  search.since_ms = 1'700'000'001'000;
  search.until_ms = 1'700'000'003'000;
  CHECK(place.ids(search) == Strings{"run1002", "run1001"});
  search = {};
  search.limit = 4;
  auto page = store.list(search);
  REQUIRE((page && page->next));
  CHECK(page->runs.size() == 4);
  CHECK(page->runs.back().json.find("run1002") != std::string::npos);
  search.behind = page->next;
  page = store.list(search);
  REQUIRE(page);
  CHECK(page->runs.size() == 2);
  CHECK_FALSE(page->next);
  CHECK(store.find("run1003")->size() == 1);
  CHECK(store.find("run100")->size() == 2);
  CHECK(store.find("run2")->empty());
  CHECK(store.find("%")->empty());
}

TEST_CASE("runs that are too many or too old are forgotten, and come back no more") {
  const Place place;
  for (int i = 0; i < 9; ++i) place.run(i);
  {
    const RunStore store = place.store({4, {}});
    CHECK(store.list({})->runs.size() == 4);
    CHECK(store.list({})->runs.back().id == "run1005");
  }
  CHECK(place.ids().size() == 4);
  // They are of 2023.
  CHECK(place.store({100, 1}).list({})->runs.empty());
}

TEST_CASE("a store that is broken is kept aside and made anew from the log") {
  const Place place;
  for (int i = 0; i < 3; ++i) place.run(i);
  CHECK(place.ids().size() == 3);
  CHECK(place.told_.empty());
  for (const char* file : {"", "-wal"})
    std::ofstream(place.database() + file, std::ios::trunc) << std::string(8192, 'x');
  CHECK(place.ids().size() == 3);
  CHECK(place.told_.find("runs.db.broken") != std::string::npos);
  CHECK(fs::exists(place.database() + ".broken"));
  CHECK(place.ids().size() == 3);
  CHECK(place.told_.empty());
}

TEST_CASE("runs are counted, with the values in the middle and at the ends") {
  const Spread none = spread_of({});
  CHECK(none.count == 0);
  std::vector<std::int64_t> values;
  for (int i = 100; i > 0; --i) values.push_back(i);
  const Spread spread = spread_of(values);
  CHECK(spread.count == 100);
  CHECK(spread.mean == doctest::Approx(50.5));
  CHECK(spread.p50 == 50);
  CHECK(spread.p90 == 90);
  CHECK(spread.p99 == 99);
  CHECK(spread.most == 100);
  CHECK(spread_of({7}).p99 == 7);
  CHECK(spread_of({1, 2}).p50 == 1);

  RunCounter counter;
  for (int i = 0; i < 4; ++i) {
    auto run = run_in_line(Place::line(i, i == 0 ? "signaled" : "exited"));
    REQUIRE(run);
    if (i == 0) run->failure = "segfault";
    counter.add(*run);
  }
  const RunStatistics counted = counter.finish();
  CHECK(counted.runs == 4);
  CHECK(counted.completed == 3);
  CHECK(counted.outcomes == std::map<std::string, std::uint64_t>{{"exited", 3}, {"signaled", 1}});
  CHECK(counted.failures == std::map<std::string, std::uint64_t>{{"segfault", 1}});
  CHECK(counted.wall_ms.most == 3);
  CHECK(counted.cpu_ms.p50 == 3);
  CHECK(counted.memory_bytes.count == 0);
}

}  // namespace sbx
