// The answer to a run, as sbxrun reads it.
#include "fuzz/fuzz.h"
#include "wire/client_protocol.h"

namespace sbx::fuzz {
namespace {

void try_finished_run(std::string_view bytes) {
  const Result<FinishedRun> decoded = decode_finished_run(bytes);
  if (!decoded) return must_say(decoded.error());
  must(encode_finished_run(*decoded) == bytes, "what is decoded and encoded again is the same");
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sbx::fuzz::try_finished_run(sbx::fuzz::text_of(data, size));
  return 0;
}
