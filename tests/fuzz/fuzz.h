// What the fuzzers share. Each NAME_fuzz.cc gives one parser any bytes, and asks more of it than not to
// crash: `must` ends the fuzzer, which then keeps the input.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/result.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace sbx::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

inline void must(bool holds, std::string_view what, std::string_view detail = {}) {
  if (holds) return;
  (void)std::fprintf(stderr, "does not hold: %.*s\n%.*s\n", static_cast<int>(what.size()), what.data(),
                     static_cast<int>(detail.size()), detail.data());
  std::abort();
}

inline void must_say(const Error& error) { must(!error.text.empty(), "an error says what is wrong"); }

// What was decoded from `bytes`, encoded and decoded again, is the same.
template <class T, class Encode, class Decode>
void must_round_trip(std::string_view bytes, const T& decoded, Encode encode, Decode decode) {
  const std::string again = encode(decoded);
  const Result<T> second = decode(again);
  must(second.has_value(), "what was encoded is decoded");
  must(*second == decoded, "it stays the same");
  must(again.size() == bytes.size(), "no byte of a message is without meaning");
}

// Takes a number from the front of `text`; 0: there is none.
inline std::size_t take_number(std::string_view& text) {
  std::size_t number = 0;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9' && number < 1'000'000'000) {
    number = number * 10 + static_cast<std::size_t>(text.front() - '0');
    text.remove_prefix(1);
  }
  return number;
}

// The error of a file of ours begins with "FILE:LINE:COLUMN: ", a place that is in `file`; or, where it is no
// text at all, with "FILE: ".
inline void must_name_place(const Error& error, std::string_view name, std::string_view file) {
  std::string_view rest = error.text;
  must(rest.starts_with(name), "the error begins with the file", error.text);
  rest.remove_prefix(name.size());
  if (rest.starts_with(": a NUL byte at offset") || rest.starts_with(": larger than")) return;
  must(rest.starts_with(':'), "the error names a line", error.text);
  rest.remove_prefix(1);
  const std::size_t line = take_number(rest);
  must(line > 0 && rest.starts_with(':'), "the error names a line", error.text);
  rest.remove_prefix(1);
  const std::size_t column = take_number(rest);
  must(column > 0 && rest.starts_with(": ") && rest.size() > 2, "the error names a column", error.text);
  std::size_t lines = 1;
  for (const char c : file) lines += c == '\n' || c == '\r' ? 1 : 0;
  must(line <= lines, "the line is one of the file's", error.text);
}

// `text` as a YAML string that is read back as the same.
inline std::string yaml_text(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted.append(1, '\\').append(1, c);
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted.append("\\x").append(1, kHex[byte >> 4U]).append(1, kHex[byte & 0x0fU]);
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

}  // namespace sbx::fuzz
