// What a worker that read guests' files says has changed.
#include "fuzz/fuzz.h"
#include "resource/change_list.h"

namespace sbx::fuzz {
namespace {

void try_change_list(std::string_view bytes) {
  const Result<ChangeList> decoded = decode_change_list(bytes);
  if (!decoded) return must_say(decoded.error());
  must(encode_change_list(*decoded) == bytes, "what is decoded and encoded again is the same");
  for (const char c : describe_changes(*decoded))
    must(c == '\n' || static_cast<unsigned char>(c) >= ' ', "no text of it drives a terminal");
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sbx::fuzz::try_change_list(sbx::fuzz::text_of(data, size));
  return 0;
}
