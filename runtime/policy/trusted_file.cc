#include "policy/trusted_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "os/file.h"

namespace sbx {
namespace {

// sudo(8) tells who called it. Whoever can set root's environment is root already.
bool is_sudo_caller(uid_t uid) {
  const char* text = std::getenv("SUDO_UID");
  if (text == nullptr) return false;
  const std::string_view digits(text);
  uid_t caller = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), caller);
  return error == std::errc{} && end == digits.data() + digits.size() && caller == uid;
}

Result<void> check_trusted(const std::string& path, const struct stat& status) {
  if (status.st_uid != 0 && !is_sudo_caller(status.st_uid)) {
    return fail("'" + path + "' belongs to uid " + std::to_string(status.st_uid) +
                ", who could change what is allowed: chown root '" + path + "'");
  }
  return check_unwritable_by_others(path, status.st_mode);
}

}  // namespace

Result<void> check_unwritable_by_others(const std::string& path, mode_t mode) {
  if ((mode & (S_IWGRP | S_IWOTH)) == 0) return {};
  std::array<char, 16> octal{};
  (void)std::snprintf(octal.data(), octal.size(), "%04o", static_cast<unsigned>(mode) & 07777U);
  return fail("'" + path + "' can be changed by others (mode " + octal.data() + "): chmod go-w '" + path +
              "'");
}

Result<std::optional<std::string>> read_trusted_file(const std::string& path, std::size_t limit) {
  // O_NONBLOCK: a FIFO of that name must not hang us before we see what it is.
  const std::optional<UniqueFd> fd =
      TRY(os::open_if_exists(AT_FDCWD, path, O_RDONLY | O_NOCTTY | O_NONBLOCK));
  if (!fd) return std::optional<std::string>{};
  const struct stat status = TRY(os::stat_fd(fd->get(), path));
  if (!S_ISREG(status.st_mode)) return fail("'" + path + "' is not a regular file");
  if (geteuid() == 0) TRY(check_trusted(path, status));
  return std::optional(TRY(os::read_all(fd->get(), path, limit)));
}

}  // namespace sbx
