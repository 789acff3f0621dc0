// The file of tokens: an error names its place, and what is read is the same when it is written and read
// again, or sent.
#include "fuzz/fuzz.h"
#include "run/load_tokens.h"

namespace sbx::fuzz {
namespace {

constexpr std::string_view kName = "tokens.yaml";

void try_tokens(std::string_view text) {
  const auto tokens = parse_tokens(kName, text);
  if (!tokens) return must_name_place(tokens.error(), kName, text);
  const auto again = parse_tokens(kName, write_tokens(*tokens));
  must(again.has_value() && *again == *tokens, "what is written is read", write_tokens(*tokens));
  const auto sent = decode_tokens(encode_tokens(*tokens));
  must(sent.has_value() && *sent == *tokens, "what is sent arrives");
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sbx::fuzz::try_tokens(sbx::fuzz::text_of(data, size));
  return 0;
}
