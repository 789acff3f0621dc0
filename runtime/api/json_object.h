// A client's JSON, read strictly: each key once, of the type that it has to be, and none that is not known.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/result.h"

namespace sbx::api {

using Json = nlohmann::json;

// One object of it. Each reader gives nothing where the key is missing or null; an error names the key, with
// those above it.
class JsonObject {
 public:
  // At most 32 levels and 100,000 values; each key of an object once. An error says where it is no JSON.
  static Result<JsonObject> parse(std::string_view text);

  // Error: a key that is none of these.
  Result<void> only(std::span<const std::string_view> known) const;

  [[nodiscard]] bool has(std::string_view key) const;
  Result<std::optional<std::string>> text(std::string_view key) const;
  Result<std::optional<bool>> boolean(std::string_view key) const;
  Result<std::optional<std::uint64_t>> count(std::string_view key) const;
  // Base64 (RFC 4648, section 4).
  Result<std::optional<std::string>> bytes(std::string_view key) const;
  Result<std::optional<std::vector<std::string>>> texts(std::string_view key) const;
  Result<std::optional<std::map<std::string, std::string>>> text_map(std::string_view key) const;
  Result<std::optional<JsonObject>> object(std::string_view key) const;
  Result<std::optional<std::vector<JsonObject>>> objects(std::string_view key) const;
  // With the names of the result: "memory_bytes", "cpus" as a decimal number.
  Result<LimitSet> limits(std::string_view key) const;

  [[nodiscard]] std::string name(std::string_view key) const;
  [[nodiscard]] std::string dump() const;

  // Where the first key is missing nothing happens.
  void rename(std::string_view from, std::string_view to);
  // With what it lacks (or has as null) from another one; of the objects that both have with these names each
  // key by itself.
  [[nodiscard]] JsonObject completed_by(const JsonObject& other,
                                        std::span<const std::string_view> objects) const;

 private:
  JsonObject(Json json, std::string where) : json_(std::move(json)), where_(std::move(where)) {}
  [[nodiscard]] const Json* find(std::string_view key) const;
  [[nodiscard]] Unexpected expected(std::string_view key, std::string_view what) const;

  Json json_;
  std::string where_;  // "limits", "files[2]"; empty: the document
};

}  // namespace sbx::api
