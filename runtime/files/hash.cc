#include "base/hash.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "base/unique_fd.h"
#include "files/operations.h"

namespace sbx::files {

Done<std::string> hash_of(int file) {
  static std::array<char, 65536> buffer;
  Sha256 hash;
  while (true) {
    const ssize_t count = ::read(file, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed(FileStep::read, errno);
    if (count == 0) return hash.hex();
    hash.update({buffer.data(), static_cast<std::size_t>(count)});
  }
}

Done<FileAnswer> stat(const FileRequest& request) {
  FileAnswer answer;
  answer.stat = TRY(stat_at(AT_FDCWD, request.path, request.follow));
  if (!request.hash || answer.stat.type != FileType::file) return answer;
  // What has taken its place meanwhile is opened only if it is a file, too.
  const int links = request.follow ? 0 : O_NOFOLLOW;
  const UniqueFd file(open(request.path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | links));
  if (!file.valid()) return failed(FileStep::open, errno);
  struct ::stat status {};
  if (fstat(file.get(), &status) != 0) return failed(FileStep::stat, errno);
  if (!S_ISREG(status.st_mode)) return failed(FileStep::type, EINVAL, answer.stat);
  answer.sha256 = TRY(hash_of(file.get()));
  return answer;
}

}  // namespace sbx::files
