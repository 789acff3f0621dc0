// The same filter with its refusals told: what returns an error asks a listener for it instead
// (SECCOMP_RET_USER_NOTIF, seccomp_unotify(2)). The listener evaluates the filter itself to know which error.
// ENOSYS stays as it is: what the filter says does not exist is not refused, and C libraries ask for it all
// the time.
#pragma once

#include <string>

namespace sbx {

// `filter`: struct sock_filter[].
std::string with_denials_told(std::string filter);

}  // namespace sbx
