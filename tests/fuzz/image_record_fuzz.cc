// The record of an image, which every run of it reads.
#include "fuzz/fuzz.h"
#include "resource/image_layout.h"

namespace sbx::fuzz {
namespace {

void try_record(std::string_view bytes) {
  const Result<image_layout::Record> record = image_layout::decode_record(bytes);
  if (!record) return must_say(record.error());
  const Result<image_layout::Record> again =
      image_layout::decode_record(image_layout::encode_record(*record));
  must(again && again->language == record->language && again->environment == record->environment &&
           again->languages == record->languages,
       "what is read and written again is the same");
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sbx::fuzz::try_record(sbx::fuzz::text_of(data, size));
  return 0;
}
