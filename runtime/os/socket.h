// Messages with descriptors over SOCK_SEQPACKET socket pairs (unix(7), SCM_RIGHTS).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx::os {

inline constexpr std::size_t kMaxDescriptors = 250;  // SCM_MAX_FD is 253

struct Message {
  std::string bytes;
  std::vector<UniqueFd> descriptors;
};

Result<std::pair<UniqueFd, UniqueFd>> seqpacket_pair();

// Sends one message; never raises SIGPIPE. EPIPE: the other end is closed. Blocks unless the socket is
// non-blocking.
Result<void> send_message(int socket, std::string_view bytes, std::span<const int> descriptors = {});

// Receives one message of at most `limit` bytes; an empty optional at end-of-file. EAGAIN of a non-blocking
// socket is an Error with that number. A longer message or lost descriptors are errors.
Result<std::optional<Message>> receive_message(int socket, std::size_t limit);

// A plain struct as a message.
template <class T>
Result<void> send_struct(int socket, const T& value, std::span<const int> descriptors = {}) {
  static_assert(std::is_trivially_copyable_v<T>);
  return send_message(socket, std::string_view(reinterpret_cast<const char*>(&value), sizeof value),
                      descriptors);
}

template <class T>
Result<T> read_struct(const Message& message, std::string_view what) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (message.bytes.size() != sizeof(T)) return fail(std::string(what) + ": a message of the wrong size");
  T value;
  __builtin_memcpy(&value, message.bytes.data(), sizeof value);
  return value;
}

}  // namespace sbx::os
