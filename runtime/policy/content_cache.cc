#include "policy/content_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "os/file.h"

// A file is the magic, a hash of key and bytes, and the bytes. The hash makes a torn file, one of another key
// and one of something else a miss.
namespace sbx {
namespace {

constexpr std::string_view kMagic = "SBXCACHE";
constexpr std::size_t kHeaderBytes = kMagic.size() + 64;

std::string header_of(std::string_view key, std::string_view bytes) {
  return std::string(kMagic) + blake2b_hex(std::string(key) + std::string(bytes));
}

}  // namespace

std::string ContentCache::path_of(std::string_view key) const {
  return directory_ + "/" + std::string(key) + "." + kind_;
}

std::optional<std::string> ContentCache::read(std::string_view key) const {
  if (directory_.empty()) return std::nullopt;
  const std::string path = path_of(key);
  const Result<UniqueFd> fd = os::open_at(AT_FDCWD, path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
  if (!fd) return std::nullopt;
  const Result<struct stat> status = os::stat_fd(fd->get(), path);
  if (!status || !S_ISREG(status->st_mode) || status->st_uid != geteuid() ||
      (status->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return std::nullopt;
  }
  Result<std::string> file = os::read_all(fd->get(), path, kHeaderBytes + max_bytes_);
  if (!file || file->size() <= kHeaderBytes) return std::nullopt;
  std::string bytes = file->substr(kHeaderBytes);
  if (std::string_view(*file).substr(0, kHeaderBytes) != header_of(key, bytes)) return std::nullopt;
  return bytes;
}

void ContentCache::store(std::string_view key, std::string_view bytes) const {
  if (directory_.empty() || !os::make_directories(directory_, 0700)) return;
  (void)os::replace_file(AT_FDCWD, path_of(key), header_of(key, bytes) + std::string(bytes), 0600);
}

}  // namespace sbx
