// Identifiers that become file names, cgroup names and hostnames, and the ids of runs.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace sbx {

// A name is 1 to 64 characters of a-z A-Z 0-9 . _ - and starts with a letter or a digit: safe as one
// path component, as a cgroup and in a shell. `what` names the flag or key in the error.
Result<void> check_name(std::string_view what, std::string_view name);

// RFC 1123 host name: labels of a-z A-Z 0-9 -, at most 63 characters in all (the kernel takes 64).
Result<void> check_hostname(std::string_view what, std::string_view name);

// An absolute path inside the sandbox without empty, "." or ".." components, at most 4095 bytes;
// returns it without a trailing slash.
Result<std::string> check_inside_path(std::string_view what, std::string_view path);

// Whether a policy is named by its file: the text holds a '/' or ends in ".yaml".
bool is_policy_file(std::string_view text);

// A new UUIDv7 (RFC 9562): sortable by time of creation.
std::string new_run_id();
Result<void> check_run_id(std::string_view what, std::string_view id);

// A host name of at most 63 characters that begins as `name` and ends with "-" and `mark`.
std::string marked_name(std::string_view name, std::string_view mark);

}  // namespace sbx
