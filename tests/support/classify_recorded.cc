// Classifies recorded runs: lines of tests/failures/recorded in, lines of JSON out. For
// tests/failures/measure.
#include <iostream>

#include "outcome/classify.h"
#include "support/recorded_run.h"

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    sbx::test::RecordedRun run = sbx::test::read_recorded_run(line);
    sbx::classify_failures(run.result);
    nlohmann::ordered_json told{{"id", run.id}, {"class", sbx::test::class_of(run.result)}};
    if (run.result.failure) {
      const sbx::Failure& failure = *run.result.failure;
      told["from"] = sbx::failure_source_name(failure.from);
      told["subject"] = failure.subject;
      told["line"] = failure.place ? nlohmann::ordered_json(failure.place->line) : nullptr;
      told["evidence"] = failure.evidence ? failure.evidence->text : "";
      told["hint"] = failure.hint;
    }
    std::cout << told.dump() << '\n';
  }
}
