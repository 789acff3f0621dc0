#include "option_specs.h"

#include <array>
#include <string_view>

namespace sbx::sbxrun {
namespace {

constexpr const char* kWhat = "What to run";
constexpr const char* kFiles = "Files";
constexpr const char* kLimitGroup = "Limits (default: the policy's)";
constexpr const char* kOutput = "Output";
constexpr const char* kWhere = "Supervisor and places";

constexpr std::array kSpecs{
    OptionSpec{kWhat, "image", 0, "NAME",
               "the root file system: host (default), or one of sbxctl images list", nullptr},
    OptionSpec{kWhat, "build", 0, nullptr, "build the image first where it is missing (sbxctl images build)",
               nullptr},
    OptionSpec{kWhat, "policy", 0, "NAME|FILE", "what is allowed: default, strict, permissive, or a file",
               nullptr},
    OptionSpec{kWhat, "language", 0, "LANG",
               "run code of this language, in an image that has it (sbxctl languages)", nullptr},
    OptionSpec{kWhat, "code", 0, "TEXT", "the code; else --file, or - in place of a command: standard input",
               nullptr},
    OptionSpec{kWhat, "file", 0, "PATH", "the code, from a file of the caller's", nullptr},
    OptionSpec{kWhat, "add-file", 0, "PATH[:NAME]", "a file beside the code (repeatable)", nullptr},
    OptionSpec{kWhat, "action", 0, "ACTION", "run (default), check, test, format, lint or type-check",
               nullptr},
    OptionSpec{kWhat, "env", 'e', "NAME[=VALUE]", "set a variable inside; without a value, the caller's",
               nullptr},
    OptionSpec{kWhat, "env-file", 0, "FILE", "set variables from lines NAME=VALUE", nullptr},
    OptionSpec{kWhat, "cwd", 'w', "DIR", "start in this directory inside", nullptr},
    OptionSpec{kWhat, "workdir", 0, "DIR", "", "cwd"},
    OptionSpec{kWhat, "hostname", 'h', "NAME", "the host name inside (default: sandbox)", nullptr},
    OptionSpec{kWhat, "tty", 't', nullptr, "run on a terminal of the sandbox's own", nullptr},
    OptionSpec{kWhat, "interactive", 'i', nullptr, "accepted; standard input is always passed", nullptr},
    OptionSpec{kWhat, "task", 0, "ID", "a task id for the record", nullptr},

    OptionSpec{kFiles, "here", 0, "[=ro|rw|cow]",
               "show the current directory at /workspace/project_files and start there", nullptr},
    OptionSpec{kFiles, "bind", 0, "HOST:INSIDE[:ro|rw|cow]", "show a host path inside (default: ro)",
               nullptr},
    OptionSpec{kFiles, "volume", 'v', "HOST:INSIDE[:ro|rw]", "as --bind, writable unless :ro", nullptr},
    OptionSpec{kFiles, "project", 0, "ID", "keep /workspace under this name", nullptr},
    OptionSpec{kFiles, "workspace-mode", 0, "MODE",
               "changes of the project: persistent (default), ephemeral (thrown away) or transaction",
               nullptr},
    OptionSpec{kFiles, "transaction", 0, "ID", "go on with this transaction of the project", nullptr},
    OptionSpec{kFiles, "show-changes", 0, nullptr, "with ephemeral: list what would have changed", nullptr},

    OptionSpec{kLimitGroup, "memory", 'm', "SIZE",
               "memory of the whole sandbox, page cache and /tmp included", nullptr},
    OptionSpec{kLimitGroup, "cpus", 0, "N", "CPUs, such as 0.5", nullptr},
    OptionSpec{kLimitGroup, "pids", 0, "N", "processes and threads", nullptr},
    OptionSpec{kLimitGroup, "pids-limit", 0, "N", "", "pids"},
    OptionSpec{kLimitGroup, "wall-time", 0, "TIME", "time until it is killed", nullptr},
    OptionSpec{kLimitGroup, "timeout", 0, "TIME", "", "wall-time"},
    OptionSpec{kLimitGroup, "cpu-time", 0, "TIME", "CPU time of the whole sandbox", nullptr},
    OptionSpec{kLimitGroup, "output-limit", 0, "SIZE", "bytes of both streams together", nullptr},
    OptionSpec{kLimitGroup, "nofile", 0, "N", "open files per process", nullptr},
    OptionSpec{kLimitGroup, "fsize", 0, "SIZE", "size of one file", nullptr},
    OptionSpec{kLimitGroup, "tmp", 0, "SIZE", "HOME, /tmp, /var/tmp and /dev/shm together", nullptr},
    OptionSpec{kLimitGroup, "disk", 0, "SIZE", "the workspace", nullptr},
    OptionSpec{kLimitGroup, "inodes", 0, "N", "files and directories in each of these two", nullptr},
    OptionSpec{kLimitGroup, "ulimit", 0, "nofile=N|fsize=SIZE", "Docker's way to say --nofile and --fsize",
               nullptr},
    OptionSpec{kLimitGroup, "compile-limit", 0, "LIMIT=VALUE",
               "a limit of the compile step of --language, such as memory=1G (repeatable)", nullptr},

    OptionSpec{kOutput, "json", 0, nullptr, "capture the output and print the result object", nullptr},
    OptionSpec{kOutput, "result", 0, "FILE|fd:N", "write the result object there", nullptr},
    OptionSpec{kOutput, "quiet", 'q', nullptr, "say nothing about the run itself", nullptr},
    OptionSpec{kOutput, "dry-run", 0, nullptr, "print the plan and run nothing", nullptr},
    OptionSpec{kOutput, "explain", 0, nullptr, "say in words what the program will be allowed", nullptr},
    OptionSpec{kOutput, "check", 0, nullptr, "say what this host can enforce (sbxctl doctor)", nullptr},
    OptionSpec{kOutput, "help", 0, nullptr, "print this", nullptr},
    OptionSpec{kOutput, "version", 0, nullptr, "print the version", nullptr},

    OptionSpec{kWhere, "direct", 0, nullptr, "supervise this run directly (root); never use sbxd", nullptr},
    OptionSpec{kWhere, "sandbox", 0, "ID|task:ID", "run it in this sandbox of sbxd's", nullptr},
    OptionSpec{kWhere, "socket", 0, "PATH", "use the sbxd at this socket; never run directly", nullptr},
    OptionSpec{kWhere, "state-dir", 0, "DIR", "images and projects (default: /var/lib/sbx)", nullptr},
    OptionSpec{kWhere, "run-dir", 0, "DIR", "what lives as long as the machine is up (default: /run/sbx)",
               nullptr},
    OptionSpec{kWhere, "log", 0, "FILE", "monitor log (default: /var/log/sbx/monitor.jsonl)", nullptr},
    OptionSpec{kWhere, "config", 0, "FILE", "configuration (default: /etc/sbx/config.yaml)", nullptr},
};

}  // namespace

std::span<const OptionSpec> option_specs() { return kSpecs; }

std::string help_text() {
  std::string text =
      "Usage: sbxrun [OPTION…] [--] COMMAND [ARG…]\n"
      "       sbxrun [OPTION…] --language LANG (--code TEXT | --file PATH | - | PATH) [-- ARG…]\n"
      "Runs a program that nobody has read in a sandbox: own namespaces, no capabilities, a system call\n"
      "allowlist, no network, hard limits. Exits with the program's own status, or one of those below.\n";
  const char* group = "";
  for (const OptionSpec& spec : kSpecs) {
    if (spec.alias_of != nullptr) continue;
    if (group != spec.group) {
      group = spec.group;
      text += "\n" + std::string(group) + ":\n";
    }
    std::string left = "  ";
    left += spec.short_name != 0 ? std::string("-") + spec.short_name + ", " : "    ";
    left += "--" + std::string(spec.name);
    for (const OptionSpec& alias : kSpecs) {
      if (alias.alias_of != nullptr && std::string_view(alias.alias_of) == spec.name)
        left += ", --" + std::string(alias.name);
    }
    if (spec.argument != nullptr) left += (spec.argument[0] == '[' ? "" : " ") + std::string(spec.argument);
    if (left.size() < 36) {
      left.resize(36, ' ');
    } else {
      left += "\n" + std::string(36, ' ');
    }
    text += left + spec.help + "\n";
  }
  return text +
         "\nSizes: K M G (1024-based), bare bytes. Times: ms s m h, bare seconds.\n"
         "\nExit status: the program's own; 128+n killed by signal n; 124 out of wall or CPU time; 137 out "
         "of\n"
         "memory or output; 159 forbidden system call; 125 not run (policy, set-up); 126/127 cannot be\n"
         "executed / not found; 130/143 cancelled; 2 bad option.\n";
}

}  // namespace sbx::sbxrun
