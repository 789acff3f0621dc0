#include <unistd.h>

#include "files/operations.h"
#include "os/file.h"

namespace sbx::files {
namespace {

Result<void> read_exactly(char* to, std::size_t size) {
  while (size > 0) {
    const ssize_t count = ::read(STDIN_FILENO, to, size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(system_error("read", "standard input", errno));
    if (count == 0) return fail(Error{"standard input ended", EPIPE});
    to += count;
    size -= static_cast<std::size_t>(count);
  }
  return {};
}

}  // namespace

Result<std::string> read_frame(std::size_t limit) {
  std::uint32_t size = 0;
  TRY(read_exactly(reinterpret_cast<char*>(&size), sizeof size));
  if (size > limit) return fail("a frame is too long");
  std::string bytes(size, '\0');
  TRY(read_exactly(bytes.data(), size));
  return bytes;
}

Result<void> send_answer(const FileAnswer& answer) {
  return os::write_all(STDOUT_FILENO, file_frame(encode_file_answer(answer)), "standard output");
}

}  // namespace sbx::files
