// Bytes of a program in JSON: text where they are UTF-8, else base64.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace sbx::api {

// Sets "data", and "encoding" where it is base64.
void put_text_or_bytes(nlohmann::ordered_json& json, std::string_view bytes);

// Takes from the end of `bytes` the first bytes of a character whose rest is missing (RFC 3629).
std::string take_cut_character(std::string& bytes);

}  // namespace sbx::api
