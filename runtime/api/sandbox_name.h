// What a sandbox of a task or project is called: its control group and its host name.
#pragma once

#include <functional>
#include <string>

namespace sbx::api {

// "sbx-PROJECT-TASK", a host name (RFC 1123). With a piece of the SHA-256 of both where that would be too
// long, holds what a host name may not, does not tell where PROJECT ends, or is `taken`. Empty where there
// is neither.
std::string sandbox_name(const std::string& project, const std::string& task,
                         const std::function<bool(const std::string&)>& taken);

}  // namespace sbx::api
