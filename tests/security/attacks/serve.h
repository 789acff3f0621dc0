// The parts of `attacks serve`: each makes targets and says where they are.
#pragma once

#include <sys/types.h>

#include <string>

namespace sbx::attack {

// NAME=VALUE for the attackers.
void say(const std::string& name, const std::string& value);

// Servers on the host's addresses and Unix sockets. Each gives whoever comes one byte, kServed.
inline constexpr char kServed = 's';
void open_servers(const std::string& key);
// Serves until standard input ends.
void run_servers();
void remove_servers(const std::string& key);

// IPC objects, each of which holds kSecret.
inline constexpr long kSecret = 0x5eC4e7;
void make_ipc_objects(const std::string& key);
void remove_ipc_objects(const std::string& key);

}  // namespace sbx::attack
