// What a process inherits: descriptors, its directory and its environment. The test leaves some of the
// caller's open, and a variable in its environment, for each of these to find.
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>

#include "file_attempts.h"

extern char** environ;

namespace sbx::attack {
namespace {

constexpr int kMost = 65536;

// A descriptor above the standard streams for which `use` is true.
template <class Use>
long inherited(Use use) {
  for (int fd = 3; fd < kMost; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0 && use(fd)) return fd;
  }
  return fail(EBADF);
}

bool leads_to_secret(int fd) {
  std::string up = target("secret");
  for (int i = 0; i < 12; ++i) up.insert(0, "/..");
  const int file = openat(fd, ("." + up).c_str(), O_RDONLY);
  char byte = 0;
  return file >= 0 && read(file, &byte, 1) == 1;
}

bool is_kind(int fd, mode_t kind) {
  struct stat status {};
  return fstat(fd, &status) == 0 && (status.st_mode & S_IFMT) == kind;
}

// By fchdir: the directory stays when the descriptor is closed.
bool enters(int fd) {
  if (!is_kind(fd, S_IFDIR) || fchdir(fd) != 0) return false;
  return leads_to_secret(AT_FDCWD);
}

// As a root of one's own, for which no right is needed where the descriptor is a directory.
bool is_path(int fd) { return (fcntl(fd, F_GETFL) & O_PATH) != 0; }

// Opened anew in the other direction: O_PATH descriptors and read-only ones give that to an owner.
bool opens_anew(int fd) {
  return is_kind(fd, S_IFREG) && open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDWR) >= 0;
}

// Standard input is a file of the caller's that everybody may write to, open for reading only.
long rewrite_input() {
  const int fd = open("/proc/self/fd/0", O_WRONLY | O_NONBLOCK);
  return fd < 0 ? fd : pwrite(fd, "t", 1, 0);
}

// The text of the file before what is read: its head is no business of a program that starts at its end.
long read_head_of_input() {
  char byte = 0;
  return pread(0, &byte, 1, 0);
}

long climb_from_stream(int fd) {
  std::string path = "/proc/self/fd/" + std::to_string(fd) + "/..";
  return open(path.c_str(), O_RDONLY);
}

long climb_from_start() {
  std::string path = target("secret");
  for (int i = 0; i < 20; ++i) path.insert(0, "/..");
  return read_secret("." + path);
}

// getcwd of a directory that is not below the root gives "(unreachable)…" (getcwd(3)).
long start_unreachable() {
  std::array<char, 4096> path{};
  if (syscall(SYS_getcwd, path.data(), path.size()) < 0) return -1;
  return path[0] == '/' ? in_vain() : 0;
}

bool is_callers(const std::string& text) { return text.find("SBX_CALLERS_SECRET") != std::string::npos; }

long inherited_variable() {
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (is_callers(*variable)) return 0;
  }
  return in_vain();
}

long unlisted_variable() {
  static constexpr std::string_view kListed[] = {"HOME", "LANG", "LOGNAME", "PATH", "TERM", "USER"};
  const std::string of_image = "," + target("variables") + ",";
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const std::string name(text.substr(0, text.find('=')));
    const bool listed = std::ranges::find(kListed, name) != std::end(kListed);
    if (!listed && of_image.find("," + name + ",") == std::string::npos) return 0;
  }
  return in_vain();
}

// Of every process that is shown.
long variable_of_anybody() {
  DIR* proc = opendir("/proc");
  if (proc == nullptr) return -1;
  while (const dirent* entry = readdir(proc)) {
    const std::string directory = std::string("/proc/") + entry->d_name;
    if (is_callers(content_of(directory + "/environ"))) return 0;
  }
  return in_vain();
}

// Where execve puts it, and where an older one would be left.
long variable_in_stack() {
  const std::string maps = content_of("/proc/self/maps");
  const std::size_t name = maps.find("[stack]");
  if (name == std::string::npos) return in_vain();
  const std::size_t line = maps.rfind('\n', name) + 1;
  unsigned long start = 0;
  unsigned long end = 0;
  if (std::sscanf(maps.c_str() + line, "%lx-%lx", &start, &end) != 2) return in_vain();
  const int memory = open("/proc/self/mem", O_RDONLY);
  std::string stack(end - start, '\0');
  const ssize_t size = pread(memory, stack.data(), stack.size(), static_cast<off_t>(start));
  if (size < 0) return -1;
  return is_callers(stack) ? 0 : in_vain();
}

long take_descriptor(int number) {
  const long process = syscall(SYS_pidfd_open, target_number("victim"), 0);
  return process < 0 ? process : syscall(SYS_pidfd_getfd, process, number, 0);
}

constexpr const char* kClosed = "close_range just before init and the program start";

constexpr Attack kAttacks[] = {
    {.name = "descriptors.any",
     .aim = "find a descriptor beside the three streams",
     .control = kClosed,
     .inside = "EBADF",
     .attempt = [] { return inherited([](int) { return true; }); }},
    {.name = "descriptors.directory",
     .aim = "open a file of the host through an inherited directory (CVE-2024-21626)",
     .control = kClosed,
     .inside = "EBADF",
     .attempt = [] { return inherited(leads_to_secret); }},
    {.name = "descriptors.fchdir",
     .aim = "enter an inherited directory, and climb from there",
     .control = kClosed,
     .inside = "EBADF",
     .attempt = [] { return inherited(enters); }},
    {.name = "descriptors.path",
     .aim = "find a descriptor that is only a place (O_PATH)",
     .control = kClosed,
     .inside = "EBADF",
     .attempt = [] { return inherited(is_path); }},
    {.name = "descriptors.anew",
     .aim = "open an inherited file anew for writing",
     .control = kClosed,
     .inside = "EBADF",
     .attempt = [] { return inherited(opens_anew); }},
    {.name = "descriptors.socket",
     .aim = "find a socket of the supervisor's",
     .control = kClosed,
     .inside = "EBADF",
     .attempt = [] { return inherited([](int fd) { return is_kind(fd, S_IFSOCK); }); }},
    {.name = "descriptors.memfd",
     .aim = "find init's program or command in memory",
     .control = kClosed,
     .inside = "EBADF",
     .attempt = [] { return inherited([](int fd) { return fcntl(fd, F_GET_SEALS) >= 0; }); }},
    {.name = "descriptors.input_rewrite",
     .aim = "write to a file that standard input reads from",
     .control = "a file that others may write is relayed by a pipe",
     .inside = "ESPIPE",
     .attempt = rewrite_input},
    {.name = "descriptors.input_head",
     .aim = "read what lies before the place where the caller's input stands",
     .control = "a file that others may write is relayed by a pipe",
     .inside = "ESPIPE",
     .attempt = read_head_of_input},
    {.name = "descriptors.input_above",
     .aim = "climb from standard input",
     .control = "no directory is passed",
     .inside = "ENOTDIR",
     .outside = "ENOTDIR",  // the caller passes none either; isolation_fds_test.cc tries one
     .attempt = [] { return climb_from_stream(0); }},
    {.name = "descriptors.output_above",
     .aim = "climb from standard output",
     .control = "no directory is passed",
     .inside = "ENOTDIR",
     .outside = "ENOTDIR",
     .attempt = [] { return climb_from_stream(1); }},
    {.name = "descriptors.error_above",
     .aim = "climb from standard error",
     .control = "no directory is passed",
     .inside = "ENOTDIR",
     .outside = "ENOTDIR",
     .attempt = [] { return climb_from_stream(2); }},
    {.name = "descriptors.start_climb",
     .aim = "climb from the directory in which it starts",
     .control = "it is entered after the old root is gone",
     .inside = "ENOENT",
     .attempt = climb_from_start},
    {.name = "descriptors.start_unreachable",
     .aim = "start in a directory that is not below the root",
     .control = "it is entered after the old root is gone",
     .inside = "in vain",
     .outside = "not tried: all is below the root there",
     .attempt = start_unreachable},
    {.name = "descriptors.take_socket",
     .aim = "take init's socket to the supervisor",
     .control = "init is not dumpable and has another id; strict: filter",
     .inside = "EPERM",
     .attempt = [] { return take_descriptor(3); }},
    {.name = "descriptors.take_stream",
     .aim = "take init's standard input",
     .control = "init is not dumpable and has another id; strict: filter",
     .inside = "EPERM",
     .attempt = [] { return take_descriptor(0); }},
    {.name = "descriptors.variable",
     .aim = "find a variable of the caller's",
     .control = "an environment made from scratch",
     .inside = "in vain",
     .attempt = inherited_variable},
    {.name = "descriptors.variable_any",
     .aim = "find any variable but the listed ones and the image's",
     .control = "an environment made from scratch",
     .inside = "in vain",
     .attempt = unlisted_variable},
    {.name = "descriptors.variable_proc",
     .aim = "find it in /proc/PID/environ of anybody",
     .control = "an environment made from scratch; init has an empty one",
     .inside = "in vain",
     .attempt = variable_of_anybody},
    {.name = "descriptors.variable_stack",
     .aim = "find it on his stack",
     .control = "an environment made from scratch",
     .inside = "in vain",
     .attempt = variable_in_stack},
};

}  // namespace

std::span<const Attack> descriptor_attacks() { return kAttacks; }

}  // namespace sbx::attack
