// report_denials: what was refused is counted and told, and nothing else changes.
#include "isolation.h"
#include "support/process_tree.h"

namespace sbx::test {
namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;

std::string telling_policy(const Sandbox& sandbox, const std::string& name = "default") {
  const std::string path = sandbox.directory() + "/" + name + ".yaml";
  const std::string shipped = std::string(std::getenv("SBX_TEST_DATA")) + "/policies/" + name + ".yaml";
  write_file(path, replaced(read_file(shipped), "report_denials: false", "report_denials: true"));
  return "--policy=" + path;
}

json run_python(const Sandbox& sandbox, const std::string& code, Strings options) {
  for (const char* argument : {"--", "/usr/bin/python3", "-c"}) options.emplace_back(argument);
  options.push_back(code);
  return sandbox.run_json(options);
}

json denial(const json& object, const std::string& syscall, const json& family = nullptr) {
  for (const json& one : object["denied"]) {
    if (one["syscall"] == syscall && one["family"] == family) return one["count"];
  }
  return nullptr;
}

const std::string kCalls =
    "import ctypes, errno, socket\n"
    "libc = ctypes.CDLL(None, use_errno=True)\n"
    "def call(*words):\n"
    "  ctypes.set_errno(0); libc.syscall(*words); return errno.errorcode.get(ctypes.get_errno(), 'ok')\n"
    "print([call(272, 0x10000000) for _ in range(3)], call(250, 0, -1, 1), call(435, 0, 0), call(9999))\n"
    "for family in (38, 38, 16, 40):\n"
    "  try: socket.socket(family, socket.SOCK_RAW)\n"
    "  except OSError as error: print(errno.errorcode[error.errno])\n"
    "print(call(41, 2, 3, 255), call(56, 0x10000011, 0, 0, 0, 0))\n";
const std::string kAnswers =
    "['EPERM', 'EPERM', 'EPERM'] EPERM ENOSYS ENOSYS\n"
    "EAFNOSUPPORT\nEAFNOSUPPORT\nEAFNOSUPPORT\nEAFNOSUPPORT\nEPERM EPERM\n";

std::string of_process(pid_t pid, const std::string& file) {
  return read_file("/proc/" + std::to_string(pid) + "/" + file);
}

// Its own CPU time so far (proc(5), stat), without that of its children; 0 when it has gone.
double cpu_milliseconds(pid_t pid) {
  std::istringstream fields(of_process(pid, "stat"));
  fields.ignore(1 << 20, ')');
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return fields ? (user + system) * 1'000 / static_cast<double>(sysconf(_SC_CLK_TCK)) : 0;
}

// Init, what counts and the program, once all are there.
std::vector<pid_t> wait_for_processes_inside(pid_t sbxrun) {
  std::vector<pid_t> pids;
  CHECK(wait_until(milliseconds(10'000), [&] {
    const pid_t init = find_program(sbxrun, Program::init);
    pids = children_of(init);
    pids.push_back(init);
    return pids.size() >= 3;
  }));
  return pids;
}

}  // namespace

TEST_CASE("refused system calls are told by name and number of times, and fail as they do untold") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json untold = run_python(sandbox, kCalls, {});
  CHECK_MESSAGE(untold["stdout"]["text"] == kAnswers, untold.dump());
  CHECK(untold["denied"] == json::array());
  CHECK_FALSE(untold["controls"].contains("denials"));

  const json told = run_python(sandbox, kCalls, {telling_policy(sandbox), "--pids", "1"});
  CHECK_MESSAGE(told["stdout"]["text"] == kAnswers, told.dump());
  CHECK(told["controls"]["denials"] == "counted");
  CHECK_MESSAGE(denial(told, "unshare") == 3, told["denied"].dump());
  CHECK(denial(told, "keyctl") == 1);
  CHECK(denial(told, "clone") == 1);
  CHECK(denial(told, "socket", 38) == 2);
  CHECK(denial(told, "socket", 16) == 1);
  CHECK(denial(told, "socket", 40) == 1);
  CHECK(denial(told, "socket", 2) == 1);
  CHECK(denial(told, "clone3") == nullptr);  // it does not exist, says the filter
  CHECK(told["usage"]["pids_peak"] == 1);    // what counts is ours
  // The line of the log says the same.
  CHECK(sandbox.log_lines().back()["denied"] == told["denied"]);
}

TEST_CASE("what was refused is told of a program that was killed, and under every policy") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const char* name : {"default", "strict", "permissive"}) {
    CAPTURE(name);
    const json result =
        run_python(sandbox, kCalls + "import time\nprint(end='', flush=True)\ntime.sleep(100)",
                   {telling_policy(sandbox, name), "--timeout", std::to_string(2 * time_scale())});
    CHECK(result["outcome"] == "timed_out");
    CHECK_MESSAGE(denial(result, "unshare") == 3, result["denied"].dump());
  }
}

TEST_CASE("the process that counts cannot be reached, and the program has no listener") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string policy = telling_policy(sandbox);
  CHECK(answer(probe_inside(sandbox, {"list_fds"}, {policy}), "3") == "(no answer)");
  const std::string code =
      "import os, errno\n"
      "def attempt(f):\n"
      "  try: f(); print('ok')\n"
      "  except OSError as error: print(errno.errorcode[error.errno])\n"
      "attempt(lambda: os.kill(2, 9))\n"
      "attempt(lambda: os.listdir('/proc/2/fd'))\n"
      "attempt(lambda: os.open('/proc/2/mem', os.O_RDWR))\n"
      "print(sorted(n for n in os.listdir('/proc') if n.isdigit() and int(n) <= 2))\n";
  const json result = run_python(sandbox, code, {policy});
  CHECK_MESSAGE(result["stdout"]["text"] == "EPERM\nENOENT\nENOENT\n[]\n", result.dump());
  // Attacks get the same answers, and the process that counts is as far away as init.
  const auto answers = [&](std::vector<std::string> options, const std::string& victim) {
    options.insert(options.end(), {bind_probes(), "--timeout=1m", "--", kProbes + "/attacks", "run", "init",
                                   "namespaces", "kernel", "rights", "abi", "sockets", victim});
    return parse_answers(sandbox.run(options).out);
  };
  const Answers untold = answers({}, "victim=1");
  const Answers told = answers({policy}, "victim=2");
  CHECK(told.size() > 200);
  for (const auto& [name, given] : untold) {
    const std::string expected = name == "abi.own_listener" ? "EBUSY" : given;
    const std::string what = answer(told, name);
    CHECK_MESSAGE((what == expected || (name.starts_with("init.") && what == "not tried")),
                  name << " gave " << what << ", not " << expected);
  }
}

TEST_CASE("a flood of refused calls is the sandbox's own to pay for") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string flood =
      "import os, ctypes\nlibc = ctypes.CDLL(None)\n"
      "for i in range(20): os.fork() if i < 4 else None\n"
      "while True: libc.syscall(272, 0x10000000)";
  Background other(sbxrun_command(
      sandbox, {telling_policy(sandbox), "--json", "--cpus", "0.5", "--pids", "20", "--timeout",
                std::to_string(4 * time_scale()), "--", "/usr/bin/python3", "-c", flood}));
  // Who counts is limited as the program is.
  const std::vector<pid_t> inside = wait_for_processes_inside(other.pid());
  const std::string groups = of_process(inside.back(), "cgroup");
  CHECK_MESSAGE(groups.find("/sbx-") != std::string::npos, groups);
  for (const pid_t pid : inside) CHECK_MESSAGE(of_process(pid, "cgroup") == groups, of_process(pid, "comm"));
  const std::vector<pid_t> outside{other.pid(), find_program(other.pid(), Program::direct),
                                   find_program(other.pid(), Program::spawner)};
  // Meanwhile a neighbour runs.
  for (int i = 0; i < 3; ++i) CHECK(sandbox.shell("echo good").out == "good\n");
  std::map<pid_t, double> used_outside;
  CHECK(wait_until(milliseconds(30'000), [&] {
    for (const pid_t pid : outside) used_outside[pid] = std::max(used_outside[pid], cpu_milliseconds(pid));
    return has_ended(other.pid());
  }));
  (void)other.end();
  const json result = json::parse(other.said(), nullptr, false);
  REQUIRE_FALSE(result.is_discarded());
  CHECK(result["outcome"] == "timed_out");
  CHECK(denial(result, "unshare") > 100);
  // All of it was the sandbox's CPU time, within its limit.
  const double used = result["usage"]["user_ms"].get<double>() + result["usage"]["system_ms"].get<double>();
  const double wall = result["usage"]["wall_ms"];
  CHECK(used < 0.5 * 1.3 * wall);
  // Ours is that of any run: no bound that a measurement would need.
  for (const auto& [pid, used_there] : used_outside) CHECK(used_there < 0.25 * wall);
}

TEST_CASE("a program's own seccomp filter works beside it, its own listener does not") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string code =
      "import ctypes, struct, errno\n"
      "libc = ctypes.CDLL(None, use_errno=True)\n"
      "code = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0x7fff0000))\n"
      "program = ctypes.create_string_buffer(struct.pack('H6xQ', 1, ctypes.addressof(code)))\n"
      "def add(flags):\n"
      "  result = libc.syscall(317, 1, flags, program)\n"
      "  print(errno.errorcode[ctypes.get_errno()] if result < 0 else 'ok')\n"
      "add(0)\nadd(8)\n";
  CHECK(run_python(sandbox, code, {})["stdout"]["text"] == "ok\nok\n");
  CHECK(run_python(sandbox, code, {telling_policy(sandbox)})["stdout"]["text"] == "ok\nEBUSY\n");
}

}  // namespace sbx::test
