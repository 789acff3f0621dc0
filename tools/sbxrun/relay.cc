#include "relay.h"

#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace sbx::sbxrun {

std::optional<pollfd> Relay::wanted() const {
  if (done_) return {};
  if (!pending_.empty()) return pollfd{to_, POLLOUT, 0};
  return pollfd{from_, POLLIN, 0};
}

void Relay::finish() {
  done_ = true;
  owned_.reset();
}

void Relay::handle(short events) {
  if (done_ || events == 0) return;
  if (!pending_.empty()) {
    const std::size_t size = std::min<std::size_t>(pending_.size(), PIPE_BUF);
    const ssize_t count = write(to_, pending_.data(), size);
    if (count < 0 && errno == EAGAIN) {
      // A terminal with room for one byte is called writable, where a line break takes two.
      (void)poll(nullptr, 0, 1);
      return;
    }
    if (count < 0 && errno == EINTR) return;
    if (count < 0) {
      if (errno != EPIPE) write_error_ = errno;
      return finish();  // the writer gets EPIPE by our closing
    }
    pending_.erase(0, static_cast<std::size_t>(count));
    if (pending_.empty() && ended_) finish();
    return;
  }
  std::array<char, 65536> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
  const ssize_t count = read(from_, buffer.data(), buffer.size());
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (count <= 0) {  // EIO: the last process on a pty is gone
    ended_ = true;
    pending_ = ends_with_;
    if (pending_.empty()) finish();
    return;
  }
  bytes_ += static_cast<std::uint64_t>(count);
  pending_.assign(buffer.data(), static_cast<std::size_t>(count));
}

}  // namespace sbx::sbxrun
