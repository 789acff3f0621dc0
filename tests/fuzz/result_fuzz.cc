// The result object: whatever a program prints or is called, it is one line of valid ASCII JSON, and no byte
// is lost.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "fuzz/fuzz.h"
#include "outcome/run_result.h"

namespace sbx::fuzz {
namespace {

std::string from_base64(std::string_view text) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text.substr(0, text.find('='))) {
    const std::size_t digit = kDigits.find(c);
    must(digit != std::string_view::npos, "base64 has 64 digits", text);
    bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>((bits >> count) & 0xffU);
  }
  return bytes;
}

nlohmann::json parsed(const RunResult& result, bool with_output) {
  const std::string text = result_to_json(result, with_output);
  must(std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; }), "a line of plain ASCII", text);
  must(is_result_json(text), "a result is known as one", text);
  nlohmann::json object = nlohmann::json::parse(text, nullptr, false);
  must(object.is_object(), "valid JSON", text);
  return object;
}

void must_be_kept(const nlohmann::json& stream, std::string_view bytes) {
  const std::string kept = stream.contains("text") ? stream["text"].get<std::string>()
                                                   : from_base64(stream["base64"].get<std::string>());
  must(kept == bytes, "no byte is lost or changed");
}

void try_result(std::string_view bytes) {
  const std::string text(bytes);
  RunResult result;
  result.command = {text, text.substr(0, text.size() / 2)};
  result.cwd = result.message = result.image_name = result.task_id = result.project_id = text;
  result.environment_names = result.degradations = {text};
  result.controls = {{text, text}};
  result.outcome = Outcome::exited;
  result.exit_code = 3;
  result.standard_output = CapturedStream{text, text.size(), false};
  result.standard_error = CapturedStream{text, text.size() + 1, true};
  const nlohmann::json object = parsed(result, true);
  must(object["outcome"] == "exited" && object["exit_code"] == 3 && object["status"] == "error",
       "no text changes the verdict");
  must_be_kept(object["stdout"], bytes);
  // What a limit cut may lose the start of a last character, and no more.
  const nlohmann::json& cut = object["stderr"];
  if (!cut.contains("text")) must_be_kept(cut, bytes);
  if (cut.contains("text")) {
    const auto kept = cut["text"].get<std::string>();
    must(bytes.starts_with(kept) && bytes.size() - kept.size() <= 3, "a cut loses half a character at most");
  }
  const nlohmann::json line = parsed(result, false);
  must(line["stdout"] == nlohmann::json{{"bytes", text.size()}, {"truncated", false}}, "the log has lengths");
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sbx::fuzz::try_result(
      sbx::fuzz::text_of(data, size).substr(0, 2048));  // longer ones are slow and nothing new
  return 0;
}
