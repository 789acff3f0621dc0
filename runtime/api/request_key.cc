#include "api/request_key.h"

#include <algorithm>

#include "base/times.h"

namespace sbx::api {
namespace {

constexpr const char* kHeader = "Idempotency-Key";
constexpr std::size_t kLongest = 255;

// Nothing: it has its answer.
std::optional<std::string> read_key(const SharedCall& call) {
  const auto is_key = [](const http::Header& header) {
    return http::equal_ignoring_case(header.name, kHeader);
  };
  const auto printable = [](char c) { return c >= ' ' && c <= '~'; };
  const std::string& key = *call->request.header(kHeader);
  if (std::ranges::count_if(call->request.headers, is_key) == 1 && !key.empty() && key.size() <= kLongest &&
      std::ranges::all_of(key, printable))
    return key;
  answer_problem(*call, 400, "Idempotency-Key: give one, of 1 to 255 printable ASCII characters");
  return {};
}

}  // namespace

std::optional<MadeByKey> RequestKey::with_id(const std::string& id) const {
  std::optional<MadeByKey> noted = key;
  if (noted) noted->id = id;
  return noted;
}

std::optional<RequestKey> find_request_key(const SharedCall& call, History& history) {
  RequestKey found;
  if (call->request.header(kHeader) == nullptr) return found;
  const auto key = read_key(call);
  if (!key) return {};
  found.key = MadeByKey{call->client.owner(), *key, call->fingerprint, "", utc_ms()};
  const auto before = history.find_key(found.key->owner, *key);
  if (!before) {
    answer_problem(*call, 503, "whether this request was made before cannot be told: " + before.error().text,
                   {{"Retry-After", "1"}});
    return {};
  }
  if (!*before) return found;
  if ((*before)->request != call->fingerprint) {
    answer_problem(
        *call, 422,
        "this Idempotency-Key belongs to another request, with another path or body: give each request "
        "one of its own");
    return {};
  }
  found.made = (*before)->id;
  return found;
}

}  // namespace sbx::api
