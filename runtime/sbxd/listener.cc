#include "sbxd/listener.h"

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "os/file.h"

namespace sbx {
namespace {

// A name of the group database; a number needs none.
gid_t group_id(const std::string& group) {
  const struct group* found = group.empty() ? nullptr : getgrnam(group.c_str());
  return found == nullptr ? 0 : found->gr_gid;
}

}  // namespace

Result<void> Listener::lock(const std::string& run_dir) {
  TRY(os::make_directories(run_dir, 0711));
  std::optional<UniqueFd> lock = TRY(os::lock_file(AT_FDCWD, run_dir + "/sbxd.lock", false));
  if (!lock) return fail("another sbxd runs with the run directory '" + run_dir + "'");
  lock_ = std::move(*lock);
  // So that who is in the group can reach the socket; what is beside it is root's alone.
  if (chmod(run_dir.c_str(), 0711) != 0) return fail(system_error("chmod", run_dir, errno));
  return {};
}

Result<Listener> Listener::adopt(const std::string& run_dir, UniqueFd passed) {
  Listener listener;
  TRY(listener.lock(run_dir));
  listener.socket_ = std::move(passed);
  return listener;
}

Result<Listener> Listener::open(const std::string& run_dir, const std::string& path,
                                const std::string& group) {
  Listener listener;
  TRY(listener.lock(run_dir));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail("socket '" + path + "': longer than " + std::to_string(sizeof address.sun_path - 1) +
                " bytes");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fail(system_error("socket", "", errno));
  // Ready beside its place, then put there: nobody connects to one that is not.
  const std::string fresh = path + ".new";
  if (fresh.size() >= sizeof address.sun_path) return fail("socket '" + path + "': its path is too long");
  std::memcpy(address.sun_path, fresh.c_str(), fresh.size() + 1);
  (void)unlink(fresh.c_str());
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail(system_error("bind", fresh, errno));
  const gid_t gid = group_id(group);
  if (chown(fresh.c_str(), 0, gid) != 0) return fail(system_error("chown", fresh, errno));
  if (chmod(fresh.c_str(), gid == 0 ? 0600 : 0660) != 0) return fail(system_error("chmod", fresh, errno));
  if (listen(fd.get(), SOMAXCONN) != 0) return fail(system_error("listen", fresh, errno));
  if (rename(fresh.c_str(), path.c_str()) != 0) return fail(system_error("rename", path, errno));
  listener.socket_ = std::move(fd);
  listener.path_ = path;
  return listener;
}

Listener::~Listener() {
  if (!path_.empty()) (void)unlink(path_.c_str());  // the lock is ours still
}

}  // namespace sbx
