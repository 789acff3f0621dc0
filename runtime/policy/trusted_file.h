// Reading files that decide what is allowed.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>

#include "base/result.h"

namespace sbx {

// The bytes of a regular file; an empty optional when it does not exist. More than `limit` bytes is an error.
// When we run as root the file must belong to root, or to the user who called us through sudo, and must not
// be writable by group or others: what another user can edit is no policy. The error names the fix.
Result<std::optional<std::string>> read_trusted_file(const std::string& path, std::size_t limit);

// Refuses a mode that lets group or others write; the error names the fix.
Result<void> check_unwritable_by_others(const std::string& path, mode_t mode);

}  // namespace sbx
