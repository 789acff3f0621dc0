// One fault at one system call of one process of a run.
//   inject REPORT list -- COMMAND…                    every call: "call ROLE CALL N", in order
//   inject REPORT kill ROLE CALL N -- COMMAND…        SIGKILL as it enters that call
//   inject REPORT fail ROLE CALL N ERRNO -- COMMAND…  that call is not made, and fails
// CALL N is the Nth such call of its role, from 0; a write to a file of a control group is `write_cgroup`.
//
// Into the file REPORT go "injected ROLE CALL N WHAT" once that is done, "survivor ROLE PROGRAM" for what
// still runs two seconds after the command, and "hang ROLE PROGRAM" for all of it when the command does not
// end within SBX_INJECT_SECONDS (default: 60). The exit status is the command's; 2 for wrong usage, 3 when it
// hangs.
#include <string.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "tracer.h"

namespace {

using sbx::faults::Fault;

[[noreturn]] void usage() {
  (void)fputs("usage: inject REPORT list|kill ROLE CALL N|fail ROLE CALL N ERRNO -- COMMAND…\n", stderr);
  exit(2);
}

int error_number(std::string_view name) {
  for (int number = 1; number < 134; ++number) {
    const char* known = strerrorname_np(number);
    if (known != nullptr && name == known) return number;
  }
  usage();
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words;
  int at = 1;
  while (at < argc && std::string_view(argv[at]) != "--") words.emplace_back(argv[at++]);
  std::vector<char*> command;
  for (++at; at < argc; ++at) command.push_back(argv[at]);
  command.push_back(nullptr);
  if (words.size() < 2 || command.size() < 2) usage();

  Fault fault;
  const bool list = words[1] == "list" && words.size() == 2;
  if (words[1] == "kill" && words.size() == 5) fault.what = Fault::What::kill;
  if (words[1] == "fail" && words.size() == 6) {
    fault.what = Fault::What::fail;
    fault.error_number = error_number(words[5]);
  }
  if (!list && fault.what == Fault::What::none) usage();
  if (!list) {
    fault.role = words[2];
    fault.call = words[3];
    fault.index = static_cast<unsigned>(strtoul(words[4].c_str(), nullptr, 10));
  }
  const char* seconds = getenv("SBX_INJECT_SECONDS");
  FILE* report = fopen(words[0].c_str(), "we");
  if (report == nullptr) {
    perror(words[0].c_str());
    return 2;
  }
  sbx::faults::Tracer tracer(fault, list, report);
  const int status =
      tracer.run(command, seconds == nullptr ? 60 : static_cast<int>(strtol(seconds, nullptr, 10)));
  return fclose(report) == 0 ? status : 3;
}
