// Files and directories by descriptor. Every call sets close-on-exec, retries EINTR where that is right
// and fills in the error. `directory` may be AT_FDCWD.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx::os {

// openat(2) with O_CLOEXEC.
Result<UniqueFd> open_at(int directory, const std::string& path, int flags, mode_t mode = 0);

// The same; a file that does not exist is an empty optional, not an error.
Result<std::optional<UniqueFd>> open_if_exists(int directory, const std::string& path, int flags);

// openat2(2). `resolve` is a set of RESOLVE_* flags, such as RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS.
Result<UniqueFd> open_resolved(int directory, const std::string& path, int flags, std::uint64_t resolve,
                               mode_t mode = 0);

// All of a file; more than `limit` bytes is an error.
Result<std::string> read_file(int directory, const std::string& path, std::size_t limit = 16U << 20U);
Result<std::string> read_all(int fd, std::string_view what, std::size_t limit = 16U << 20U);

// Writes all bytes (pipes and sockets too). `what` names the file in the error.
Result<void> write_all(int fd, std::string_view bytes, std::string_view what);

// Opens an existing file (a cgroup or /proc file) and writes `bytes` in one write(2).
Result<void> write_existing(int directory, const std::string& path, std::string_view bytes);

// Writes a new file beside `path` and renames it over `path`: readers see the old or the new content.
Result<void> replace_file(int directory, const std::string& path, std::string_view bytes, mode_t mode);

// mkdir -p: every missing directory of an absolute path, with `mode` for those that are made.
Result<void> make_directories(const std::string& path, mode_t mode);

Result<struct stat> stat_fd(int fd, std::string_view what);

// Names in a directory, sorted, without "." and "..".
Result<std::vector<std::string>> list_directory(int directory, const std::string& path);

// Removes `name` in `directory`, and what is below it, by descriptors: a symbolic link is removed, never
// followed. What is gone already is no error.
Result<void> remove_tree(int directory, const std::string& name);

// An flock(2) held as long as the descriptor is open. `wait` false: an empty optional when it is taken.
Result<std::optional<UniqueFd>> lock_file(int directory, const std::string& path, bool wait);

// An anonymous file (memfd) with `bytes`, sealed against every change, positioned at 0.
Result<UniqueFd> sealed_memfd(const char* name, std::string_view bytes);

// The bytes of a descriptor that another process sent: only a sealed memfd (or regular file that can no
// longer change) of at most `limit` bytes is accepted, so that it cannot change or shrink under us.
Result<std::string> read_sealed_memfd(int fd, std::string_view what, std::size_t limit);

}  // namespace sbx::os
