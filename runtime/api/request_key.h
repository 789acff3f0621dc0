// The same request twice, by its Idempotency-Key: what was made for the first is what the second gets.
#pragma once

#include <optional>
#include <string>

#include "api/call.h"
#include "api/history.h"

namespace sbx::api {

struct RequestKey {
  std::optional<MadeByKey> key;  // without an id: to be noted with what is made; nothing: the call has none
  std::string made;              // the id of what was made before; empty: nothing was

  // Noted as made for this call.
  [[nodiscard]] std::optional<MadeByKey> with_id(const std::string& id) const;
};

// For a call whose body was read. Nothing: it has its answer, 400 for a key that may be none, 422 for one of
// another request.
std::optional<RequestKey> find_request_key(const SharedCall& call, History& history);

// What an answer has that was given before.
inline const http::Header kReplayed{"Idempotency-Replayed", "true"};

}  // namespace sbx::api
