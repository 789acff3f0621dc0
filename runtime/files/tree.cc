#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <set>

#include "base/unique_fd.h"
#include "files/operations.h"
#include "os/file.h"

namespace sbx::files {
namespace {

constexpr mode_t kDirectoryMode = 0755;
constexpr std::size_t kMostListBytes = 1U << 20U;  // below that of an answer

FileType type_of(mode_t mode) {
  switch (mode & S_IFMT) {
  case S_IFREG: return FileType::file;
  case S_IFDIR: return FileType::directory;
  case S_IFLNK: return FileType::link;
  case S_IFIFO: return FileType::fifo;
  case S_IFSOCK: return FileType::socket;
  case S_IFCHR:
  case S_IFBLK: return FileType::device;
  default: return FileType::other;
  }
}

// A time can be any number: within the years 0 to 9999.
std::int64_t in_ms(const timespec& time) {
  constexpr std::int64_t kFirst = -62'167'219'200;
  constexpr std::int64_t kLast = 253'402'300'799;
  return std::clamp<std::int64_t>(time.tv_sec, kFirst, kLast) * 1000 + time.tv_nsec / 1'000'000;
}

struct CloseDirectory {
  void operator()(DIR* directory) const { (void)closedir(directory); }
};

// The first of those behind `after`, in order of their bytes, however many there are.
Done<std::set<std::string>> first_names(DIR* directory, const std::string& after, std::size_t most) {
  std::set<std::string> names;
  while (true) {
    errno = 0;
    const dirent* entry = readdir(directory);
    if (entry == nullptr && errno != 0) return failed(FileStep::list, errno);
    if (entry == nullptr) return names;
    std::string name = entry->d_name;
    if (name == "." || name == ".." || name <= after) continue;
    if (names.size() == most && name > *names.rbegin()) continue;
    names.insert(std::move(name));
    if (names.size() > most) names.erase(std::prev(names.end()));
  }
}

}  // namespace

Done<FileStat> stat_at(int directory, const std::string& path, bool follow) {
  struct stat status {};
  if (fstatat(directory, path.c_str(), &status, follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0)
    return failed(FileStep::stat, errno);
  FileStat stat;
  stat.type = type_of(status.st_mode);
  stat.size = static_cast<std::uint64_t>(std::max<off_t>(0, status.st_size));
  stat.mode = status.st_mode & 07777;
  stat.uid = status.st_uid;
  stat.gid = status.st_gid;
  stat.changed_ms = in_ms(status.st_mtim);
  if (stat.type != FileType::link) return stat;
  std::array<char, kMostFilePath> target{};
  const ssize_t size = readlinkat(directory, path.c_str(), target.data(), target.size());
  if (size > 0) stat.target.assign(target.data(), static_cast<std::size_t>(size));
  return stat;
}

Done<void> make_parents(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos || slash == 0) return {};
  const Result<void> made = os::make_directories(path.substr(0, slash), kDirectoryMode);
  if (!made) return failed(FileStep::mkdir, made.error().error_number);
  return {};
}

Done<FileAnswer> list(const FileRequest& request) {
  const UniqueFd fd(open(request.path.c_str(), O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid()) return failed(FileStep::open, errno);
  return list_in(fd.get(), request);
}

Done<FileAnswer> list_in(int fd, const FileRequest& request) {
  UniqueFd again(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC));
  if (!again.valid()) return failed(FileStep::open, errno);
  const std::unique_ptr<DIR, CloseDirectory> directory(fdopendir(again.get()));
  if (!directory) return failed(FileStep::list, errno);
  (void)again.release();
  const std::size_t most = request.entries == 0 ? kMostFileEntries : request.entries;
  const std::set<std::string> names = TRY(first_names(directory.get(), request.after, most + 1));
  FileAnswer answer;
  std::size_t bytes = 0;
  for (const std::string& name : names) {
    answer.more = answer.entries.size() == most || bytes > kMostListBytes;
    if (answer.more) break;
    auto stat = stat_at(fd, name, false);
    if (!stat && stat.error().error_number == ENOENT) continue;  // it was there a moment ago
    if (!stat) return failed(FileStep::stat, stat.error().error_number);
    bytes += name.size() + stat->target.size() + 64;
    answer.entries.push_back({name, std::move(*stat)});
  }
  answer.stat = TRY(stat_at(fd, ".", false));
  return answer;
}

Done<FileAnswer> remove(const FileRequest& request) {
  FileAnswer answer;
  answer.stat = TRY(stat_at(AT_FDCWD, request.path, false));
  const bool directory = answer.stat.type == FileType::directory;
  if (directory && request.recursive) {
    const Result<void> removed = os::remove_tree(AT_FDCWD, request.path);
    if (!removed) return failed(FileStep::remove, removed.error().error_number);
  } else if (unlinkat(AT_FDCWD, request.path.c_str(), directory ? AT_REMOVEDIR : 0) != 0) {
    return failed(FileStep::remove, errno);
  }
  return answer;
}

Done<FileAnswer> make_directory(const FileRequest& request) {
  std::string path = request.path;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  if (request.parents) TRY(make_parents(path));
  FileAnswer answer;
  answer.created = mkdir(path.c_str(), kDirectoryMode) == 0;
  const int error = errno;
  if (!answer.created && !(error == EEXIST && request.parents)) return failed(FileStep::mkdir, error);
  answer.stat = TRY(stat_at(AT_FDCWD, path, true));
  if (answer.stat.type != FileType::directory) return failed(FileStep::mkdir, EEXIST);
  return answer;
}

Done<FileAnswer> move(const FileRequest& request) {
  if (request.parents) TRY(make_parents(request.to));
  const unsigned flags = request.replace ? 0 : RENAME_NOREPLACE;
  if (renameat2(AT_FDCWD, request.path.c_str(), AT_FDCWD, request.to.c_str(), flags) != 0)
    return failed(FileStep::rename, errno);
  FileAnswer answer;
  answer.stat = TRY(stat_at(AT_FDCWD, request.to, false));
  return answer;
}

}  // namespace sbx::files
