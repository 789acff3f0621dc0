// Programs that take all they can get: what ends or bounds each, and what a neighbour feels of it. With
// SBX_CONTAINMENT=1 each is printed with the milliseconds that a neighbour's run took meanwhile and took
// before (tests/security/report puts them into docs/containment.md).
#include <algorithm>
#include <chrono>
#include <regex>

#include "integration/isolation.h"

namespace sbx::test {
namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;

struct Hog {
  const char* name;
  const char* code;     // of Python
  const char* outcome;  // the ending, or "exited" where the program only feels its limit
  const char* felt;     // the limit in limits_hit; empty: none that the kernel tells
  Strings options = {};
  const char* said = "";  // a regular expression for its output, where it lived to say it
};

// As many interpreters as there may be processes can be more than the memory.
constexpr const char* kManyPythons = "timed_out|out_of_memory";
constexpr const char* kFlood = "[^]*";

const std::vector<Hog> kHogs{
    {"processes", "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass", kManyPythons, "pids"},
    {"processes that leave their parents", R"py(
import os
while True:
  try:
    if os.fork() == 0:
      os.setsid()
      if os.fork() != 0: os._exit(0)
  except OSError: pass)py",
     kManyPythons, "pids"},
    {"threads", R"py(
import threading, time
while True:
  try: threading.Thread(target=time.sleep, args=(100,)).start()
  except RuntimeError: time.sleep(0.01))py",
     kManyPythons, "pids"},
    {"its own memory", "x = []\nwhile True: x.append(bytearray(1 << 20))", "out_of_memory", "memory_bytes"},
    {"memory in many processes", R"py(
import os, time
for i in range(30): os.fork() if i < 4 else None
x = bytearray(8 << 20); time.sleep(100))py",
     "out_of_memory", "memory_bytes"},
    {"shared memory",
     "import mmap\nx = [mmap.mmap(-1, 1 << 20) for _ in range(200)]\nfor m in x: m.write(b'x' * (1 << 20))",
     "out_of_memory", "memory_bytes"},
    {"System V shared memory", R"py(
import ctypes
libc = ctypes.CDLL(None); libc.shmat.restype = ctypes.c_void_p
for i in range(200): ctypes.memset(libc.shmat(libc.shmget(0, 1 << 20, 0o1600), None, 0), 1, 1 << 20))py",
     "out_of_memory", "memory_bytes"},
    {"memfds", "import os\nwhile True: os.write(os.memfd_create('x'), b'x' * (1 << 20))", "out_of_memory",
     "memory_bytes"},
    {"files in /dev/shm",
     "i = 0\nwhile True:\n  open('/dev/shm/%d' % i, 'wb').write(b'x' * (1 << 20)); i += 1", "out_of_memory",
     "memory_bytes"},
    {"files in /tmp, up to its size",
     R"py(
try:
  for i in range(200): open('/tmp/%d' % i, 'wb').write(b'x' * (1 << 20))
except OSError: pass)py",
     "exited",
     "tmp_bytes",
     {"--tmp=16M"}},
    {"buffers of pipes",
     R"py(
import fcntl, os
while True:
  r, w = os.pipe(); os.set_blocking(w, False)
  try: fcntl.fcntl(w, 1031, 1 << 20)
  except OSError: pass
  try: os.write(w, b'x' * (1 << 20))
  except BlockingIOError: pass)py",
     "out_of_memory",
     "memory_bytes",
     {"--nofile=4096"}},
    {"buffers of unix sockets",
     R"py(
import socket
all = []
while True:
  a, b = socket.socketpair(); a.setblocking(False); all.append((a, b))
  try:
    while True: a.send(b'x' * 65536)
  except BlockingIOError: pass)py",
     "out_of_memory",
     "memory_bytes",
     {"--nofile=4096"}},
    {"messages and semaphores", R"py(
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
message = ctypes.create_string_buffer(b'\1' + b'\0' * 7 + b'x' * 8000)
while True:
  q = libc.msgget(0, 0o1600)
  if q < 0: break
  while libc.msgsnd(q, message, 8000, 0o4000) == 0: pass
while libc.semget(0, 250, 0o1600) >= 0: pass)py",
     "out_of_memory", "memory_bytes"},
    {"names of files that are not there", R"py(
import os
i = 0
while True:
  os.path.exists('/tmp/%d' % i + 'x' * 200); i += 1)py",
     "timed_out", ""},
    {"descriptors",
     R"py(
import errno, os
try:
  while True: os.dup(0)
except OSError as error: print(errno.errorcode[error.errno]))py",
     "exited",
     "",
     {},
     "EMFILE\n"},
    {"directories in directories",
     R"py(
import os
try:
  while True: os.mkdir('d'); os.chdir('d')
except OSError: pass)py",
     "exited",
     "inodes",
     {"--inodes=2000"}},
    {"many files",
     "i = 0\ntry:\n  while True: open(str(i), 'w'); i += 1\nexcept OSError: pass",
     "exited",
     "inodes",
     {"--inodes=2000"}},
    {"one file",
     "f = open('x', 'wb')\ntry:\n  while True: f.write(b'x' * (1 << 20))\nexcept OSError: pass",
     "exited",
     "disk_bytes",
     {"--disk=16M"}},
    {"a sparse file",
     R"py(
import os
fd = os.open('x', os.O_CREAT | os.O_RDWR); os.ftruncate(fd, 1 << 40)
try:
  for i in range(1000): os.pwrite(fd, b'x' * 65536, i << 30)
except OSError: pass)py",
     "exited",
     "disk_bytes",
     {"--disk=16M"}},
    {"a project's disk",
     R"py(
import os
fd = os.open('x', os.O_CREAT | os.O_RDWR)
try:
  while True: os.write(fd, b'x' * (1 << 20))
except OSError: pass)py",
     "exited",
     "disk_bytes",
     {"--project=hog", "--disk=16M"}},
    {"watches",
     R"py(
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
count = 0
while libc.inotify_init1(0) >= 0: pass
print(errno.errorcode[ctypes.get_errno()], flush=True)
for place, _, files in os.walk('/usr'):  # each file is one watch, and held in memory by it
  for name in files:
    count += libc.inotify_add_watch(3, os.path.join(place, name).encode(), 2) >= 0
    if count == 2000: print('many', flush=True); count += 1)py",
     "exited|out_of_memory",
     "",
     {},
     "EMFILE\nmany\n"},
    {"timers",
     R"py(
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True); id = ctypes.c_void_p()
while libc.timer_create(1, None, ctypes.byref(id)) == 0: pass
print(errno.errorcode[ctypes.get_errno()]))py",
     "exited|out_of_memory",
     "",
     {},
     "EAGAIN\n"},
    {"message queues",
     R"py(
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
i = 0
while libc.mq_open(b'/%d' % i, 0o102, 0o600, None) >= 0: i += 1
print(i, errno.errorcode[ctypes.get_errno()]))py",
     "exited",
     "",
     {},
     "[1-9] EMFILE\n"},
    {"CPUs",
     "import os\nfor i in range(4): os.fork()\nwhile True: pass",
     "timed_out",
     "cpus",
     {"--cpus=0.5"}},
    {"CPUs, deaf to every signal", R"py(
import signal
for n in range(1, 65):
  try: signal.signal(n, signal.SIG_IGN)
  except (OSError, ValueError): pass
while True: pass)py",
     "timed_out", ""},
    {"CPUs before all others",
     R"py(
import os
for policy in (os.SCHED_FIFO, os.SCHED_RR):
  try: os.sched_setscheduler(0, policy, os.sched_param(1)); print('got it', flush=True)
  except PermissionError: pass
try: os.setpriority(os.PRIO_PROCESS, 0, -20); print('got it', flush=True)
except PermissionError: pass
print('refused', flush=True)
while True: pass)py",
     "timed_out",
     "",
     {},
     "refused\n"},
    {"time, stopped", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", "timed_out", ""},
    {"time, in the wait of vfork, which only SIGKILL ends", R"py(
import ctypes
libc = ctypes.CDLL(None)
libc.syscall(58)  # the parent waits until the child execs or ends
while True: libc.usleep(1000000))py",
     "timed_out", ""},
    {"time, asleep", "import time\ntime.sleep(1000)", "timed_out", ""},
    {"the caller's patience, by a pipe that a daemon holds", R"py(
import os, time
if os.fork() == 0:
  os.setsid()
  if os.fork() == 0: time.sleep(1000)
  os._exit(0))py",
     "exited", ""},
    {"output",
     "import os\nwhile True: os.write(1, b'x' * 65536)",
     "output_limit",
     "output_bytes",
     {},
     kFlood},
    {"error output", "import os\nwhile True: os.write(2, b'\\xff\\n\\0' * 20000)", "output_limit",
     "output_bytes"},
    {"output after its streams are closed", R"py(
import os
for fd in (0, 1, 2): os.close(fd)
os.open('/dev/null', os.O_RDWR)
while True: os.write(0, b'x' * 65536))py",
     "timed_out", ""},
};

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

double run_neighbour(const Sandbox& sandbox) {
  const auto start = std::chrono::steady_clock::now();
  CHECK(sandbox.run({"--", "/bin/echo", "good"}).out == "good\n");
  return milliseconds_since(start);
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

bool is_one_of(const std::string& what, const std::string& list) {
  return ("|" + list + "|").find("|" + what + "|") != std::string::npos;
}

bool was_felt(const json& result, const std::string& limit) {
  return std::ranges::any_of(result["limits_hit"], [&](const json& hit) { return hit["limit"] == limit; });
}

void check_end(const Hog& hog, const json& result) {
  const std::string outcome = result["outcome"];
  const std::string felt = hog.felt;
  CHECK_MESSAGE(is_one_of(outcome, hog.outcome), result.dump().substr(0, 1500));
  CHECK_MESSAGE((felt.empty() || was_felt(result, felt)), result["limits_hit"].dump());
  // By its own will: it came to its last line, and stands by what it said.
  if (outcome == "exited") CHECK_MESSAGE(result["exit_code"] == 0, result["stderr"].dump().substr(0, 1500));
  const json& out = result["stdout"];
  if (outcome != "out_of_memory" && out["truncated"] == false)
    CHECK_MESSAGE(std::regex_match(out.value("text", "(none)"), std::regex(hog.said)), out.dump());
  if (result["usage"]["memory_peak_bytes"].is_number())
    CHECK(result["usage"]["memory_peak_bytes"] <= 64 << 20);
}

}  // namespace

TEST_CASE("what takes all it can get is ended or bounded, told, and does not stop its neighbour") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  std::vector<double> before;
  for (int i = 0; i < 5; ++i) before.push_back(run_neighbour(sandbox));
  for (const Hog& hog : kHogs) {
    CAPTURE(std::string(hog.name));
    // Time enough for what something else has to end, on a busy host, too.
    const bool by_time = std::string_view(hog.outcome).starts_with("timed_out");
    const std::string seconds = std::to_string((by_time ? 2 : 60) * time_scale());
    Strings arguments{"--json", "-m64M", "--pids=64", "--output-limit=1M", "--timeout=" + seconds};
    arguments.insert(arguments.end(), hog.options.begin(), hog.options.end());
    arguments.insert(arguments.end(), {"--", "/usr/bin/python3", "-c", hog.code});
    Background run(sbxrun_command(sandbox, arguments));
    const auto start = std::chrono::steady_clock::now();
    std::vector<double> meanwhile;
    for (int i = 0; i < 3; ++i) meanwhile.push_back(run_neighbour(sandbox));
    (void)run.end();
    const json result = json::parse(run.said(), nullptr, false);
    REQUIRE_MESSAGE(!result.is_discarded(), run.said().substr(0, 200));
    check_end(hog, result);
    // No measurement: only a neighbour that starves takes so long, and only a caller who waits for what was
    // left behind (it sleeps for 1,000 s).
    CHECK(median(meanwhile) < 10 * median(before) + 500 * time_scale());
    const bool left_behind = std::string_view(hog.name).starts_with("the caller's patience");
    if (left_behind) CHECK(milliseconds_since(start) < 20'000 * time_scale());
    if (std::getenv("SBX_CONTAINMENT") == nullptr) continue;
    std::printf("resources\t%s\t%s\t%s\t%.0f\t%.0f\n", hog.name, result["outcome"].get<std::string>().c_str(),
                hog.felt, median(meanwhile), median(before));
  }
}

}  // namespace sbx::test
