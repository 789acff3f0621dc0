// What clients send to the API as JSON: what is accepted is a request that a keeper accepts, too.
#include <array>

#include "api/parse_request.h"
#include "fuzz/fuzz.h"

namespace sbx::fuzz {
namespace {

void must_be_decodable(const RunRequest& request) {
  const auto again = decode_run_request(encode_run_request(request));
  if (!again) return must(false, "what the API accepts a keeper can read", again.error().text);
  must(*again == request, "what is encoded and decoded is the same");
}

void try_request(std::string_view text) {
  const auto body = api::JsonObject::parse(text);
  if (!body) return;
  if (const auto run = api::parse_run(*body)) must_be_decodable(run->request);
  if (const auto command = api::parse_command(*body)) must_be_decodable(command->request);
  if (const auto sandbox = api::parse_sandbox(*body)) {
    must_be_decodable(sandbox->request);
    constexpr std::array<std::string_view, 3> kMerged{"env", "labels", "limits"};
    const auto whole = api::parse_sandbox(body->completed_by(*body, kMerged));
    must(whole && whole->request == sandbox->request, "with itself as its configuration it is the same");
  }
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sbx::fuzz::try_request(sbx::fuzz::text_of(data, size));
  return 0;
}
