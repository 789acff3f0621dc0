#include "project_files/names.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/utf8.h"
#include "files/draft.h"

namespace sbx::project_files {
namespace {

using Range = std::pair<char32_t, char32_t>;

constexpr std::array<Range, 9> kUnseen{{{0x00, 0x1F},
                                        {0x7F, 0x9F},
                                        {0x061C, 0x061C},
                                        {0x200B, 0x200B},
                                        {0x200E, 0x200F},
                                        {0x2028, 0x202E},
                                        {0x2060, 0x206F},
                                        {0xFEFF, 0xFEFF},
                                        {0xFFF9, 0xFFFB}}};

Unexpected refused(std::string_view what, std::string_view name, const std::string& why) {
  return fail(Error{std::string(what) + " '" + std::string(name) + "' " + why, EINVAL});
}

// The character at the front of valid UTF-8, which is taken away.
char32_t take_character(std::string_view& text) {
  constexpr unsigned kContinued = 0x3F;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const std::size_t size = byte(0) < 0x80 ? 1 : byte(0) < 0xE0 ? 2 : byte(0) < 0xF0 ? 3 : 4;
  char32_t value = size == 1 ? byte(0) : byte(0) & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) value = (value << 6U) | (byte(i) & kContinued);
  text.remove_prefix(size);
  return value;
}

bool has_unseen(std::string_view name) {
  while (!name.empty()) {
    const char32_t character = take_character(name);
    const auto holds = [&](const Range& range) {
      return character >= range.first && character <= range.second;
    };
    if (std::ranges::any_of(kUnseen, holds)) return true;
  }
  return false;
}

Result<void> check_part(std::string_view part, std::string_view path) {
  if (part.empty()) return refused("the path", path, "has an empty part");
  if (part == "." || part == "..")
    return refused("the path", path, "has the part '" + std::string(part) + "'; say where it leads to");
  if (part.size() > kMostName) return refused("the path", path, "has a part of more than 255 bytes");
  return {};
}

template <class F>
Result<std::string> check_parts(std::string_view path, F check) {
  const std::string_view whole = path;
  if (path.starts_with('/')) return refused("the path", path, "is absolute; paths begin at the workspace");
  if (path.size() > kMostPath) return refused("the path", path, "has more than 4095 bytes");
  if (path.find('\0') != std::string_view::npos) return refused("the path", "", "has a zero in it");
  while (path.ends_with('/')) path.remove_suffix(1);
  std::string_view rest = path;
  while (!rest.empty()) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view part = rest.substr(0, slash);
    TRY(check_part(part, whole));
    TRY(check(part));
    rest.remove_prefix(std::min(slash + 1, rest.size()));
  }
  return std::string(path);
}

}  // namespace

Result<std::string> check_path(std::string_view path) {
  if (path == "." || path == "./") return std::string();
  return check_parts(path, [](std::string_view) { return Result<void>(); });
}

Result<std::string> check_new_path(std::string_view path) {
  std::string clean = TRY(check_parts(path, check_new_name));
  if (clean.empty()) return refused("the path", path, "names nothing");
  return clean;
}

Result<void> check_new_name(std::string_view name) {
  if (name.empty()) return refused("the name", name, "is empty");
  if (name == "." || name == ".." || name.find('/') != std::string_view::npos)
    return refused("the name", name, "is no name of a file");
  if (name.size() > kMostName) return refused("the name", name, "has more than 255 bytes");
  if (valid_utf8_prefix(name) != name.size()) return refused("the name", name, "is no UTF-8");
  if (has_unseen(name)) return refused("the name", name, "has control or invisible characters");
  if (name.starts_with(' ') || name.ends_with(' ') || name.ends_with('.'))
    return refused("the name", name, "begins with a space, or ends with a space or dot");
  if (name.starts_with(files::kDraftName)) return refused("the name", name, "is one of sbx's own");
  return {};
}

std::string numbered_name(const std::string& name, unsigned number) {
  const std::size_t dot = name.find_last_of('.');
  const bool has_end = dot != std::string::npos && dot != 0;
  std::string stem = name.substr(0, has_end ? dot : name.size());
  std::string end = " (" + std::to_string(number) + ")" + (has_end ? name.substr(dot) : "");
  if (end.size() >= kMostName) {  // all of it behind the first character
    stem = name;
    end = " (" + std::to_string(number) + ")";
  }
  stem.resize(std::min(stem.size(), kMostName - end.size()));
  stem.resize(valid_utf8_prefix(stem));
  return stem + end;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string name_of(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

std::string join(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : folder + "/" + name;
}

}  // namespace sbx::project_files
