// A history of a test's own.
#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "api/history.h"
#include "base/names.h"
#include "base/times.h"
#include "wire/spill.h"

namespace sbx::api::testing {

namespace fs = std::filesystem;

class Place {
 public:
  Place() {
    std::string path = "/tmp/sbx-history.XXXXXX";
    REQUIRE(mkdtemp(path.data()) != nullptr);
    path_ = path;
    fs::create_directory(output());
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { fs::remove_all(path_); }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file() const { return path_ + "/history.db"; }
  [[nodiscard]] std::string output() const { return path_ + "/output"; }
  void write_output(const std::string& id, const std::string& text) const {
    SpillHeader header;
    header.kind = SpillKind::standard_output;
    header.size = static_cast<std::uint32_t>(text.size());
    std::ofstream(output() + "/" + id, std::ios::binary)
        << std::string(reinterpret_cast<const char*>(&header), sizeof header) << text;
  }
  [[nodiscard]] bool has_output(const std::string& id) const { return fs::exists(output() + "/" + id); }
  [[nodiscard]] std::vector<std::string> broken() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(path_)) {
      const std::string name = entry.path().filename();
      if (name.starts_with("history.db.broken-") && !name.ends_with("-wal") && !name.ends_with("-shm"))
        found.push_back(name);
    }
    return found;
  }

 private:
  std::string path_;
};

// A history as a process of the API has it.
struct Opened {
  explicit Opened(const Place& place, HistoryLimits limits = {})
      : output(place.output()),
        history(place.path(), limits, output, [this](const std::string& text) { said += text + "\n"; }) {}
  void look_after_all() {
    while (history.look_after().count() == 0) continue;
  }
  KeptOutput output;
  std::string said;
  History history;
};

inline void wait_until_written(History& history) {
  for (int i = 0; i < 60; ++i) {
    const auto next = history.look_after();
    if (history.problem().empty()) return;
    std::this_thread::sleep_for(next);
  }
}

inline std::int64_t now_ms() {
  static std::int64_t at = utc_ms() - 1'000'000;
  return ++at;
}

inline RunRecord new_run(const std::string& task = {}, std::uint32_t uid = 1000) {
  RunRecord run;
  run.about.id = new_run_id();
  run.about.task = task;
  run.about.owner = "uid:" + std::to_string(uid);
  run.about.created_ms = now_ms();
  return run;
}

inline RunRecord ended(RunRecord run, const std::string& status = "completed",
                       const std::string& outcome = "exited") {
  run.status = status;
  run.outcome = outcome;
  run.result = R"({"outcome":")" + outcome + "\"}";
  run.finished_ms = run.about.created_ms + 5;
  return run;
}

inline RunRecord add(History& history, RunRecord run) {
  history.begin(run);
  history.end(run = ended(std::move(run)));
  return run;
}

inline std::vector<std::string> ids(const Result<RunPage>& page) {
  REQUIRE(page);
  std::vector<std::string> found;
  for (const RunRecord& run : page->runs) found.push_back(run.about.id);
  return found;
}

}  // namespace sbx::api::testing
