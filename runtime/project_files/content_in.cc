#include "project_files/content_in.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "tree/worker.h"

namespace sbx::project_files {
namespace {

ssize_t read_some(std::span<char> buffer) {
  ssize_t count = 0;
  do {
    count = ::read(tree::kContentIn, buffer.data(), buffer.size());
  } while (count < 0 && errno == EINTR);
  return count;
}

}  // namespace

// False: with errno.
bool ContentIn::begin_frame() {
  std::array<char, sizeof left_> size{};
  for (std::size_t have = 0; have < size.size();) {
    const ssize_t count = read_some(std::span(size).subspan(have));
    if (count == 0) errno = EPIPE;
    if (count <= 0) return false;
    have += static_cast<std::size_t>(count);
  }
  std::memcpy(&left_, size.data(), size.size());
  ended_ = left_ == 0;
  return true;
}

ssize_t ContentIn::read(std::span<char> buffer) {
  if (!framed_) return read_some(buffer);
  if (left_ == 0 && !ended_ && !begin_frame()) return -1;
  if (ended_) return 0;
  const ssize_t count = read_some(buffer.first(std::min<std::size_t>(buffer.size(), left_)));
  if (count == 0) errno = EPIPE;
  if (count <= 0) return -1;
  left_ -= static_cast<std::uint32_t>(count);
  return count;
}

}  // namespace sbx::project_files
