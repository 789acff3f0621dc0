#include "base/names.h"

#include <sys/random.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>

#include "base/printable.h"

namespace sbx {
namespace {

constexpr bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

Result<void> check_name(std::string_view what, std::string_view name) {
  const auto bad = [&](std::string_view why) {
    return fail(std::string(what) + ": '" + std::string(name.substr(0, 80)) + "' " + std::string(why));
  };
  if (name.empty()) return fail(std::string(what) + ": the name is empty");
  if (name.size() > 64) return bad("is longer than 64 characters");
  if (!is_alphanumeric(name.front())) return bad("must start with a letter or a digit");
  for (const char c : name) {
    if (!is_alphanumeric(c) && c != '.' && c != '_' && c != '-') {
      return bad("may hold only letters, digits, '.', '_' and '-'");
    }
  }
  return {};
}

Result<void> check_hostname(std::string_view what, std::string_view name) {
  const auto bad = [&](std::string_view why) {
    return fail(std::string(what) + ": '" + std::string(name.substr(0, 80)) + "' " + std::string(why));
  };
  if (name.empty() || name.size() > 63) return bad("must have 1 to 63 characters");
  char before = '.';
  for (const char c : name) {
    if (!is_alphanumeric(c) && c != '-' && c != '.') return bad("may hold only letters, digits, '-' and '.'");
    if ((c == '-' || c == '.') && before == '.') return bad("has a label that starts with '-' or is empty");
    if (c == '.' && before == '-') return bad("has a label that ends with '-'");
    before = c;
  }
  if (before == '-' || before == '.') return bad("must end with a letter or a digit");
  return {};
}

Result<std::string> check_inside_path(std::string_view what, std::string_view path) {
  const auto bad = [&](std::string_view why) {
    return fail(std::string(what) + ": '" + std::string(path.substr(0, 200)) + "' " + std::string(why));
  };
  if (!path.starts_with('/')) return bad("is not an absolute path");
  if (path.size() > 4095) return bad("is longer than 4095 bytes");
  if (path.find('\0') != std::string_view::npos) return bad("holds a NUL byte");
  std::string clean;
  std::string_view rest = path.substr(1);
  while (!rest.empty()) {
    const std::size_t slash = rest.find('/');
    const std::string_view component = rest.substr(0, slash);
    if (component == "." || component == "..") return bad("must not hold '.' or '..'");
    if (component.empty()) return bad("holds an empty component");
    clean += "/" + std::string(component);
    rest = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
  }
  return clean.empty() ? std::string("/") : clean;
}

bool is_policy_file(std::string_view text) {
  return text.find('/') != std::string_view::npos || text.ends_with(".yaml");
}

std::string new_run_id() {
  std::array<std::uint8_t, 16> bytes{};
  // getrandom(2) of 16 bytes neither fails nor returns short once the pool is initialised.
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  auto milliseconds =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  for (int i = 5; i >= 0; --i) {
    bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(milliseconds & 0xFF);
    milliseconds >>= 8U;
  }
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0FU) | 0x70U);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3FU) | 0x80U);
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kHex[bytes[i] >> 4U];
    text += kHex[bytes[i] & 0x0FU];
  }
  return text;
}

Result<void> check_run_id(std::string_view what, std::string_view id) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  bool good = id.size() == 36;
  for (std::size_t i = 0; good && i < id.size(); ++i)
    good = i == 8 || i == 13 || i == 18 || i == 23 ? id[i] == '-' : is_hex(id[i]);
  if (good) return {};
  return fail(std::string(what) + ": '" + printable(id.substr(0, 64)) + "' is no UUID in lower case");
}

std::string marked_name(std::string_view name, std::string_view mark) {
  constexpr std::size_t kMost = 63;
  return std::string(name.substr(0, kMost - mark.size() - 1)) + "-" + std::string(mark);
}

}  // namespace sbx
