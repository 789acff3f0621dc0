#include "api/api_words.h"

#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/limits.h"

namespace sbx::api {
namespace {

constexpr std::string_view kCompileLimit = "compile-limit";
constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kKeys{{
    {"bind", "binds"},
    {"cwd", "cwd"},
    {"env", "env"},
    {"hostname", "hostname"},
    {"project", "project_id"},
    {"policy", "policy"},
    {"image", "image"},
    {"action", "action"},
    {"add-file", "files"},
}};

constexpr bool in_word(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; }

std::string_view word_at(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && in_word(text[end])) ++end;
  return text.substr(at, end - at);
}

// What stands for "--FLAG" at the beginning of `text`, and how much of that; empty: nothing does.
std::pair<std::string, std::size_t> key_of(std::string_view text) {
  const std::string_view flag = word_at(text, 2);
  std::size_t end = 2 + flag.size();
  const bool compiles = flag == kCompileLimit && end < text.size();
  const std::string_view named = compiles ? word_at(text, end + 1) : flag;
  if (const LimitField* field = find_limit(named)) {
    if (compiles) end += 1 + named.size();
    return {(compiles ? "compile_limits." : "limits.") + std::string(field->name), end};
  }
  if (compiles) return {"compile_limits", end};
  for (const auto& [name, key] : kKeys) {
    if (name == flag) return {std::string(key), end};
  }
  return {};
}

}  // namespace

std::string in_api_words(const std::string& message) {
  const std::string_view text = message;
  std::string said;
  for (std::size_t at = 0; at < text.size();) {
    // Not in quotes: those are around what the client wrote.
    const bool begins = text.substr(at).starts_with("--") && (at == 0 || text[at - 1] == ' ');
    const auto [key, length] = begins ? key_of(text.substr(at)) : std::pair<std::string, std::size_t>();
    said += key.empty() ? std::string(1, text[at]) : key;
    at += key.empty() ? 1 : length;
  }
  return said;
}

std::string result_in_api_words(std::string result) {
  auto json = nlohmann::ordered_json::parse(result, nullptr, false);
  if (!json.is_object()) return result;
  const std::string outcome = json.value("outcome", "");
  if (outcome != "rejected" && outcome != "setup_failed") return result;
  const auto message = json.find("message");
  if (message == json.end() || !message->is_string()) return result;
  *message = in_api_words(message->get<std::string>());
  return json.dump();
}

}  // namespace sbx::api
