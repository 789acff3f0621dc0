#include "api/text_or_bytes.h"

#include "base/utf8.h"

namespace sbx::api {

void put_text_or_bytes(nlohmann::ordered_json& json, std::string_view bytes) {
  if (valid_utf8_prefix(bytes) == bytes.size()) {
    json["data"] = bytes;
  } else {
    json["data"] = base64(bytes);
    json["encoding"] = "base64";
  }
}

std::string take_cut_character(std::string& bytes) {
  const std::size_t valid = valid_utf8_prefix(bytes);
  if (valid == bytes.size() || !is_cut_character(std::string_view(bytes).substr(valid))) return {};
  std::string tail = bytes.substr(valid);
  bytes.resize(valid);
  return tail;
}

}  // namespace sbx::api
