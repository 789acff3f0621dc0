#include "resource/host_probes.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <functional>

#include "base/scope_exit.h"
#include "os/file.h"
#include "os/mount.h"
#include "plan/sandbox_plan.h"

namespace sbx {
namespace {

struct Pipe {
  UniqueFd reading;
  UniqueFd writing;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return fail(system_error("pipe2", "", errno));
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Result<void> check_call(const char* call, const char* object, long result) {
  if (result < 0) return fail(system_error(call, object, errno));
  return {};
}

// "mount 'overlay': operation not …" without what follows from the number.
std::string call_of(const Error& error) {
  std::string_view text = error.text;
  const std::size_t end = text.find(": " + errno_text(error.error_number));
  return std::string(text.substr(0, end));
}

Attempt attempt_of(const Result<void>& result) {
  if (result) return {true, 0, ""};
  return {true, result.error().error_number != 0 ? result.error().error_number : EIO,
          call_of(result.error())};
}

using Action = std::function<Result<void>()>;

// What a child tells about its attempt.
struct Report {
  int error_number = 0;
  std::array<char, 120> call{};
};

// Runs the action in a child with these namespaces of its own. A pid namespace begins with a child of the
// child.
Attempt try_in_child(int namespaces, const Action& action) {
  Result<Pipe> pipe = make_pipe();
  if (!pipe) return attempt_of(fail(pipe.error()));
  const pid_t pid = fork();
  if (pid < 0) return attempt_of(fail(system_error("fork", "", errno)));
  if (pid == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    Result<void> done = check_call("unshare", "", unshare(namespaces));
    pid_t inner = 0;
    if (done && (namespaces & CLONE_NEWPID) != 0) {
      inner = fork();
      done = check_call("fork", "", inner);
    }
    if (inner > 0) {
      (void)waitpid(inner, nullptr, 0);
      _exit(0);
    }
    if (done) done = action();
    const Attempt attempt = attempt_of(done);
    Report report;
    report.error_number = attempt.error_number;
    (void)attempt.call.copy(report.call.data(), report.call.size() - 1);
    (void)!write(pipe->writing.get(), &report, sizeof report);  // a reader that is gone needs no report
    _exit(0);
  }
  Report report;
  pipe->writing.reset();
  const ssize_t size = read(pipe->reading.get(), &report, sizeof report);
  (void)waitpid(pid, nullptr, 0);
  if (size != static_cast<ssize_t>(sizeof report)) return {true, ECHILD, "the attempt was killed"};
  return {true, report.error_number, report.call.data()};
}

// Nothing that the child mounts is seen by anybody else.
Result<void> keep_mounts_private() {
  return check_call("mount", "/", mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr));
}

// --- id maps ---------------------------------------------------------------------------------------------

// A user namespace with 65,536 ids of the pool, kept by its descriptor.
Result<UniqueFd> make_user_namespace(const IdPool& pool) {
  const Pipe ready = TRY(make_pipe());
  Pipe hold = TRY(make_pipe());
  const pid_t pid = fork();
  if (pid < 0) return fail(system_error("fork", "", errno));
  if (pid == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    hold.writing.reset();
    int error_number = unshare(CLONE_NEWUSER) == 0 ? 0 : errno;
    (void)!write(ready.writing.get(), &error_number, sizeof error_number);
    char byte = 0;
    (void)!read(hold.reading.get(), &byte, 1);  // until the parent has what it needs, or is gone
    _exit(0);
  }
  const ScopeExit end([&] {
    hold.writing.reset();
    (void)waitpid(pid, nullptr, 0);
  });
  int error_number = ECHILD;
  if (read(ready.reading.get(), &error_number, sizeof error_number) !=
      static_cast<ssize_t>(sizeof error_number)) {
    error_number = ECHILD;
  }
  if (error_number != 0) return fail(system_error("unshare", "CLONE_NEWUSER", error_number));
  const std::string directory = "/proc/" + std::to_string(pid) + "/";
  const std::string map =
      "0 " + std::to_string(pool.first + kIdsPerSandbox) + " " + std::to_string(kIdsPerSandbox);
  TRY(os::write_existing(AT_FDCWD, directory + "uid_map", map));
  TRY(os::write_existing(AT_FDCWD, directory + "gid_map", map));
  return os::open_at(AT_FDCWD, directory + "ns/user", O_RDONLY);
}

Result<UniqueFd> id_mapped_copy(const std::string& path, int user_namespace) {
  const UniqueFd fd = TRY(os::open_at(AT_FDCWD, path, O_PATH | O_DIRECTORY));
  UniqueFd mount = TRY(os::clone_mount(fd.get(), path, 0, 0));
  TRY(os::id_map_mount(mount.get(), user_namespace, path));
  return mount;
}

// --- mounts, each in a child's own mount namespace -------------------------------------------------------

Result<void> attach(int mount, int directory, const char* target) {
  return check_call("move_mount", target,
                    syscall(SYS_move_mount, mount, "", directory, target, MOVE_MOUNT_F_EMPTY_PATH));
}

// As the launch does: layers by path, relative to the working directory.
Result<void> mount_overlay(int user_namespace) {
  TRY(keep_mounts_private());
  const UniqueFd memory = TRY(os::new_mount("tmpfs", {{"mode", "0755"}}, 0));
  TRY(attach(memory.get(), AT_FDCWD, "/"));
  TRY(check_call("fchdir", "", fchdir(memory.get())));
  for (const char* name : {"lower", "upper", "work"}) TRY(check_call("mkdir", name, mkdir(name, 0755)));
  if (user_namespace >= 0) {
    const UniqueFd layer = TRY(id_mapped_copy("/usr", user_namespace));
    TRY(attach(layer.get(), memory.get(), "lower"));
  }
  (void)TRY(os::new_mount("overlay", {{"lowerdir", "lower"}, {"upperdir", "upper"}, {"workdir", "work"}}, 0));
  return {};
}

Result<void> mount_new(const char* type, const os::MountOptions& options) {
  (void)TRY(os::new_mount(type, options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC));
  return {};
}

Result<void> make_device() {
  const UniqueFd memory = TRY(os::new_mount("tmpfs", {{"mode", "0755"}}, 0));
  TRY(check_call("mknod", "null", mknodat(memory.get(), "null", S_IFCHR | 0666, makedev(1, 3))));
  (void)TRY(os::open_at(memory.get(), "null", O_RDWR));
  return {};
}

Result<void> id_map_tmpfs(int user_namespace) {
  const UniqueFd memory = TRY(os::new_mount("tmpfs", {{"mode", "0755"}}, 0));
  return os::id_map_mount(memory.get(), user_namespace, "tmpfs");
}

// Only a kernel that takes files looks into this one, and finds (EINVAL) that it holds no file system.
Result<void> mount_erofs_file() {
  const Result<UniqueFd> mount = os::new_mount("erofs", {{"source", "/proc/self/exe"}}, MOUNT_ATTR_RDONLY);
  if (mount || mount.error().error_number == EINVAL) return {};
  return fail(mount.error());
}

Result<void> install_filter() {
  sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const sock_fprog program{1, &allow};
  TRY(check_call("prctl", "PR_SET_NO_NEW_PRIVS", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)));
  return check_call("seccomp", "", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

}  // namespace

void probe_kernel(const std::vector<std::string>& id_map_paths, HostFacts& facts) {
  facts.seccomp = try_in_child(0, install_filter);
  struct Kind {
    const char* control;
    int flag;
  };
  static constexpr std::array<Kind, 7> kKinds{{{"user_ns", CLONE_NEWUSER},
                                               {"mount_ns", CLONE_NEWNS},
                                               {"pid_ns", CLONE_NEWPID},
                                               {"net_ns", CLONE_NEWNET},
                                               {"ipc_ns", CLONE_NEWIPC},
                                               {"uts_ns", CLONE_NEWUTS},
                                               {"cgroup_ns", CLONE_NEWCGROUP}}};
  for (const Kind& kind : kKinds) {
    facts.namespaces.emplace_back(
        kind.control, facts.root ? try_in_child(kind.flag, [] { return Result<void>(); }) : Attempt{});
  }
  for (const std::string& path : id_map_paths) {
    const Result<UniqueFd> fd = os::open_at(AT_FDCWD, path, O_PATH);
    facts.id_maps.push_back({path, fd ? os::file_system_name(fd->get()) : "", {}});
  }
  if (!facts.root) return;

  const Result<UniqueFd> user_namespace = make_user_namespace(facts.pool);
  if (!user_namespace) {
    facts.namespaces.front().second = attempt_of(fail(user_namespace.error()));
  } else {
    for (IdMapFacts& place : facts.id_maps) {
      const Result<UniqueFd> copy = id_mapped_copy(place.path, user_namespace->get());
      place.attempt = attempt_of(copy ? Result<void>() : fail(copy.error()));
    }
    facts.features.id_mapped_tmpfs =
        try_in_child(CLONE_NEWNS, [&] { return id_map_tmpfs(user_namespace->get()); });
    facts.overlay_id_mapped = try_in_child(CLONE_NEWNS, [&] { return mount_overlay(user_namespace->get()); });
  }
  facts.overlay = try_in_child(CLONE_NEWNS, [] { return mount_overlay(-1); });
  facts.procfs = try_in_child(CLONE_NEWNS | CLONE_NEWPID, [] {
    return mount_new("proc", {{"hidepid", "invisible"}});
  });
  facts.devpts = try_in_child(CLONE_NEWNS, [] { return mount_new("devpts", {{"ptmxmode", "0666"}}); });
  facts.mqueue = try_in_child(CLONE_NEWNS | CLONE_NEWIPC, [] { return mount_new("mqueue", {}); });
  facts.devices = try_in_child(CLONE_NEWNS, make_device);
  // Only where it is there already: to ask for it would load its module, and a look must change nothing.
  const Result<std::string> known = os::read_file(AT_FDCWD, "/proc/filesystems");
  if (known && known->find("\terofs\n") != std::string::npos)
    facts.features.erofs_file = try_in_child(CLONE_NEWNS, mount_erofs_file);
}

}  // namespace sbx
