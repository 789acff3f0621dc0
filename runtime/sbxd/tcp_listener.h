// A listening socket of TCP.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "run/settings.h"

namespace sbx {

Result<UniqueFd> listen_tcp(const TcpListener& where);

}  // namespace sbx
