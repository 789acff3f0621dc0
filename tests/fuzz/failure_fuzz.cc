// What failed programs wrote: any bytes are read to the end, and what is found in them is bounded, can be
// shown, and comes whole through the answer of the confined reader; that answer may be any bytes, too.
#include "base/printable.h"
#include "fuzz/fuzz.h"
#include "run/read_failed_output.h"

namespace sbx::fuzz {
namespace {

void try_output(std::string_view text) {
  const int status = text.empty() ? 1 : static_cast<unsigned char>(text.front());
  const auto found = read_output({text, text}, status);
  const auto decoded = decode_finding(encode_finding(found));
  must(decoded.has_value() && decoded->has_value() == found.has_value(), "a finding comes through");
  if (!found) return;
  constexpr std::size_t kMost = 1000;
  must(found->evidence.text.size() + found->subject.size() < kMost, "what is said is bounded");
  must(printable(found->evidence.text) == found->evidence.text, "what is said can be shown");
  must((*decoded)->evidence == found->evidence && (*decoded)->place == found->place,
       "a finding comes through whole");
}

void try_answer(std::string_view bytes) {
  const auto finding = decode_finding(bytes);
  if (!finding) return must_say(finding.error());
  must(!*finding || (*finding)->rule != nullptr, "a finding has a rule");
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sbx::fuzz::try_output(sbx::fuzz::text_of(data, size));
  sbx::fuzz::try_answer(sbx::fuzz::text_of(data, size));
  return 0;
}
