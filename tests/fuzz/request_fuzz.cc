// Requests, as sbx-direct reads them: what is decoded and encoded again is decoded as the same.
#include "fuzz/fuzz.h"
#include "request/run_request.h"

namespace sbx::fuzz {
namespace {

void try_request(std::string_view bytes) {
  const Result<RunRequest> decoded = decode_run_request(bytes);
  if (!decoded) return must_say(decoded.error());
  for (const std::string& argument : decoded->command) {
    must(argument.find('\0') == std::string::npos, "no argument holds a NUL");
  }
  for (const BindRequest& bind : decoded->binds) must(bind.host.starts_with('/'), "a bind is absolute");
  for (const LimitField& field : kLimits) {
    const auto value = decoded->limits.*field.member;
    must(!value || (*value >= field.least && *value <= field.most), "a limit lies within its bounds");
  }
  must_round_trip(bytes, *decoded, encode_run_request, decode_run_request);
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sbx::fuzz::try_request(sbx::fuzz::text_of(data, size));
  return 0;
}
