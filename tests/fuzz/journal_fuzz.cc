// The journal of a killed run, which may be cut anywhere.
#include "fuzz/fuzz.h"
#include "outcome/run_result.h"
#include "resource/id_pool.h"

namespace sbx::fuzz {
namespace {

void try_journal(std::string_view text) {
  const Journal journal = parse_journal(text);
  const Journal again = parse_journal(journal_text(journal));
  must(again.cgroups == journal.cgroups && again.records == journal.records && again.log == journal.log,
       "what is read and written again is the same");
  for (const std::string& directory : journal.cgroups) {
    must(text.find("cgroup " + directory + "\n") != std::string_view::npos,
         "a directory to be removed is a whole line", directory);
  }
  for (const std::string& record : journal.records) {
    if (!is_result_json(record)) continue;
    must(record.find('\n') == std::string::npos, "a record is one line");
  }
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sbx::fuzz::try_journal(sbx::fuzz::text_of(data, size));
  return 0;
}
