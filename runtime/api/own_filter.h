// What the API's process may ask the kernel for, once it serves. It is what reads clients' bytes.
#pragma once

#include "base/result.h"

namespace sbx::api {

// From here on anything but what a server and its files need kills the process (SIGSYS): no program is
// started, no process, no thread, no socket opened or connected, no memory made executable, no identity
// changed. Needs no_new_privs or CAP_SYS_ADMIN.
Result<void> enter_own_filter();

}  // namespace sbx::api
