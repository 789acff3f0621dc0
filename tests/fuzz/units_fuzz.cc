// Sizes, durations and counts, as flags and policies give them: the first byte says which limit.
#include "base/limits.h"
#include "fuzz/fuzz.h"

namespace sbx::fuzz {
namespace {

void try_limit(const LimitField& field, std::string_view text) {
  const Result<std::uint64_t> value = parse_limit(field, "--limit", text);
  if (!value) {
    return must(value.error().text.starts_with("--limit: "), "an error names the flag", value.error().text);
  }
  must(*value >= field.least && *value <= field.most, "a value lies within its bounds", text);
  const std::string written = format_limit(field, *value);
  const Result<std::uint64_t> again = parse_limit(field, "--limit", written);
  must(again && *again == *value, "what is read and written again is the same", written);
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  sbx::fuzz::try_limit(sbx::kLimits[data[0] % sbx::kLimits.size()], sbx::fuzz::text_of(data + 1, size - 1));
  return 0;
}
