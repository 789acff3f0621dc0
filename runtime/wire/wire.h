// The encoding of every message between our processes: little-endian integers and length-prefixed
// strings, read back with bounds checks. No pointers, no padding, no self-description: both ends are
// built together and a version number in the first message says so.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.h"

namespace sbx::wire {

class Writer {
 public:
  template <class T>
  requires(std::is_integral_v<T> || std::is_enum_v<T>) void put(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void put(std::string_view text) {
    put(static_cast<std::uint32_t>(text.size()));
    bytes_.append(text);
  }
  void put(const std::string& text) { put(std::string_view(text)); }
  void put(const std::optional<std::uint64_t>& value) {
    put(static_cast<std::uint8_t>(value.has_value()));
    put(value.value_or(0));
  }
  template <class T>
  void put(const std::vector<T>& list) {
    put(static_cast<std::uint32_t>(list.size()));
    for (const T& item : list) put(item);
  }
  [[nodiscard]] std::string take() && { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Reads in the order of writing. After a failed read every further read gives a zero value and
// `finish` returns the error, so that a decoder is a plain list of reads with one check at its end.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <class T>
  requires(std::is_integral_v<T> && !std::is_same_v<T, bool>) T get() {
    T value{};
    if (failed_ || rest_.size() < sizeof value) return mark_failed(), T{};
    __builtin_memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }
  bool get_bool() {
    const auto value = get<std::uint8_t>();
    if (value > 1) mark_failed();
    return value == 1;
  }
  // An enum whose last valid value is `last`.
  template <class T>
  requires std::is_enum_v<T> T get_enum(T last) {
    const auto value = get<std::underlying_type_t<T>>();
    if (value > static_cast<std::underlying_type_t<T>>(last)) return mark_failed(), T{};
    return static_cast<T>(value);
  }
  std::string_view get_text() {
    const auto size = get<std::uint32_t>();
    if (failed_ || rest_.size() < size) return mark_failed(), std::string_view{};
    const std::string_view text = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return text;
  }
  std::string get_string() { return std::string(get_text()); }
  std::optional<std::uint64_t> get_optional() {
    const bool present = get_bool();
    const auto value = get<std::uint64_t>();
    return present ? std::optional(value) : std::nullopt;
  }
  // The length of a list whose items take at least one byte each; a lying length fails here.
  std::uint32_t get_count() {
    const auto count = get<std::uint32_t>();
    if (count > rest_.size()) return mark_failed(), 0;
    return count;
  }
  std::vector<std::string> get_strings() {
    std::vector<std::string> list(get_count());
    for (std::string& item : list) item = get_string();
    return list;
  }

  void mark_failed() { failed_ = true; }
  [[nodiscard]] bool failed() const { return failed_; }
  // Error when a read failed or bytes are left over; `what` names the message.
  Result<void> finish(std::string_view what) const;

 private:
  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace sbx::wire
