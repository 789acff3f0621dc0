// The way from sbxd's socket, which speaks HTTP, to a keeper: an upgrade (RFC 9110, 7.8), whose connection
// then carries one descriptor, our socket of wire/client_protocol.h.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx::sbxrun {

// `sandbox`: a living one; empty: for a run in a sandbox of its own.
Result<UniqueFd> connect_daemon(const std::string& socket_path, const std::string& sandbox);

}  // namespace sbx::sbxrun
