// Files that are not his to change: the system's, what he is shown read-only, and those of others.
#include <poll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <string>

#include "file_attempts.h"

namespace sbx::attack {
namespace {

constexpr uid_t kForeign = 70'000;  // above the ids that a sandbox has
constexpr const char* kSystemFile = "/usr/lib/os-release";

std::string given(const char* name) { return target("files") + "/" + name; }

long truncate_it(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) < 0) return -1;
  return truncate(path.c_str(), status.st_size);  // to the size that it has
}

long make_and_remove(const std::string& path) {
  const int fd = open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600);
  if (fd < 0) return fd;
  (void)close(fd);
  return unlink(path.c_str());
}

template <Text directory>
long makes_file_in() {
  return make_and_remove(std::string(directory.text) + "/sbx-attack");
}

long rename_itself(const std::string& path) { return rename(path.c_str(), path.c_str()); }

long rename_there_and_back(const std::string& path) {
  const std::string other = path + "-attack";
  const long renamed = rename(path.c_str(), other.c_str());
  if (renamed == 0) (void)rename(other.c_str(), path.c_str());
  return renamed;
}

long set_times(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) < 0) return -1;
  const timespec times[2] = {status.st_atim, status.st_mtim};
  return utimensat(AT_FDCWD, path.c_str(), times, 0);
}

long set_mode(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) < 0) return -1;
  return chmod(path.c_str(), status.st_mode & 0777);
}

long set_owner(const std::string& path) { return chown(path.c_str(), 0, 0); }

long set_attribute(const std::string& path) { return setxattr(path.c_str(), "user.sbx", "x", 1, 0); }

long link_to(const std::string& path, const std::string& name) {
  const long made = link(path.c_str(), name.c_str());
  if (made == 0) (void)unlink(name.c_str());
  return made;
}

// What was opened for reading, by its descriptor's path.
long open_anew(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY);
  return fd < 0 ? fd : open_it("/proc/self/fd/" + std::to_string(fd), O_WRONLY);
}

// `place`: a mount with an id map of its own, or one without.
long give_to(uid_t user, const std::string& place) {
  const std::string path = place + "/given_away";
  return chown(plain(path.c_str()), user, user);
}

long lock_of_other() {
  const int fd = open(kSystemFile, O_RDONLY);
  if (fd < 0) return fd;
  // He who holds it is outside: to be refused is to see him.
  return flock(fd, LOCK_EX | LOCK_NB) == 0 ? in_vain() : 0;
}

long record_lock_of_other() {
  const int fd = open(kSystemFile, O_RDONLY);
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_pid = 0;
  if (fd < 0 || fcntl(fd, F_OFD_GETLK, &lock) < 0) return -1;
  return lock.l_type == F_UNLCK ? in_vain() : 0;
}

// A lease holds up whoever opens the file for writing.
long lease(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY);
  return fd < 0 ? fd : fcntl(fd, F_SETLEASE, F_RDLCK);
}

// Somebody outside reads the file all the time.
long watch(const char* path, unsigned events) {
  const int fd = inotify_init1(IN_NONBLOCK);
  if (inotify_add_watch(fd, path, events) < 0) return -1;
  pollfd polled{fd, POLLIN, 0};
  return poll(&polled, 1, 1'000) > 0 ? 0 : in_vain();
}

long watch_mounted_file() { return watch((target("shown") + "/file").c_str(), IN_OPEN); }

constexpr const char* kReadOnly = "read-only mount; the file is root's";
constexpr const char* kGiven = "read-only mount";
constexpr const char* kOwnView = "an overlay of the sandbox's own over what all share";

// Under `permissive` the root takes writes, and only the owner's rights are left (writable_root).
// EPERM or EACCES to links is fs.protected_hardlinks.
constexpr Attack root_file(std::string_view name, std::string_view aim, long (*attempt)(),
                           std::string_view permissive = "EACCES") {
  return {.name = name,
          .aim = aim,
          .control = kReadOnly,
          .inside = "EROFS",
          .permissive = permissive,
          .attempt = attempt};
}

// The same in /usr, which the image `host` shows read-only under `permissive`, too.
constexpr Attack system_file(std::string_view name, std::string_view aim, long (*attempt)(),
                             std::string_view permissive = "EROFS|EACCES") {
  return root_file(name, aim, attempt, permissive);
}

constexpr Attack given_file(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name, .aim = aim, .control = kGiven, .inside = "EROFS", .attempt = attempt};
}

constexpr Attack unseen(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name, .aim = aim, .control = kOwnView, .inside = "in vain", .attempt = attempt};
}

constexpr Attack kAttacks[] = {
    root_file("files.make_root", "make a file in /", makes_file_in<"">),
    root_file("files.make_etc", "make one in /etc", makes_file_in<"/etc">),
    root_file("files.make_opt", "make one in /opt", makes_file_in<"/opt">),
    root_file("files.make_var", "make one in /var", makes_file_in<"/var">),
    root_file("files.make_home", "make a home of his own", makes_file_in<"/home">),
    system_file("files.make_usr", "make one in /usr", makes_file_in<"/usr">),
    system_file("files.make_bin", "make a program in /usr/bin", makes_file_in<"/usr/bin">),
    system_file("files.make_local", "make one in /usr/local/bin, which comes first in PATH",
                makes_file_in<"/usr/local/bin">),
    root_file("files.write_passwd", "write to /etc/passwd", opens_for_writing<"/etc/passwd">),
    root_file("files.write_group", "write to /etc/group", opens_for_writing<"/etc/group">),
    root_file("files.write_ld", "have a library of his loaded into all programs",
              opens<"/etc/ld.so.preload", O_WRONLY | O_CREAT>),
    root_file("files.truncate_passwd", "cut /etc/passwd off", [] { return truncate_it("/etc/passwd"); }),
    root_file("files.rename_passwd", "move /etc/passwd", [] { return rename_there_and_back("/etc/passwd"); }),
    root_file("files.remove_passwd", "remove it", [] { return long{unlink("/etc/passwd")}; }),
    root_file(
        "files.chmod_passwd", "change its rights", [] { return set_mode("/etc/passwd"); }, "EPERM"),
    root_file(
        "files.chown_passwd", "own it", [] { return set_owner("/etc/passwd"); }, "EPERM"),
    root_file(
        "files.times_passwd", "change its times", [] { return set_times("/etc/passwd"); }, "EPERM"),
    {.name = "files.attribute_passwd",
     .aim = "give it an attribute",
     .control = kReadOnly,
     .inside = "EROFS",
     .permissive = "EACCES",
     .outside = "ok|EOPNOTSUPP",  // of users, in memory: since Linux 6.6
     .attempt = [] { return set_attribute("/etc/passwd"); }},
    root_file(
        "files.link_passwd", "give it a second name",
        [] { return link_to("/etc/passwd", "/etc/passwd-link"); }, "EPERM|EACCES"),
    root_file("files.symlink_etc", "make a link in /etc",
              [] { return long{symlink("/tmp", "/etc/sbx-attack")}; }),
    system_file("files.write_system", "write to a file in /usr", opens_for_writing<"/usr/lib/os-release">),
    system_file("files.write_shell", "write to the shell, which the host runs, too",
                [] {
                  // A program that runs cannot be written (ETXTBSY), and a shell often does.
                  const long fd = open_it("/usr/bin/dash", O_WRONLY);
                  return fd < 0 && errno == ETXTBSY ? 0 : fd;
                }),
    system_file("files.truncate_system", "cut it off", [] { return truncate_it(kSystemFile); }),
    system_file("files.rename_system", "move it",
                [] {
                  // Outside it stays where it is.
                  return target("inside").empty() ? rename_itself(kSystemFile)
                                                  : rename_there_and_back(kSystemFile);
                }),
    system_file(
        "files.chmod_system", "change its rights", [] { return set_mode(kSystemFile); }, "EROFS|EPERM"),
    system_file(
        "files.times_system", "change its times", [] { return set_times(kSystemFile); }, "EROFS|EPERM"),
    system_file("files.truncate_open", "cut it off as it is opened",
                [] {
                  return target("inside").empty() ? open_it(kSystemFile, O_WRONLY)
                                                  : open_it(kSystemFile, O_WRONLY | O_TRUNC);
                }),
    given_file("files.write_given", "write to what he was given to read",
               [] { return open_it(given("file"), O_WRONLY); }),
    given_file("files.truncate_given", "cut it off", [] { return truncate_it(given("file")); }),
    given_file("files.rename_given", "move it", [] { return rename_there_and_back(given("file")); }),
    given_file("files.remove_given", "remove it", [] { return long{unlink(given("removed").c_str())}; }),
    given_file("files.chmod_given", "change its rights", [] { return set_mode(given("file")); }),
    given_file("files.chown_given", "give it to another group",
               [] { return long{chown(given("file").c_str(), static_cast<uid_t>(-1), getgid())}; }),
    given_file("files.times_given", "change its times", [] { return set_times(given("file")); }),
    given_file("files.attribute_given", "give it an attribute", [] { return set_attribute(given("file")); }),
    given_file("files.make_given", "add a file", [] { return make_and_remove(given("new")); }),
    given_file("files.link_given", "give it a second name there",
               [] { return link_to(given("file"), given("link")); }),
    given_file("files.anew_given", "open for writing what he has open for reading",
               [] { return open_anew(given("file")); }),
    given_file("files.write_shown", "write to a file of a directory that he is shown",
               [] { return open_it(target("shown") + "/file", O_WRONLY); }),
    given_file("files.make_shown", "make one there",
               [] { return make_and_remove(target("shown") + "/new"); }),
    {.name = "files.link_out",
     .aim = "have a file that he is shown in his own directory, too",
     .control = "another mount",
     .inside = "EXDEV",
     .outside = "EXDEV",  // his own directory is another file system there
     .attempt = [] { return link_to(target("shown") + "/file", "linked"); }},
    {.name = "files.link_system",
     .aim = "have a set-id program of the system in his own directory",
     .control = "another mount",
     .inside = "EXDEV",
     .outside = "EXDEV",
     .attempt = [] { return link_to("/usr/bin/passwd", "linked_system"); }},
    {.name = "files.give_root",
     .aim = "give a file of his to root",
     .control = "no capability",
     .inside = "EPERM",
     .attempt = [] { return give_to(0, target("home")); }},
    {.name = "files.give_root_project",
     .aim = "give a file of his project to root",
     .control = "the project's id map has no other id than his; no capability",
     .inside = "EOVERFLOW",
     .attempt = [] { return give_to(0, target("outputs")); }},
    {.name = "files.give_foreign",
     .aim = "give it to a user of the host",
     .control = "only the sandbox's own ids have names",
     .inside = "EINVAL",
     .attempt = [] { return give_to(kForeign, target("home")); }},
    unseen("files.lock_seen", "see a lock that the host holds on a system file", lock_of_other),
    unseen("files.record_lock_seen", "see a lock of records", record_lock_of_other),
    unseen("files.watch_system", "watch who opens a system file", [] { return watch(kSystemFile, IN_OPEN); }),
    unseen("files.watch_access", "watch who reads it", [] { return watch(kSystemFile, IN_ACCESS); }),
    unseen("files.watch_directory", "watch who opens what beside it",
           [] { return watch("/usr/lib", IN_OPEN); }),
    {.name = "files.lease_system",
     .aim = "hold up whoever writes to a system file",
     .control = "the file is root's; no capability",
     .inside = "EACCES",
     .attempt = [] { return lease(kSystemFile); }},
    {.name = "files.watch_shown",
     .aim = "watch who opens a file of a directory that he is shown",
     .control = "none: a bind is live",
     .inside = "ok",
     .attempt = watch_mounted_file},
};

}  // namespace

std::span<const Attack> file_attacks() { return kAttacks; }

}  // namespace sbx::attack
