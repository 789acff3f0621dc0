// Kernel memory behind IPC objects, and sysctls of the namespaces: what the kernel's defaults and the limits
// of a sandbox give without a write to any of them.
#include <sched.h>

#include "isolation.h"

namespace sbx::test {
namespace {

// Outside, in namespaces of its own, so that nothing of it stays on the host.
ProgramResult outside(std::vector<std::string> command, int namespaces, const char* setting = nullptr,
                      const char* value = nullptr) {
  ProgramOptions options;
  options.before_exec = [=] {
    if (unshare(namespaces) != 0) _exit(99);
    if (setting == nullptr) return;
    const int fd = open(setting, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, value, strlen(value)) < 0) _exit(98);
    (void)close(fd);
  };
  return run_program(command, options);
}

constexpr const char* kPingGroups = "/proc/sys/net/ipv4/ping_group_range";
constexpr const char* kPing =
    "import socket\n"
    "try:\n  socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP); print('ok')\n"
    "except OSError as error: print(error.errno)\n";

}  // namespace

TEST_CASE("IPC objects count against the memory of the sandbox") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const std::string kind : {"shm", "msg", "empty_msg", "sem"}) {
    CAPTURE(kind);
    CHECK(outside({probe_directory() + "/ipc_fill", kind}, CLONE_NEWIPC).out == kind + "=filled\n");
    const auto result = sandbox.run_json({"-m", "64M", bind_probes(), "--", kProbes + "/ipc_fill", kind});
    CHECK(result["outcome"] == "out_of_memory");
    CHECK(result["stdout"]["text"] == "");
  }
}

TEST_CASE("POSIX message queues are bounded by a limit of their own") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Answers found = probe_inside(sandbox, {"ipc_fill", "mq"}, {"-m", "64M"});
  CHECK(answer(found, "mq") == "EMFILE");  // RLIMIT_MSGQUEUE
}

TEST_CASE("ping sockets are closed inside, also where the caller's network has them open") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::vector<std::string> python{"/usr/bin/python3", "-c", kPing};
  CHECK(outside(python, CLONE_NEWNET, kPingGroups, "0 2147483647").out == "ok\n");
  std::vector<std::string> command = sbxrun_command(sandbox, {"--"});
  command.insert(command.end(), python.begin(), python.end());
  const ProgramResult inside = outside(command, CLONE_NEWNET, kPingGroups, "0 2147483647");
  CHECK_MESSAGE(inside.out == std::to_string(EACCES) + "\n", inside.err);
}

}  // namespace sbx::test
