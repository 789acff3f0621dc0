// The parts of `attacks serve`: each makes targets and says where they are.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace sbx::attack {

// NAME=VALUE for the attackers.
void say(const std::string& name, const std::string& value);

// Processes that wait for ever, with what belongs to them. They die with this one.
std::vector<pid_t> start_processes();

// A key and a terminal, which go with this process.
void make_key();
void make_terminal();

// Servers on the host's addresses and Unix sockets. Each gives whoever comes one byte, kServed.
inline constexpr char kServed = 's';
void open_servers(const std::string& key);
// Serves whoever comes in the next `milliseconds`. False when standard input has ended.
bool serve_for(int milliseconds);
void remove_servers(const std::string& key);

// Files below `place`, a directory that whoever started this removes; a lock on a file of the system.
void make_files(const std::string& place);
// Opens and reads some, for whoever watches them.
void use_files(const std::string& place);

// IPC objects, each of which holds kIpcSecret.
inline constexpr long kIpcSecret = 0x5eC4e7;
void make_ipc_objects(const std::string& key);
void remove_ipc_objects(const std::string& key);

}  // namespace sbx::attack
