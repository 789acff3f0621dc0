// Reports of test runners, which the programs inside write: any bytes are counted or refused.
#include "fuzz/fuzz.h"
#include "outcome/test_report.h"

namespace sbx::fuzz {
namespace {

void try_report(std::string_view text) {
  const Result<TestCounts> counts = parse_junit(text);
  if (!counts) return must_say(counts.error());
  const std::uint64_t all = counts->passed + counts->failed + counts->errors + counts->skipped;
  must(all <= text.size() / sizeof "<testcase/>" + 1, "a test takes more than its name");
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sbx::fuzz::try_report(sbx::fuzz::text_of(data, size));
  return 0;
}
