#include "language/placeholders.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/suggest.h"

namespace sbx {
namespace {

constexpr std::array<std::string_view, 12> kKnown{"file",      "stem",       "path",   "dir",
                                                  "args",      "sources",    "report", "memory_bytes",
                                                  "memory_mb", "memory_hex", "cpus",   "out"};

bool is_list(std::string_view name) { return name == "args" || name == "sources"; }
bool is_memory(std::string_view name) { return name.starts_with("memory_"); }

// A part of a text: letters, or a placeholder.
struct Piece {
  std::string_view text;  // of a placeholder: its name
  bool placeholder = false;
  unsigned percent = 0;  // 0: none given
  bool wrong = false;    // what stands behind the name is no percentage
};

// What is in the braces, where it is written as a placeholder: NAME or NAME:N%.
std::optional<Piece> read_placeholder(std::string_view inside) {
  Piece piece;
  piece.placeholder = true;
  const std::size_t colon = inside.find(':');
  piece.text = inside.substr(0, colon);
  const auto is_small = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  if (piece.text.empty() || !std::ranges::all_of(piece.text, is_small)) return std::nullopt;
  if (colon == std::string_view::npos) return piece;
  const std::string_view share = inside.substr(colon + 1);
  const char* end = share.data() + share.size();
  const auto [after, error] = std::from_chars(share.data(), end, piece.percent);
  piece.wrong =
      error != std::errc{} || after + 1 != end || *after != '%' || piece.percent < 1 || piece.percent > 100;
  return piece;
}

std::vector<Piece> pieces_of(std::string_view text) {
  std::vector<Piece> pieces;
  std::size_t begin = 0;  // of the letters that are not in a piece yet
  for (std::size_t at = text.find('{'); at != std::string_view::npos; at = text.find('{', at)) {
    if (text.substr(at).starts_with("{{")) {
      pieces.push_back({text.substr(begin, at + 1 - begin)});
      begin = at += 2;
      continue;
    }
    const std::size_t end = text.find('}', at);
    const auto placeholder =
        end == std::string_view::npos ? std::nullopt : read_placeholder(text.substr(at + 1, end - at - 1));
    if (!placeholder) {
      ++at;
      continue;
    }
    pieces.push_back({text.substr(begin, at - begin)});
    pieces.push_back(*placeholder);
    begin = at = end + 1;
  }
  pieces.push_back({text.substr(begin)});
  return pieces;
}

std::string_view stem_of(std::string_view path) {
  path = path.substr(path.find_last_of('/') + 1);
  const std::size_t dot = path.find_last_of('.');
  return dot == 0 ? path : path.substr(0, dot);
}

std::string hex_of(std::uint64_t value) {
  std::array<char, 16> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value, 16);
  return {text.data(), end};
}

std::optional<std::string> memory_text(const Piece& piece, std::optional<std::uint64_t> bytes) {
  if (!bytes) return std::nullopt;
  const std::uint64_t share =
      piece.percent == 0 ? *bytes : *bytes / 100 * piece.percent + *bytes % 100 * piece.percent / 100;
  if (piece.text == "memory_hex") return hex_of(share);
  return std::to_string(piece.text == "memory_mb" ? std::max<std::uint64_t>(1, share >> 20U) : share);
}

std::optional<std::string> value_of(const Piece& piece, const PlaceholderValues& values) {
  if (piece.text == "file") return values.file;
  if (piece.text == "stem") return std::string(stem_of(values.file));
  if (piece.text == "path") return values.file.empty() ? "." : values.file;
  if (piece.text == "dir") return values.directory;
  if (piece.text == "report") return values.report;
  if (piece.text == "out") return values.out.empty() ? std::nullopt : std::optional(values.out);
  if (is_memory(piece.text)) return memory_text(piece, values.memory_bytes);
  if (!values.milli_cpus) return std::nullopt;
  return std::to_string((*values.milli_cpus + 999) / 1000);
}

}  // namespace

Result<void> check_placeholders(std::string_view text, bool in_command) {
  for (const Piece& piece : pieces_of(text)) {
    if (!piece.placeholder) continue;
    const std::string shown = "'{" + std::string(piece.text) + "}'";
    if (std::ranges::find(kKnown, piece.text) == kKnown.end()) {
      return fail("no placeholder " + shown + ": " + suggest(piece.text, kKnown) +
                  " (write {{ for a brace itself)");
    }
    if (is_list(piece.text) && (!in_command || text != "{" + std::string(piece.text) + "}")) {
      return fail(shown + " stands for any number of words: it has to be a word of a command by itself");
    }
    if (piece.wrong)
      return fail(shown + " with a share is written " + "'{" + std::string(piece.text) + ":75%}', 1 to 100");
    if (piece.percent != 0 && !is_memory(piece.text)) return fail(shown + " has no percentage");
  }
  return {};
}

std::optional<std::string> expand_text(std::string_view text, const PlaceholderValues& values) {
  std::string expanded;
  for (const Piece& piece : pieces_of(text)) {
    if (!piece.placeholder) {
      expanded += piece.text;
      continue;
    }
    const std::optional<std::string> value = value_of(piece, values);
    if (!value) return std::nullopt;
    expanded += *value;
  }
  return expanded;
}

Result<std::vector<std::string>> expand_command(const std::vector<std::string>& command,
                                                const PlaceholderValues& values) {
  constexpr std::size_t kMostCommandBytes = 2U
                                            << 20U;  // as the kernel's limit with a usual stack (execve(2))
  std::vector<std::string> words;
  std::size_t bytes = 0;
  const auto add = [&](std::string word) {
    bytes += word.size() + 1;
    if (bytes <= kMostCommandBytes) words.push_back(std::move(word));
  };
  for (const std::string& word : command) {
    if (word == "{args}") {
      std::ranges::for_each(values.arguments, add);
    } else if (word == "{sources}") {
      std::ranges::for_each(values.sources, add);
    } else if (std::optional<std::string> expanded = expand_text(word, values)) {
      add(std::move(*expanded));
    }
    if (bytes > kMostCommandBytes) return fail("the command is longer than 2M with its arguments");
  }
  return words;
}

bool names_placeholder(const std::vector<std::string>& command, std::string_view name) {
  return std::ranges::any_of(command, [&](const std::string& word) {
    return std::ranges::any_of(pieces_of(word),
                               [&](const Piece& piece) { return piece.placeholder && piece.text == name; });
  });
}

}  // namespace sbx
