// A request on its way through the API, and how it is answered.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/admission.h"
#include "api/client.h"
#include "api/json_object.h"
#include "http/exchange.h"
#include "http/message.h"

namespace sbx::api {

struct Call {
  http::Request request;
  std::shared_ptr<http::Exchange> exchange;
  std::vector<std::string> parts;  // of the path: those that stand for {…} in the route
  Client client;
  std::string fingerprint;  // of method, path and body, once that is read and where a key asks for it
};
using SharedCall = std::shared_ptr<Call>;

using OrderedJson = nlohmann::ordered_json;

void answer_json(Call& call, int status, const OrderedJson& json, std::vector<http::Header> headers = {});
// application/problem+json (RFC 9457); in one line of text for who asks for that.
void answer_problem(Call& call, int status, std::string_view detail, std::vector<http::Header> headers = {});

// What tells a keeper who asks. Nothing: it could not be had, and that is answered.
std::optional<Asker> asker_of(Call& call);

// 503, 422, or 429 with Retry-After.
void answer_refusal(Call& call, const Admission::Refusal& refusal);

// A switch of the query: "?wait", "?wait=true", "?wait=0". Error: something else.
Result<bool> flag_of(const http::Request& request, std::string_view name, bool otherwise = false);
// Of "wait" and "output", which are looked at before a call is answered.
bool wants(const Call& call, std::string_view name, bool otherwise);
// The body as an object; where it is none, that is answered.
void with_body(const SharedCall& call, std::function<void(const JsonObject&)> then);

}  // namespace sbx::api
