#include "api/call.h"

#include <malloc.h>

#include "base/hash.h"
#include "base/printable.h"

namespace sbx::api {
namespace {

constexpr std::size_t kMostBody = 8U << 20U;
constexpr std::size_t kLargeBody = 256U << 10U;

}  // namespace

void answer_json(Call& call, int status, const OrderedJson& json, std::vector<http::Header> headers) {
  headers.push_back({"Content-Type", "application/json"});
  call.exchange->respond(
      {status, std::move(headers), json.dump(-1, ' ', true, OrderedJson::error_handler_t::replace) + "\n"});
}

void answer_problem(Call& call, int status, std::string_view detail, std::vector<http::Header> headers) {
  const std::string* accepted = call.request.header("Accept");
  http::Response response = http::problem(status, detail);
  if (accepted != nullptr && *accepted == "text/plain")
    response = {status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::string(detail) + "\n"};
  std::ranges::move(headers, std::back_inserter(response.headers));
  call.exchange->respond(std::move(response));
}

std::optional<Asker> asker_of(Call& call) {
  auto asker = call.client.asker(call.exchange->peer_socket());
  if (asker) return *std::move(asker);
  answer_problem(call, 503, asker.error().text);
  return {};
}

void answer_refusal(Call& call, const Admission::Refusal& refusal) {
  std::vector<http::Header> headers;
  if (refusal.status == 429) headers.push_back({"Retry-After", "1"});
  answer_problem(call, refusal.status, refusal.why, std::move(headers));
}

Result<bool> flag_of(const http::Request& request, std::string_view name, bool otherwise) {
  const std::string* value = request.query_value(name);
  if (value == nullptr) return otherwise;
  if (*value == "false" || *value == "0") return false;
  if (value->empty() || *value == "true" || *value == "1") return true;
  return fail(std::string(name) + ": 'true' or 'false', not '" + printable(value->substr(0, 64)) + "'");
}

bool wants(const Call& call, std::string_view name, bool otherwise) {
  return flag_of(call.request, name, otherwise).value_or(otherwise);
}

namespace {

void take_body(const SharedCall& call, const std::string& body,
               const std::function<void(const JsonObject&)>& then) {
  const Result<JsonObject> object = JsonObject::parse(body);
  if (!object) return answer_problem(*call, 400, object.error().text);
  then(*object);
}

}  // namespace

void with_body(const SharedCall& call, std::function<void(const JsonObject&)> then) {
  call->exchange->read_body(kMostBody, [call, then = std::move(then)](Result<std::string> body) {
    if (!body) return;  // it has its answer
    if (call->request.header("Idempotency-Key") != nullptr)
      call->fingerprint = blake2b_hex(call->request.method + " " + call->request.path + "\n" + *body);
    take_body(call, *body, then);
    if (body->size() < kLargeBody) return;
    body = std::string();
    (void)malloc_trim(0);  // what it took goes back to the host now
  });
}

}  // namespace sbx::api
