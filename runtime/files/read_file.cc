#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "files/operations.h"
#include "os/file.h"

namespace sbx::files {
namespace {

ssize_t read_some(int fd, char* to, std::size_t most) {
  while (true) {
    const ssize_t count = ::read(fd, to, most);
    if (count >= 0 || errno != EINTR) return count;
  }
}

// Nobody is there to be told more than an end before its time.
constexpr int kCutShort = EIO;

}  // namespace

std::optional<Part> part_of(std::uint64_t size, const FileRequest& request) {
  if (!request.from && !request.most) return Part{0, size};
  if (!request.from) {
    const std::uint64_t last = std::min(*request.most, size);
    return last == 0 ? std::nullopt : std::optional(Part{size - last, last});
  }
  if (*request.from >= size) return std::nullopt;
  const std::uint64_t rest = size - *request.from;
  return Part{*request.from, std::min(rest, request.most.value_or(rest))};
}

Done<void> read(const FileRequest& request) {
  // Looked at before it is opened, which could wait or wake somebody, and after, when it can be no other one.
  FileAnswer answer;
  answer.stat = TRY(stat_at(AT_FDCWD, request.path, true));
  if (answer.stat.type == FileType::directory) return failed(FileStep::read, EISDIR);
  if (answer.stat.type != FileType::file) return failed(FileStep::type, EINVAL, answer.stat);
  const UniqueFd file(open(request.path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file.valid()) return failed(FileStep::open, errno);
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return failed(FileStep::stat, errno);
  if (!S_ISREG(status.st_mode)) return failed(FileStep::type, EINVAL, answer.stat);
  answer.stat.size = static_cast<std::uint64_t>(std::max<off_t>(0, status.st_size));

  static std::array<char, 65536> buffer;
  std::size_t filled = 0;
  if (answer.stat.size == 0) {  // as /proc says of every file
    const ssize_t count = read_some(file.get(), buffer.data(), buffer.size());
    if (count < 0) return failed(FileStep::read, errno);
    filled = static_cast<std::size_t>(count);
  }
  std::uint64_t left = UINT64_MAX;
  if (filled == 0) {
    const auto part = part_of(answer.stat.size, request);
    if (!part) return failed(FileStep::range, ERANGE, answer.stat);
    if (lseek(file.get(), static_cast<off_t>(part->from), SEEK_SET) < 0) return failed(FileStep::read, errno);
    answer.from = part->from;
    answer.follow = left = part->size;
  }
  const auto cut = [](const Error& error) { return Failure{FileStep::none, error.error_number, {}}; };
  if (const auto sent = send_answer(answer); !sent) return tl::unexpected(cut(sent.error()));
  while (left > 0) {
    if (filled == 0) {
      const ssize_t count =
          read_some(file.get(), buffer.data(), std::min<std::uint64_t>(left, buffer.size()));
      const bool whole = count == 0 && !answer.follow;
      if (count <= 0) return whole ? Done<void>() : failed(FileStep::none, kCutShort);
      filled = static_cast<std::size_t>(count);
    }
    const auto sent = os::write_all(STDOUT_FILENO, {buffer.data(), filled}, "standard output");
    if (!sent) return tl::unexpected(cut(sent.error()));
    left -= filled;
    filled = 0;
  }
  return {};
}

}  // namespace sbx::files
