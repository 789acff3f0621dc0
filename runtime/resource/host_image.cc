#include "resource/host_image.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/hash.h"
#include "base/path.h"
#include "base/scope_exit.h"
#include "os/file.h"
#include "plan/sandbox_plan.h"
#include "resource/host_needs.h"

namespace sbx {
namespace {

// What is copied from the host's /etc, and only what everyone may read there.
constexpr std::array<const char*, 30> kCopied{
    "alternatives",    "ld.so.cache",     "ld.so.conf",      "ld.so.conf.d", "ssl/certs",  "ssl/openssl.cnf",
    "ca-certificates", "localtime",       "timezone",        "services",     "protocols",  "rpc",
    "ethertypes",      "mime.types",      "magic",           "magic.mime",   "os-release", "debian_version",
    "shells",          "inputrc",         "bash.bashrc",     "profile",      "terminfo",   "locale.alias",
    "java-17-openjdk", "java-21-openjdk", "java-11-openjdk", "python3",      "python3.11", "fonts"};

// Links into a merged /usr.
constexpr std::array<const char*, 6> kUsrLinks{"bin", "sbin", "lib", "lib32", "lib64", "libx32"};

constexpr const char* kPasswd =
    "root:x:0:0:root:/root:/usr/sbin/nologin\n"
    "sandbox:x:1000:1000:sandbox:/home/sandbox:/bin/bash\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
constexpr const char* kGroup = "root:x:0:\ntty:x:5:\nsandbox:x:1000:\nnogroup:x:65534:\n";
constexpr const char* kHosts = "127.0.0.1 localhost sandbox\n::1 localhost\n";
constexpr const char* kNsswitch =
    "passwd: files\ngroup: files\nshadow: files\nhosts: files\nnetworks: files\nprotocols: files\nservices: "
    "files\n";

constexpr std::string_view kRemoved = "removed.";
constexpr int kFormat = 2;  // raise when what is made here changes

std::string fingerprint() {
  Sha256 hash;
  hash.update(std::to_string(kFormat));
  for (const char* name : kCopied) {
    struct stat status {};
    const std::string path = std::string("/etc/") + name;
    if (lstat(path.c_str(), &status) != 0) continue;
    hash.update(path + " " + std::to_string(status.st_mtim.tv_sec) + "." +
                std::to_string(status.st_mtim.tv_nsec) + " " + std::to_string(status.st_size) + "\n");
  }
  return hash.hex().substr(0, 24);
}

Result<void> make_directory(int root, const std::string& name, mode_t mode, uid_t owner = 0) {
  if (mkdirat(root, name.c_str(), mode) != 0 && errno != EEXIST)
    return fail(system_error("mkdir", name, errno));
  if (fchmodat(root, name.c_str(), mode, 0) != 0) return fail(system_error("chmod", name, errno));
  if (owner != 0 && fchownat(root, name.c_str(), owner, owner, 0) != 0) {
    return fail(system_error("chown", name, errno));
  }
  return {};
}

Result<void> write_file(int root, const std::string& name, std::string_view text) {
  const UniqueFd fd = TRY(os::open_at(root, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644));
  if (fchmod(fd.get(), 0644) != 0) return fail(system_error("chmod", name, errno));  // whatever the umask is
  return os::write_all(fd.get(), text, name);
}

Result<void> make_link(int root, const std::string& name, const std::string& target) {
  if (symlinkat(target.c_str(), root, name.c_str()) != 0) return fail(system_error("symlink", name, errno));
  return {};
}

// Copies a file, a link or a directory of the host's /etc. What is not readable by everyone is left out: it
// is somebody's, not the system's.
Result<void> copy(int from_directory, const std::string& name, int to_directory, const std::string& to_name,
                  int depth) {
  struct stat status {};
  if (fstatat(from_directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return {};
    return fail(system_error("stat", name, errno));
  }
  if (S_ISLNK(status.st_mode)) {
    std::string target(4096, '\0');
    const ssize_t size = readlinkat(from_directory, name.c_str(), target.data(), target.size());
    if (size < 0) return fail(system_error("readlink", name, errno));
    target.resize(static_cast<std::size_t>(size));
    return make_link(to_directory, to_name, target);
  }
  if ((status.st_mode & S_IROTH) == 0) return {};
  if (S_ISREG(status.st_mode)) {
    const std::string content = TRY(os::read_file(from_directory, name, 64U << 20U));
    return write_file(to_directory, to_name, content);
  }
  if (!S_ISDIR(status.st_mode) || depth > 8) return {};
  TRY(make_directory(to_directory, to_name, 0755));
  const UniqueFd from = TRY(os::open_at(from_directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  const UniqueFd to = TRY(os::open_at(to_directory, to_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  for (const std::string& child : TRY(os::list_directory(from.get(), "."))) {
    TRY_DOING("copying /etc/" + name, copy(from.get(), child, to.get(), child, depth + 1));
  }
  return {};
}

Result<void> fill_etc(int root) {
  TRY(make_directory(root, "etc", 0755));
  TRY(make_directory(root, "etc/ssl", 0755));
  const UniqueFd host_etc = TRY(os::open_at(AT_FDCWD, "/etc", O_RDONLY | O_DIRECTORY));
  const UniqueFd etc = TRY(os::open_at(root, "etc", O_RDONLY | O_DIRECTORY));
  for (const char* name : kCopied) TRY(copy(host_etc.get(), name, etc.get(), name, 0));
  TRY(write_file(root, "etc/passwd", kPasswd));
  TRY(write_file(root, "etc/group", kGroup));
  TRY(write_file(root, "etc/hosts", kHosts));
  TRY(write_file(root, "etc/hostname", "sandbox\n"));
  TRY(write_file(root, "etc/nsswitch.conf", kNsswitch));
  TRY(write_file(root, "etc/resolv.conf", ""));
  TRY(write_file(root, "etc/machine-id", ""));
  // Debian's pip refuses to install beside Debian's packages (PEP 668); here that goes to a HOME that is
  // thrown away.
  TRY(write_file(root, "etc/pip.conf", "[install]\nbreak-system-packages = true\n"));
  return {};
}

Result<void> fill_root(int root) {
  for (const char* name :
       {"usr", "proc", "dev", "run", "sys", "home", "workspace", "var", "opt", "mnt", "srv"}) {
    TRY(make_directory(root, name, 0755));
  }
  TRY(make_directory(root, "tmp", 01777));
  TRY(make_directory(root, "var/tmp", 01777));
  TRY(make_directory(root, "root", 0700));
  TRY(make_directory(root, "home/sandbox", 0755, kWorkloadId));
  for (const char* name : kUsrLinks) {
    struct stat status {};
    if (lstat((std::string("/") + name).c_str(), &status) != 0) {
      if (errno == ENOENT) continue;
      return fail(system_error("lstat", std::string("/") + name, errno));
    }
    if (!S_ISLNK(status.st_mode)) {
      return fail(
          with_need(Error{std::string("'/") + name + "' is not a link into /usr"}, HostNeed::merged_usr));
    }
    TRY(make_link(root, name, std::string("usr/") + name));
  }
  return fill_etc(root);
}

// Roots of an older state of the host that no run uses.
void remove_old_roots(int parent, const std::string& current) {
  const auto names = os::list_directory(parent, ".");
  if (!names) return;
  for (const std::string& name : *names) {
    if (name == current || name == "lock") continue;
    const auto fd = os::open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!fd || flock(fd->get(), LOCK_EX | LOCK_NB) != 0) continue;  // next time
    // Not half a root under a name that is used again, should the removal be cut short.
    const std::string removed = name.starts_with(kRemoved) ? name : std::string(kRemoved) + name;
    if (name == removed || renameat(parent, name.c_str(), parent, removed.c_str()) == 0) {
      (void)os::remove_tree(parent, removed);
    }
  }
}

Result<UniqueFd> open_in_use(int parent, const std::string& name) {
  UniqueFd fd = TRY(os::open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (flock(fd.get(), LOCK_SH) != 0) return fail(system_error("flock", name, errno));
  // Whoever held it before may have moved it away to remove it.
  struct stat held {};
  struct stat named {};
  if (fstat(fd.get(), &held) != 0 || fstatat(parent, name.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0 ||
      held.st_ino != named.st_ino) {
    return fail(system_error("open", name, ENOENT));
  }
  return fd;
}

}  // namespace

std::string host_image_original(const std::string& inside) {
  const auto is_at = [&](std::string_view name) { return is_below(inside, "/" + std::string(name)); };
  const auto is_copied = [&](const char* name) { return is_at("etc/" + std::string(name)); };
  const bool shown =
      is_at("usr") || std::ranges::any_of(kUsrLinks, is_at) || std::ranges::any_of(kCopied, is_copied);
  return shown ? inside : "";
}

Result<HostImage> host_image(const std::string& state_dir) {
  const std::string directory = state_dir + "/host-root";
  const std::string name = fingerprint();
  HostImage image;
  image.root = directory + "/" + name;
  if (auto fd = open_in_use(AT_FDCWD, image.root); fd) {
    image.in_use = std::move(*fd);
    return image;
  }
  TRY(os::make_directories(directory, 0700));
  const UniqueFd parent = TRY(os::open_at(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY));
  const auto lock = TRY(os::lock_file(parent.get(), "lock", true));  // two at once do the work once
  if (access(image.root.c_str(), F_OK) != 0) {
    const char* temporary = "new";
    TRY(os::remove_tree(parent.get(), temporary));
    ScopeExit undo([&] { (void)os::remove_tree(parent.get(), temporary); });
    TRY(make_directory(parent.get(), temporary, 0755));
    const UniqueFd root = TRY(os::open_at(parent.get(), temporary, O_RDONLY | O_DIRECTORY));
    TRY_DOING("making the image 'host' in '" + directory + "'", fill_root(root.get()));
    // The name is the promise that everything below it is on the disk: after a power cut too.
    if (syncfs(root.get()) != 0) return fail(system_error("syncfs", directory, errno));
    if (renameat(parent.get(), temporary, parent.get(), name.c_str()) != 0) {
      return fail(system_error("rename", name, errno));
    }
    undo.dismiss();
    if (fsync(parent.get()) != 0) return fail(system_error("fsync", directory, errno));
    remove_old_roots(parent.get(), name);
  }
  image.in_use = TRY(open_in_use(parent.get(), name));
  return image;
}

}  // namespace sbx
