// The history on a real file, through restarts; what is forgotten.
#include "unit/api/history_place.h"

namespace sbx::api {

namespace fs = std::filesystem;
using namespace testing;

TEST_CASE("a run is found again as it was, also by the next process") {
  const Place place;
  RunRecord run = new_run("task", 1234);
  run.about.project = "project";
  run.about.sandbox = new_run_id();
  run.about.labels = {{"a", "b"}, {"c", "\xE2\x82\xAC \" ' \\"}};
  {
    Opened opened(place);
    opened.history.begin(run);
    auto found = opened.history.find(run.about.id);
    REQUIRE((found && *found));
    CHECK((*found)->status == "queued");
    CHECK_FALSE((*found)->ended());
    opened.history.set_running(run.about.id);
    CHECK((*opened.history.find(run.about.id))->status == "running");
    run = ended(run, "timeout", "timed_out");
    run.output_bytes = 77;
    opened.history.end(run);
    CHECK(opened.history.totals().runs == 1);
    CHECK(opened.history.totals().bytes == 77 + static_cast<std::int64_t>(run.result.size()));
    CHECK(opened.said.empty());
  }
  for (int i = 0; i < 2; ++i) {
    Opened opened(place);
    auto found = opened.history.find(run.about.id);
    REQUIRE((found && *found));
    const RunRecord& again = **found;
    CHECK(again.about.task == "task");
    CHECK(again.about.project == "project");
    CHECK(again.about.sandbox == run.about.sandbox);
    CHECK(again.about.labels == run.about.labels);
    CHECK(again.about.owner == "uid:1234");
    CHECK(again.about.created_ms == run.about.created_ms);
    CHECK(again.status == "timeout");
    CHECK(again.outcome == "timed_out");
    CHECK(again.result == run.result);
    CHECK(again.finished_ms == run.finished_ms);
    CHECK(again.output_bytes == 77);
    CHECK(opened.history.totals().bytes == 77 + static_cast<std::int64_t>(run.result.size()));
    CHECK_FALSE(*opened.history.find(new_run_id()));
    CHECK(opened.said.empty());
  }
}

TEST_CASE("what had not ended is told as ended by the next process, with what it wrote") {
  const Place place;
  const RunRecord running = new_run();
  const RunRecord queued = new_run();
  {
    Opened opened(place);
    opened.history.begin(running);
    opened.history.begin(queued);
    opened.history.set_running(running.about.id);
    place.write_output(running.about.id, "twelve bytes");
    // One that goes on here is not told so.
    opened.look_after_all();
    CHECK_FALSE((*opened.history.find(running.about.id))->ended());
    CHECK(place.has_output(running.about.id));
  }
  Opened opened(place);
  for (const RunRecord& run : {running, queued}) {
    const auto found = opened.history.find(run.about.id);
    REQUIRE((found && *found));
    CHECK((*found)->ended());
    CHECK((*found)->status == "error");
    CHECK((*found)->outcome == "cancelled");
    const Json result = Json::parse((*found)->result);
    CHECK(result["run_id"] == run.about.id);
    CHECK(result["message"].get<std::string>().find("its supervisor ended") != std::string::npos);
    CHECK((result["stdout"].is_null()) == (run.about.id == queued.about.id));
  }
  CHECK(Json::parse((*opened.history.find(running.about.id))->result)["stdout"]["bytes"] == 12);
  opened.look_after_all();
  CHECK(place.has_output(running.about.id));
  // What that process says late changes nothing.
  opened.history.end(ended(running));
  CHECK((*opened.history.find(running.about.id))->outcome == "cancelled");
}

TEST_CASE("output without a run is removed, and nothing else") {
  const Place place;
  RunRecord kept = new_run();
  const std::string stray = new_run_id();
  {
    Opened opened(place);
    opened.history.begin(kept);
    place.write_output(kept.about.id, "x");
    kept = ended(kept);
    kept.output_bytes = 1;
    opened.history.end(kept);
  }
  place.write_output(stray, "x");
  std::ofstream(place.output() + "/no run") << "x";
  Opened opened(place);
  opened.look_after_all();
  CHECK(place.has_output(kept.about.id));
  CHECK_FALSE(place.has_output(stray));
  CHECK(fs::exists(place.output() + "/no run"));
}

TEST_CASE("a key means its request for a day, for its owner, and through a restart") {
  const Place place;
  const MadeByKey key{"uid:1", "key", "hash", new_run_id(), utc_ms()};
  const MadeByKey old{"uid:1", "old", "hash", new_run_id(), utc_ms() - kKeyLifeMs - 1000};
  {
    Opened opened(place);
    opened.history.begin(new_run(), key);
    opened.history.put_key(old);
  }
  Opened opened(place);
  const auto found = opened.history.find_key("uid:1", "key");
  REQUIRE((found && *found));
  CHECK((*found)->id == key.id);
  CHECK((*found)->request == "hash");
  CHECK_FALSE(*opened.history.find_key("uid:2", "key"));
  CHECK_FALSE(*opened.history.find_key("uid:1", "Key"));
  CHECK_FALSE(*opened.history.find_key("uid:1", "old"));
  opened.look_after_all();
  CHECK(opened.history.totals().keys == 1);
  opened.history.forget_keys_of(key.id);
  CHECK_FALSE(*opened.history.find_key("uid:1", "key"));
  CHECK(opened.history.totals().keys == 0);
}

TEST_CASE("the oldest runs are forgotten when they are too many or too old, with what they wrote") {
  const Place place;
  HistoryLimits limits;
  limits.runs = 5;
  limits.days = 2;
  Opened opened(place, limits);
  std::vector<RunRecord> runs;
  const RunRecord going_on = new_run();
  opened.history.begin(going_on);
  for (int i = 0; i < 8; ++i) {
    RunRecord run = new_run();
    if (i == 6) run.about.created_ms -= 3LL * 24 * 3600 * 1000;
    run.about.labels = {{"a", "b"}};
    place.write_output(run.about.id, "x");
    opened.history.begin(run);
    run = ended(run);
    run.output_bytes = 1;
    opened.history.end(run);
    runs.push_back(run);
  }
  opened.look_after_all();
  CHECK(opened.history.totals().runs == 5);
  for (int i = 0; i < 8; ++i) {
    CAPTURE(i);
    const RunRecord& run = runs[static_cast<std::size_t>(i)];
    const bool kept = i == 7 || i == 5 || i == 4 || i == 3;
    CHECK((*opened.history.find(run.about.id)).has_value() == kept);
    CHECK(place.has_output(run.about.id) == kept);
  }
  CHECK((*opened.history.find(going_on.about.id)).has_value());
  const auto file = HistoryFile::open(place.file());
  CHECK(*file->database().number("SELECT count(*) FROM labels") == 4);
  CHECK(*file->database().number("SELECT count(*) FROM results") == 4);
}

TEST_CASE("too many bytes: what was written is forgotten before the runs are") {
  const Place place;
  HistoryLimits limits;
  limits.bytes = 1000;
  Opened opened(place, limits);
  std::vector<RunRecord> runs;
  for (int i = 0; i < 4; ++i) {
    RunRecord run = new_run();
    place.write_output(run.about.id, "x");
    opened.history.begin(run);
    run = ended(run);
    run.output_bytes = 300;
    opened.history.end(run);
    runs.push_back(run);
  }
  opened.look_after_all();
  CHECK(opened.history.totals().runs == 4);
  CHECK(opened.history.totals().bytes <= 1000);
  CHECK_FALSE((*opened.history.find(runs[0].about.id))->output_bytes);
  CHECK_FALSE(place.has_output(runs[0].about.id));
  CHECK((*opened.history.find(runs[3].about.id))->output_bytes == 300);
  CHECK(place.has_output(runs[3].about.id));
  // Then whole runs.
  RunRecord large = new_run();
  opened.history.begin(large);
  large = ended(large);
  large.result = "\"" + std::string(985, 'x') + "\"";
  opened.history.end(large);
  opened.look_after_all();
  CHECK(opened.history.totals().bytes <= 1000);
  CHECK(opened.history.totals().runs == 1);
  CHECK((*opened.history.find(large.about.id)).has_value());
  for (const RunRecord& run : runs) CHECK_FALSE(place.has_output(run.about.id));
}

}  // namespace sbx::api
