// The corpus of real failures (tests/failures): what each recorded run is taken for.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "outcome/classify.h"
#include "support/recorded_run.h"

namespace sbx {
namespace {

std::filesystem::path corpus() {
  const char* root = std::getenv("SBX_TEST_DATA");
  return std::filesystem::path(root != nullptr ? root : ".") / "tests/failures";
}

std::vector<std::string> lines_of(const std::filesystem::path& file) {
  std::vector<std::string> lines;
  std::ifstream in(file);
  REQUIRE_MESSAGE(in.is_open(), file.string());
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<test::RecordedRun> all_runs() {
  std::vector<test::RecordedRun> runs;
  for (const auto& entry : std::filesystem::directory_iterator(corpus() / "recorded")) {
    for (const std::string& line : lines_of(entry.path())) runs.push_back(test::read_recorded_run(line));
  }
  return runs;
}

}  // namespace

TEST_CASE("every recorded failure has its class, but for those that the docs count as missed") {
  std::set<std::string> missed;
  std::vector<test::RecordedRun> runs = all_runs();
  REQUIRE(runs.size() > 300);
  for (test::RecordedRun& run : runs) {
    classify_failures(run.result);
    const std::string found = test::class_of(run.result);
    if (found != (run.want.empty() ? "none" : run.want)) missed.insert(run.id + ": " + found);
  }
  const std::vector<std::string> known = lines_of(corpus() / "misses.txt");
  for (const std::string& miss : missed) CHECK_MESSAGE(std::ranges::count(known, miss) == 1, miss);
  for (const std::string& miss : known) CHECK_MESSAGE(missed.contains(miss), miss);
}

TEST_CASE("what is said of a failure is bounded, and can be shown") {
  for (test::RecordedRun& run : all_runs()) {
    classify_failures(run.result);
    if (!run.result.failure) continue;
    const Failure& failure = *run.result.failure;
    CHECK_MESSAGE(!failure.hint.empty(), run.id);
    CHECK(failure.hint.size() < 1000);
    if (failure.from == FailureSource::output && !run.result.tests) CHECK_MESSAGE(failure.evidence, run.id);
    if (failure.evidence) CHECK(failure.evidence->text.find_first_of("\n\x1b") == std::string::npos);
  }
}

}  // namespace sbx
