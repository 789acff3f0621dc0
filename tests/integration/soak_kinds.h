// The runs of soak_test.cc: honest and hostile ones, each with how it has to end.
#pragma once

#include <signal.h>

#include <string>
#include <vector>

namespace sbx::test {

struct SoakKind {
  const char* name;
  std::vector<std::string> arguments;  // "@" is the number of the run
  int exit_status;
  const char* outcome;       // empty: no result is left
  std::string out = {};      // what it prints, with "@" as above; "*": anything
  int signal_to_sbxrun = 0;  // sent when the program runs
  bool here = false;         // starts in a directory with a file `note`
};

inline std::vector<SoakKind> soak_kinds(const std::string& marks, const std::string& wall_time) {
  const auto shell = [](std::vector<std::string> options, const std::string& script) {
    options.insert(options.end(), {"--", "/bin/sh", "-c", script});
    return options;
  };
  const std::vector<std::string> timed{"--wall-time", wall_time};
  const std::string ready = "touch /mnt/@; exec sleep 600";
  const std::string bind = "--bind=" + marks + ":/mnt:rw";
  return {
      {"true", {"--", "/bin/true"}, 0, "exited"},
      {"output", shell({}, "echo run @; echo err >&2"), 0, "exited", "run @\n"},
      {"exit code", shell({}, "exit 7"), 7, "exited"},
      {"python", {"--", "/usr/bin/python3", "-c", "print(@ * 3 - @ * 2)"}, 0, "exited", "@\n"},
      {"fork bomb",
       shell({"--pids", "24", "--wall-time", wall_time}, "sh -c 'f() { f | f & }; f' & exec sleep 600"), 124,
       "timed_out"},
      {"memory bomb", shell({"-m", "32M"}, "head -c 300M /dev/zero | tail -c 1G"), 137, "out_of_memory"},
      {"flood", {"--output-limit", "10K", "--", "/usr/bin/yes"}, 137, "output_limit", "*"},
      {"sleep", {"--wall-time", wall_time, "--", "/bin/sleep", "600"}, 124, "timed_out"},
      {"cancelled", shell({bind}, ready), 143, "cancelled", "", SIGTERM},
      {"client killed", shell({bind}, ready), 137, "", "", SIGKILL},
      {"project", shell({"--project", "p"}, "echo @ >note-@; cat note-@; rm note-@"), 0, "exited", "@\n"},
      {"ephemeral", shell({"--project", "e", "--workspace-mode", "ephemeral"}, "echo @ >note; cat note"), 0,
       "exited", "@\n"},
      {"here", shell({"--here"}, "cat note"), 0, "exited", "shown\n", 0, true},
      {"daemons", shell({}, "(setsid sleep 600 &); (setsid sh -c 'setsid sleep 600 & sleep 600' &); exit 5"),
       5, "exited"},
      {"stops itself", shell(timed, "kill -STOP $$"), 124, "timed_out"},
      {"kills itself", shell({}, "kill -KILL $$"), 137, "signaled"},
      {"terminal", shell({"-t"}, "tty; exit 4"), 4, "exited", "/dev/pts/0\r\n"},
      {"SIGSYS", shell({}, "kill -SYS $$"), 159, "violation"},
      {"rejected", {"-m", "1000G", "--", "/bin/true"}, 125, "rejected"},
      {"not found", {"--", "/no/such/program"}, 127, "setup_failed"},
  };
}

}  // namespace sbx::test
