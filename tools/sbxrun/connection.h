// How sbxrun reaches a supervisor: sbxd's socket, or a direct supervisor of its own.
#pragma once

#include <sys/types.h>

#include "base/result.h"
#include "base/unique_fd.h"
#include "options.h"

namespace sbx::sbxrun {

struct Connection {
  UniqueFd socket;
  pid_t direct_supervisor = -1;  // our child; -1: sbxd
};

// Chooses by options.mode, whether a socket is there, and who we are (contracts: Mode). A socket that nobody
// answers is an error, never a silent fallback.
Result<Connection> connect_supervisor(const Options& options);

// The directory of our own programs.
std::string program_directory();

}  // namespace sbx::sbxrun
