// The other direction: what honest programs need works under `default` and `permissive`; what `strict`
// refuses of it is listed, and refused.
#include "integration/isolation.h"

namespace sbx::test {
namespace {

struct Program {
  std::string name;
  const char* code;             // of Python; ends with 0 and prints "good", or says what went wrong
  const char* strict = "good";  // the last line under `strict`: the error that the program meets there
};

const std::vector<Program> kPrograms{
    {"threads", R"py(
import threading
found = []
threads = [threading.Thread(target=found.append, args=(i,)) for i in range(30)]
for t in threads: t.start()
for t in threads: t.join()
assert len(found) == 30)py"},
    {"the name of a thread", R"py(
import ctypes, threading
libc = ctypes.CDLL(None, use_errno=True)
libc.pthread_self.restype = ctypes.c_void_p
assert libc.pthread_setname_np(ctypes.c_void_p(libc.pthread_self()), b'worker') == 0
assert open('/proc/self/task/%d/comm' % threading.get_native_id()).read() == 'worker\n')py"},
    {"a fork server", R"py(
import multiprocessing
def work(i): return i * i
if __name__ == '__main__':
  for way in ('fork', 'spawn', 'forkserver'):
    with multiprocessing.get_context(way).Pool(2) as pool: assert pool.map(abs, [-1, -2]) == [1, 2])py"},
    {"shared memory and semaphores", R"py(
from multiprocessing import shared_memory, Semaphore, Queue
block = shared_memory.SharedMemory(create=True, size=4096)
block.buf[0] = 7; other = shared_memory.SharedMemory(block.name); assert other.buf[0] == 7; other.close()
block.close(); block.unlink()
s = Semaphore(1); assert s.acquire() and not s.acquire(block=False)
q = Queue(); q.put('x'); assert q.get() == 'x')py"},
    {"TCP on loopback", R"py(
import socket
server = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(server.getsockname())
peer, _ = server.accept(); client.sendall(b'x'); assert peer.recv(1) == b'x')py",
     "EAFNOSUPPORT"},
    {"TCP on loopback by IPv6, and UDP", R"py(
import socket
server = socket.create_server(('::1', 0), family=socket.AF_INET6)
client = socket.create_connection(server.getsockname()[:2])
a, b = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
a.bind(('127.0.0.1', 0)); b.sendto(b'x', a.getsockname()); assert a.recv(1) == b'x')py",
     "EAFNOSUPPORT"},
    {"a server of HTTP", R"py(
import http.server, threading, urllib.request
server = http.server.ThreadingHTTPServer(('localhost', 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
assert b'Directory' in urllib.request.urlopen('http://localhost:%d/' % server.server_port).read())py",
     "EAFNOSUPPORT"},
    {"unix sockets that pass descriptors", R"py(
import os, socket
server = socket.socket(socket.AF_UNIX); server.bind('/tmp/s'); server.listen()
client = socket.socket(socket.AF_UNIX); client.connect('/tmp/s'); peer, _ = server.accept()
r, w = os.pipe(); socket.send_fds(client, [b'x'], [w])
os.write(socket.recv_fds(peer, 1, 1)[1][0], b'y'); assert os.read(r, 1) == b'y'
assert peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))py"},
    {"an abstract unix socket", R"py(
import socket
server = socket.socket(socket.AF_UNIX); server.bind('\0honest'); server.listen()
socket.socket(socket.AF_UNIX).connect('\0honest'))py"},
    {"event loops", R"py(
import asyncio, select, os
async def main():
  process = await asyncio.create_subprocess_exec('cat', stdin=-1, stdout=-1)
  out, _ = await process.communicate(b'x'); assert out == b'x'
  await asyncio.sleep(0.01)
asyncio.run(main())
r, w = os.pipe(); e = select.epoll(); e.register(r, select.EPOLLIN); os.write(w, b'x'); assert e.poll(1))py"},
    {"code that it makes itself", R"py(
import ctypes, mmap
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(b'\xb8\x2a\x00\x00\x00\xc3')  # mov eax, 42; ret
assert ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))() == 42)py"},
    {"code in pages that are made executable later, and by two maps", R"py(
import ctypes, mmap, os
libc = ctypes.CDLL(None, use_errno=True); libc.mmap.restype = ctypes.c_void_p
fd = os.memfd_create('jit'); os.ftruncate(fd, 4096)
write = libc.mmap(None, ctypes.c_size_t(4096), 3, 1, fd, ctypes.c_long(0))
run = libc.mmap(None, ctypes.c_size_t(4096), 5, 1, fd, ctypes.c_long(0))
ctypes.memmove(write, b'\xb8\x2a\x00\x00\x00\xc3', 6)
assert ctypes.CFUNCTYPE(ctypes.c_int)(run)() == 42
assert libc.mprotect(ctypes.c_void_p(write), ctypes.c_size_t(4096), 5) == 0)py"},
    {"a program that it wrote itself", R"py(
import os, subprocess
for place in ('/tmp', os.environ['HOME'], '.', '/var/tmp'):
  path = place + '/script'; open(path, 'w').write('#!/bin/sh\necho x\n'); os.chmod(path, 0o755)
  assert subprocess.check_output([path]) == b'x\n')py"},
    {"a program in memory", R"py(
import os, shutil
fd = os.memfd_create('program', 0); os.write(fd, open('/bin/true', 'rb').read())
assert os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn('/proc/self/fd/%d' % fd, ['x'], {}), 0)[1]) == 0)py"},
    {"languages", R"py(
import locale
locale.setlocale(locale.LC_ALL, ''); assert locale.getpreferredencoding() == 'UTF-8'
assert open('/tmp/\u00e4\u20ac', 'w').write('\u00e4') == 1)py"},
    {"time zones", R"py(
import datetime, os, time
assert datetime.datetime.now().astimezone().tzinfo
if os.path.exists('/usr/share/zoneinfo/Asia/Kolkata'):
  os.environ['TZ'] = 'Asia/Kolkata'; time.tzset(); assert time.localtime(0).tm_hour == 5)py"},
    {"who am I", R"py(
import getpass, grp, os, pwd
me = pwd.getpwuid(os.getuid()); assert me.pw_name == getpass.getuser() == 'sandbox' and me.pw_dir == os.environ['HOME']
assert grp.getgrgid(os.getgid()).gr_name == 'sandbox' and os.path.expanduser('~') == me.pw_dir)py"},
    {"temporary files", R"py(
import ctypes, tempfile, os
with tempfile.TemporaryDirectory() as d, tempfile.NamedTemporaryFile(dir=d) as f: f.write(b'x'); f.flush()
fd = os.open('/tmp', os.O_TMPFILE | os.O_RDWR); os.write(fd, b'x'); assert ctypes.CDLL(None).linkat(-100, b'/proc/self/fd/%d' % fd, -100, b'/tmp/named', 0x400) == 0
assert open('/tmp/named').read() == 'x')py"},
    {"files", R"py(
import errno, os, fcntl, mmap
with open('f', 'w+b') as f:
  f.truncate(1 << 20); os.posix_fallocate(f.fileno(), 0, 4096); fcntl.flock(f, fcntl.LOCK_EX); fcntl.lockf(f, fcntl.LOCK_EX)
  m = mmap.mmap(f.fileno(), 0); m[0] = 1; m.flush(); os.fsync(f.fileno())
  try: os.setxattr('f', 'user.note', b'x'); assert os.getxattr('f', 'user.note') == b'x'
  except OSError as error:  # of tmpfs since Linux 6.6
    if error.errno != errno.ENOTSUP or [int(n) for n in os.uname().release.split('.')[:2]] >= [6, 6]: raise
os.symlink('f', 'l'); os.link('f', 'h'); os.rename('h', 'g'); os.mkfifo('p'); os.chmod('f', 0o640); os.utime('f', (1, 1))
os.chown('f', os.getuid(), os.getgid()); assert os.stat('l').st_mtime == 1
os.copy_file_range(os.open('f', os.O_RDONLY), os.open('c', os.O_CREAT | os.O_WRONLY), 4096)
assert os.sendfile(os.open('d', os.O_CREAT | os.O_WRONLY), os.open('f', os.O_RDONLY), 0, 10) == 10)py"},
    {"sqlite", R"py(
import sqlite3
db = sqlite3.connect('x.db'); db.execute('pragma journal_mode=wal'); db.execute('create table t (a)')
db.execute('insert into t values (1)'); db.commit(); assert sqlite3.connect('x.db').execute('select a from t').fetchone() == (1,))py"},
    {"watching files", R"py(
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
fd = libc.inotify_init1(0); assert libc.inotify_add_watch(fd, b'/tmp', 0x100) > 0
open('/tmp/new', 'w'); assert os.read(fd, 4096))py"},
    {"pipelines", R"py(
import subprocess
assert subprocess.check_output('yes | head -n 1000 | sort | uniq -c | tr -d " "', shell=True) == b'1000y\n'
assert subprocess.run(['bash', '-c', 'set -o pipefail; diff <(echo a) <(echo a) | cat'], check=True).returncode == 0)py"},
    {"terminals", R"py(
import os, pty
out = bytearray()
def read(fd):
  data = os.read(fd, 1024); out.extend(data); return data
assert pty.spawn(['sh', '-c', 'tty; stty size >/dev/null; [ -t 0 ] && [ -t 2 ]'], read, lambda fd: b'') == 0
assert b'/dev/pts/' in out)py"},
    {"its streams by name", R"py(
import subprocess
subprocess.run('echo x >/dev/stderr; echo x >/dev/stdout; echo x >/dev/fd/2; cat </dev/null; head -c 4 /dev/urandom >/dev/zero', shell=True, check=True))py"},
    {"signals and timers", R"py(
import os, signal, time
got = []
signal.signal(signal.SIGALRM, lambda *a: got.append(1)); signal.setitimer(signal.ITIMER_REAL, 0.01); signal.pause()
child = os.fork()
if child == 0: time.sleep(100)
os.kill(child, signal.SIGSTOP); assert os.WIFSTOPPED(os.waitpid(child, os.WUNTRACED)[1])
fd = os.pidfd_open(child); signal.pidfd_send_signal(fd, signal.SIGKILL); assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
assert got)py"},
    {"a daemon", R"py(
import os, time
if os.fork() == 0:
  os.setsid()
  if os.fork() == 0: open('/tmp/daemon', 'w').write('x')
  os._exit(0)
while not os.path.exists('/tmp/daemon'): time.sleep(0.01))py"},
    {"priorities and limits of its own", R"py(
import os, resource
os.nice(5); os.sched_setaffinity(0, os.sched_getaffinity(0)); os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE); resource.setrlimit(resource.RLIMIT_NOFILE, (soft // 2, hard))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)py"},
    {"a narrower sandbox of its own", R"py(
import ctypes, struct, errno
libc = ctypes.CDLL(None, use_errno=True)
filter = b''.join(struct.pack('HBBI', *i) for i in [(0x20, 0, 0, 0), (0x15, 0, 1, 39), (6, 0, 0, 0x00050000 | 42), (6, 0, 0, 0x7fff0000)])
code = ctypes.create_string_buffer(filter); program = ctypes.create_string_buffer(struct.pack('H6xQ', 4, ctypes.addressof(code)))
assert libc.syscall(317, 1, 0, program) == 0 and libc.syscall(39) == -1 and ctypes.get_errno() == 42)py"},
    {"tracing a child", R"py(
import ctypes, os, signal
libc = ctypes.CDLL(None, use_errno=True)
child = os.fork()
if child == 0:
  if libc.ptrace(0, 0, 0, 0) != 0: os._exit(ctypes.get_errno())
  os.kill(os.getpid(), signal.SIGSTOP); os._exit(0)
status = os.waitpid(child, 0)[1]
if os.WIFEXITED(status): raise OSError(os.WEXITSTATUS(status), '')
assert os.WIFSTOPPED(status) and libc.ptrace(7, child, 0, 0) == 0 and os.waitpid(child, 0)[1] == 0)py",
     "EPERM"},
    {"what /proc tells of itself", R"py(
import os
assert 'python' in open('/proc/self/cmdline').read() and os.listdir('/proc/self/fd') and open('/proc/self/maps').read()
assert open('/proc/meminfo').read() and open('/proc/cpuinfo').read() and open('/proc/stat').read() and os.getloadavg()
assert open('/proc/sys/kernel/pid_max').read() and open('/proc/self/status').read() and open('/proc/mounts').read())py"},
};

// The code in a function that says how it ended: its last line is "good" or the name of the error.
std::string framed(const Program& program) {
  return std::string("import errno, sys, traceback\nprogram = ") + "r\"\"\"" + program.code +
         "\"\"\"\n"
         "try:\n"
         "  exec(compile(program, 'program', 'exec'), {'__name__': '__main__'})\n"
         "  print('good')\n"
         "except OSError as error: traceback.print_exc(); print(errno.errorcode.get(error.errno, error))\n"
         "except Exception as error: traceback.print_exc(); print(repr(error))\n";
}

std::string last_line(const std::string& text) {
  const std::vector<std::string> lines = lines_of(text);
  return lines.empty() ? "" : lines.back();
}

void check_honest(const std::string& policy) {
  const Sandbox sandbox;
  for (const Program& program : kPrograms) {
    const ProgramResult result = sandbox.run({"--policy=" + policy, "--timeout=1m", "--cpu-time=1m", "--",
                                              "/usr/bin/python3", "-c", framed(program)});
    const std::string wanted = policy == "strict" ? program.strict : "good";
    CHECK_MESSAGE(last_line(result.out) == wanted,
                  policy << ": " << program.name << ": " << result.out << result.err);
  }
}

}  // namespace

TEST_CASE("what honest programs need works under the policy default") {
  SKIP_UNLESS(is_root(), "needs root");
  check_honest("default");
}

TEST_CASE("what honest programs need works under the policy permissive") {
  SKIP_UNLESS(is_root(), "needs root");
  check_honest("permissive");
}

TEST_CASE("what honest programs need works under the policy strict, but what it is to refuse") {
  SKIP_UNLESS(is_root(), "needs root");
  check_honest("strict");
}

TEST_CASE("debuggers work on a program's own children, but not under the policy strict") {
  SKIP_UNLESS(is_root(), "needs root");
  SKIP_UNLESS(access("/usr/bin/gdb", X_OK) == 0 && access("/usr/bin/strace", X_OK) == 0,
              "needs gdb and strace");
  const Sandbox sandbox;
  const std::string gdb =
      "gdb -nx -batch -ex 'catch syscall exit_group' -ex run -ex bt -ex continue /bin/true 2>&1";
  for (const std::string policy : {"default", "permissive", "strict"}) {
    CAPTURE(policy);
    const bool refused = policy == "strict";
    const std::string seen = sandbox.shell(gdb, {"--policy=" + policy}).out;
    CHECK_MESSAGE((seen.find("exited normally") == std::string::npos) == refused, seen);
    const std::string traced =
        sandbox.shell("strace -f -e trace=write sh -c '/bin/echo x' 2>&1", {"--policy=" + policy}).out;
    CHECK_MESSAGE((traced.find("write(1, \"x\\n\", 2") == std::string::npos) == refused, traced);
  }
}

TEST_CASE("sanitizers work, but the search for leaks under the policy strict") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const std::string policy : {"default", "permissive", "strict"}) {
    CAPTURE(policy);
    const auto run = [&](const char* what) {
      return sandbox.run({"--policy=" + policy, bind_probes(), "--", kProbes + "/sanitized", what});
    };
    const ProgramResult beyond = run("beyond");
    CHECK(beyond.exit_status == 1);
    CHECK_MESSAGE(beyond.err.find("heap-buffer-overflow") != std::string::npos, beyond.err);
    const ProgramResult leak = run("leak");
    const bool refused = policy == "strict";
    CHECK(leak.out == "ran\n");
    CHECK_MESSAGE((leak.err.find("16 byte(s) leaked") == std::string::npos) == refused, leak.err);
    CHECK(run("good").exit_status == (refused ? 1 : 0));
  }
}

}  // namespace sbx::test
