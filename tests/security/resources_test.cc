// Programs that take all they can get: what ends or bounds each, and what a neighbour feels of it. With
// SBX_CONTAINMENT=1 each is printed with the time that a neighbour's run took meanwhile and took before.
#include <algorithm>
#include <chrono>

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
};

// As many interpreters as there may be processes can be more than the memory.
constexpr const char* kManyPythons = "timed_out|out_of_memory";

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
     "out_of_memory|signaled|exited",
     "",
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
     "out_of_memory|signaled|exited",
     "",
     {"--nofile=4096"}},
    {"messages and semaphores", R"py(
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
message = ctypes.create_string_buffer(b'\1' + b'\0' * 7 + b'x' * 8000)
ended = 0
while ended < 2000:
  q = libc.msgget(0, 0o1600)
  if q < 0: break
  while libc.msgsnd(q, message, 8000, 0o4000) == 0: pass
while libc.semget(0, 250, 0o1600) >= 0: pass)py",
     "out_of_memory|signaled|exited", ""},
    {"names of files that are not there", R"py(
import os
i = 0
while True:
  os.path.exists('/tmp/%d' % i + 'x' * 200); i += 1)py",
     "timed_out", ""},
    {"descriptors", R"py(
import os
try:
  while True: os.dup(0)
except OSError as error: print(error.errno))py",
     "exited", ""},
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
    {"watches", R"py(
import ctypes, os
libc = ctypes.CDLL(None)
while True:
  fd = libc.inotify_init1(0)
  if fd < 0: break
for i in range(100000): libc.inotify_add_watch(3, b'/tmp', 2))py",
     "exited", ""},
    {"timers", R"py(
import ctypes
libc = ctypes.CDLL(None); id = ctypes.c_void_p()
count = 0
while count < 1000000 and libc.timer_create(1, None, ctypes.byref(id)) == 0: count += 1)py",
     "exited|out_of_memory|signaled", ""},
    {"message queues", R"py(
import ctypes
libc = ctypes.CDLL(None)
i = 0
while libc.mq_open(b'/%d' % i, 0o102, 0o600, None) >= 0: i += 1)py",
     "exited", ""},
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
    {"CPUs before all others", R"py(
import os
for policy in (os.SCHED_FIFO, os.SCHED_RR):
  try: os.sched_setscheduler(0, policy, os.sched_param(1)); print('got it')
  except PermissionError: pass
try: os.setpriority(os.PRIO_PROCESS, 0, -20); print('got it')
except PermissionError: pass
while True: pass)py",
     "timed_out", ""},
    {"time, stopped", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", "timed_out", ""},
    {"time, in a wait that no signal ends", R"py(
import ctypes, os
libc = ctypes.CDLL(None)
child = libc.syscall(58)  # vfork: the parent sleeps in D until the child execs
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
    {"output", "import os\nwhile True: os.write(1, b'x' * 65536)", "output_limit", "output_bytes"},
    {"error output", "import os\nwhile True: os.write(2, b'\\xff\\n\\0' * 20000)", "output_limit",
     "output_bytes"},
    {"output after its streams are closed", R"py(
import os
for fd in (0, 1, 2): os.close(fd)
os.open('/dev/null', os.O_RDWR)
while True: os.write(0, b'x' * 65536))py",
     "timed_out", ""},
};

double run_neighbour(const Sandbox& sandbox) {
  const auto start = std::chrono::steady_clock::now();
  CHECK(sandbox.run({"--", "/bin/echo", "good"}).out == "good\n");
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
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
    std::vector<double> meanwhile;
    for (int i = 0; i < 3; ++i) meanwhile.push_back(run_neighbour(sandbox));
    (void)run.end();
    const json result = json::parse(run.said(), nullptr, false);
    REQUIRE_MESSAGE(!result.is_discarded(), run.said().substr(0, 200));
    CHECK_MESSAGE(is_one_of(result["outcome"], hog.outcome), result.dump().substr(0, 1500));
    const std::string felt = hog.felt;
    CHECK_MESSAGE((felt.empty() || was_felt(result, felt)), result["limits_hit"].dump());
    if (result["stdout"].is_object() && result["stdout"].contains("text"))
      CHECK(result["stdout"]["text"] != "got it\n");
    if (result["usage"]["memory_peak_bytes"].is_number())
      CHECK(result["usage"]["memory_peak_bytes"] <= 64 << 20);
    if (std::getenv("SBX_CONTAINMENT") == nullptr) continue;
    std::printf("resources\t%s\t%s\t%s\t%.0f\t%.0f\n", hog.name, result["outcome"].get<std::string>().c_str(),
                hog.felt, median(meanwhile), median(before));
  }
}

}  // namespace sbx::test
