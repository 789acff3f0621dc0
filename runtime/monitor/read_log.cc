#include "monitor/read_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "os/file.h"

namespace sbx {
namespace {

Result<std::optional<LogPart>> open_part(const std::string& path) {
  auto fd = os::open_at(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (!fd && fd.error().error_number == ENOENT) return std::optional<LogPart>();
  if (!fd) return fail(std::move(fd).error());
  const struct stat status = TRY(os::stat_fd(fd->get(), path));
  if (!S_ISREG(status.st_mode)) return fail("'" + path + "' is not a regular file");
  return std::optional(
      LogPart{path, std::move(*fd), status.st_ino, static_cast<std::uint64_t>(status.st_size)});
}

}  // namespace

Result<WholeLog> open_log(const std::string& path) {
  constexpr unsigned kMostParts = 10'000;
  WholeLog log;
  auto lock = os::lock_file(AT_FDCWD, path + ".lock", true);
  if (!lock && lock.error().error_number == ENOENT) return log;  // nor is its directory there
  if (!lock) return fail(std::move(lock).error());
  std::array<char, 512> text{};
  if (const ssize_t size = pread((*lock)->get(), text.data(), text.size(), 0); size > 0)
    log.noted = decode_log_head({text.data(), static_cast<std::size_t>(size)});
  for (unsigned i = 0; i < kMostParts; ++i) {
    auto part = TRY(open_part(i == 0 ? path : path + "." + std::to_string(i)));
    if (part) log.parts.push_back(std::move(*part));
    if (!part && i > 0) break;
  }
  std::ranges::reverse(log.parts);
  return log;
}

Result<void> read_lines(const LogPart& part, std::uint64_t offset,
                        const std::function<Result<void>(const LogLine& line)>& each) {
  constexpr std::size_t kBlock = 1U << 20U;
  std::string text;
  std::string block(kBlock, '\0');
  std::uint64_t begin = offset;  // of `text` in the file
  while (begin + text.size() < part.size) {
    const std::uint64_t at = begin + text.size();
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(kBlock, part.size - at));
    const ssize_t size = pread(part.fd.get(), block.data(), wanted, static_cast<off_t>(at));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return fail(system_error("read", part.path, size < 0 ? errno : EIO));
    text.append(block, 0, static_cast<std::size_t>(size));
    std::size_t from = 0;
    for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', from)) {
      TRY(each({std::string_view(text).substr(from, end - from), begin + end + 1, true}));
      from = end + 1;
    }
    text.erase(0, from);
    begin += from;
  }
  if (!text.empty()) TRY(each({text, begin + text.size(), false}));
  return {};
}

}  // namespace sbx
