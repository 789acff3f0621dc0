// Follows a command and everything that comes of it with ptrace(2), stops each process at its system calls
// and does one thing to one of them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "roles.h"

namespace sbx::faults {

struct Fault {
  enum class What { none, kill, fail };
  What what = What::none;
  std::string role;
  std::string call;
  unsigned index = 0;    // which of these calls of the role, from 0
  int error_number = 0;  // of `fail`
};

class Tracer {
 public:
  // `report`: a line for what was done, for what was left, and with `list` for every call.
  Tracer(Fault fault, bool list, FILE* report) : fault_(std::move(fault)), list_(list), report_(report) {}

  // Runs the command to its end and a moment longer; its exit status, 128+n after signal n. What still runs
  // then is told and killed, and so is all of a command that does not end within `seconds`.
  int run(const std::vector<char*>& command, int seconds);

 private:
  struct Process {
    Role role = Role::sbxrun;
    unsigned long clone_flags = 0;  // of the clone that it is in
    bool failing = false;           // the call that it is in is to fail
  };

  void start(const std::vector<char*>& command);
  bool follow(int tenths);
  void stopped(pid_t pid, int status);
  void event(pid_t pid, Process& process, int event, int signal);
  void adopt(pid_t child, const Process& parent);
  void at_call(pid_t pid, Process& process);
  void enter(pid_t pid, Process& process, unsigned long number, const std::uint64_t* arguments);
  void leave(pid_t pid, Process& process);
  void resume(pid_t pid, int signal = 0);
  void tell_survivors(const char* word);

  Fault fault_;
  bool list_ = false;
  FILE* report_ = nullptr;
  pid_t root_ = -1;
  int root_status_ = -1;
  std::map<pid_t, Process> processes_;
  std::set<pid_t> early_;  // stopped before the event that tells whose copy it is
  std::map<std::pair<Role, std::string>, unsigned> calls_;  // so far
};

std::string call_name(long number);

}  // namespace sbx::faults
