// The list of runs.
#include "api/history_query.h"
#include "unit/api/history_place.h"

namespace sbx::api {

namespace fs = std::filesystem;
using namespace testing;

TEST_CASE("the list has the newest first, what was asked for, and each run once while others come") {
  const Place place;
  Opened opened(place);
  std::vector<std::string> all;
  for (int i = 0; i < 40; ++i) {
    RunRecord run = new_run("task" + std::to_string(i % 4), i % 2 == 0 ? 1000 : 1001);
    run.about.project = i % 3 == 0 ? "p" : "";
    run.about.labels = {{"kind", i % 5 == 0 ? "five" : "other"}, {"n", std::to_string(i)}};
    if (i % 10 == 9) run.about.created_ms = now_ms() - 1;  // of the same millisecond as the one before
    opened.history.begin(run);
    opened.history.end(ended(run, i % 4 == 1 ? "error" : "completed", i % 4 == 1 ? "signaled" : "exited"));
    all.insert(all.begin(), run.about.id);
  }
  const auto list = [&](const RunFilter& filter) { return ids(opened.history.list(filter)); };
  RunFilter filter;
  CHECK(list(filter) == all);

  const auto of = [&](auto wanted) {
    std::vector<std::string> found;
    for (int i = 39; i >= 0; --i) {
      if (wanted(i)) found.push_back(all[static_cast<std::size_t>(39 - i)]);
    }
    return found;
  };
  filter.task = "task2";
  CHECK(list(filter) == of([](int i) { return i % 4 == 2; }));
  filter.project = "p";
  CHECK(list(filter) == of([](int i) { return i % 4 == 2 && i % 3 == 0; }));
  filter = {};
  filter.owner = "uid:1001";
  filter.outcome = "signaled";
  CHECK(list(filter) == of([](int i) { return i % 2 == 1 && i % 4 == 1; }));
  filter.status = "completed";
  CHECK(list(filter).empty());
  filter = {};
  filter.labels = {{"kind", "five"}};
  CHECK(list(filter) == of([](int i) { return i % 5 == 0; }));
  filter.labels = {{"kind", "five"}, {"n", "20"}};
  CHECK(list(filter) == of([](int i) { return i == 20; }));
  filter.labels = {{"kind", std::nullopt}, {"n", "21"}};
  CHECK(list(filter) == of([](int i) { return i == 21; }));
  filter.labels = {{"nothing", std::nullopt}};
  CHECK(list(filter).empty());
  filter = {};
  filter.among = {"q", "p"};
  CHECK(list(filter) == of([](int i) { return i % 3 == 0; }));
  filter.task = "task2";
  CHECK(list(filter) == of([](int i) { return i % 4 == 2 && i % 3 == 0; }));
  filter.among = {"q"};
  CHECK(list(filter).empty());
  filter = {};
  filter.owner_or_project = "uid:1001";
  CHECK(list(filter) == of([](int i) { return i % 3 == 0 || i % 2 == 1; }));
  filter = {};
  filter.sandbox = "none";
  CHECK(list(filter).empty());

  // By page, while runs come.
  for (const bool by_label : {false, true}) {
    filter = {};
    filter.limit = 7;
    if (by_label) filter.labels = {{"kind", "other"}};
    std::vector<std::string> seen;
    for (int i = 0; i < 20; ++i) {
      const auto page = opened.history.list(filter);
      for (const std::string& id : ids(page)) seen.push_back(id);
      RunRecord other = new_run("later");
      other.about.labels = {{"kind", "other"}};
      (void)add(opened.history, other);
      if (!page->next) break;
      filter.behind = *parse_cursor(cursor_of(*page->next));
    }
    std::erase_if(seen, [&](const std::string& id) { return std::ranges::find(all, id) == all.end(); });
    CHECK(seen == (by_label ? of([](int i) { return i % 5 != 0; }) : all));
  }
}

TEST_CASE("runs are listed from one time to another, whatever page") {
  const Place place;
  Opened opened(place);
  for (int i = 0; i < 10; ++i) {
    RunRecord run = new_run();
    run.about.created_ms = 1'000'000 + i * 1000;
    (void)add(opened.history, run);
  }
  RunFilter filter;
  filter.since_ms = 1'002'000;
  filter.until_ms = 1'007'000;
  filter.limit = 2;
  std::vector<std::int64_t> seen;
  for (int i = 0; i < 10; ++i) {
    const auto page = opened.history.list(filter);
    REQUIRE(page);
    for (const RunRecord& run : page->runs) seen.push_back((run.about.created_ms - 1'000'000) / 1000);
    if (!page->next) break;
    filter.behind = page->next;
  }
  CHECK(seen == std::vector<std::int64_t>{6, 5, 4, 3, 2});
}

TEST_CASE("no list is sorted, or searched from its end") {
  const Place place;
  const auto file = HistoryFile::open(place.file());
  REQUIRE(file);
  const std::optional<std::string> word = "x";
  for (unsigned set = 0; set < 512; ++set) {
    const auto has = [&](unsigned bit) { return (set >> bit & 1U) != 0; };
    RunFilter filter;
    if (has(0)) filter.owner = word;
    if (has(1)) filter.task = word;
    if (has(2)) filter.project = word;
    if (has(3)) filter.sandbox = word;
    if (has(4)) filter.status = word;
    if (has(5)) filter.outcome = word;
    if (has(6)) filter.labels.emplace_back("a", word);
    if (has(7)) filter.since_ms = 1;
    if (has(8)) filter.behind = RunPosition{5, 6};
    HistoryQuery query = make_list_query(filter);
    Statement explained = *file->database().prepare("EXPLAIN QUERY PLAN " + query.sql);
    Rows rows(explained, std::move(query.values));
    std::string plan;
    while (*rows.next()) plan += rows.text(3) + "\n";
    CAPTURE(query.sql);
    CAPTURE(plan);
    CHECK(plan.find("TEMP B-TREE") == std::string::npos);
    const bool narrowed = (set & 0x7FU) != 0;
    if (narrowed || has(7) || has(8)) {
      CHECK(plan.starts_with("SEARCH "));
    } else {
      CHECK(plan.starts_with("SCAN r USING INDEX runs_by_time"));
    }
    if (narrowed) CHECK(plan.find("runs_by_time") == std::string::npos);
  }
}

}  // namespace sbx::api
