#include "resource/granted_binds.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "base/names.h"
#include "base/path.h"
#include "os/file.h"

namespace sbx {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { (void)std::fclose(file); }
};

// As a policy may name it: by number, or as /etc/passwd or /etc/group calls it. No name service is asked:
// that would be foreign code in a process of root's.
template <auto kNext, auto kName, auto kId>
bool names_id(const std::string& word, std::uint32_t id, const char* path) {
  if (word == std::to_string(id)) return true;
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path, "re"));
  if (!file) return false;
  while (const auto* entry = kNext(file.get())) {
    if (entry->*kName == word) return entry->*kId == id;
  }
  return false;
}

bool is_named(const std::string& word, uid_t uid) {
  return names_id<fgetpwent, &passwd::pw_name, &passwd::pw_uid>(word, uid, "/etc/passwd");
}
bool is_group_named(const std::string& word, gid_t gid) {
  return names_id<fgetgrent, &group::gr_name, &group::gr_gid>(word, gid, "/etc/group");
}

bool is_in(const os::FileRights& client, const std::string& group) {
  return is_group_named(group, client.gid) ||
         std::ranges::any_of(client.groups, [&](gid_t gid) { return is_group_named(group, gid); });
}

bool is_for(const BindRoot& root, const os::FileRights& client) {
  if (root.users.empty() && root.groups.empty()) return true;
  return std::ranges::any_of(root.users,
                             [&](const std::string& user) { return is_named(user, client.uid); }) ||
         std::ranges::any_of(root.groups, [&](const std::string& group) { return is_in(client, group); });
}

Result<void> check_granted(const Policy& policy, const os::FileRights& client, const BindRequest& bind) {
  TRY(check_inside_path("the host path", bind.host));  // what has ".." lies elsewhere than it says
  bool readable = false;
  for (const BindRoot& root : policy.bind_roots) {
    if (!is_below(bind.host, root.path) || !is_for(root, client)) continue;
    if (root.writable || bind.mode != BindMode::read_write) return {};
    readable = true;
  }
  const std::string where = "'" + bind.host + "': policy '" + policy.name + "' ";
  return fail(readable ? where + "lets this user show it read-only, or as a copy, but not writable"
                       : where + "lets this user show nothing of the host there; its bind_roots say what");
}

// As this thread, which has the client's rights now.
Result<void> check_rights(int fd, const struct stat& status, const os::FileRights& client,
                          const BindRequest& bind) {
  const auto may = [&](int how) { return faccessat(fd, "", how, AT_EACCESS | AT_EMPTY_PATH) == 0; };
  const std::string what = "'" + bind.host + "': ";
  if (!may(S_ISDIR(status.st_mode) ? R_OK | X_OK : R_OK)) return fail(what + "this user may not read it");
  if (bind.mode != BindMode::read_write) return {};
  if (!may(W_OK)) return fail(what + "this user may not write to it");
  const BindOwner inside = owner_inside(client, status.st_gid);
  if (inside.uid == status.st_uid && inside.gid == status.st_gid) return {};
  return fail(what + "can be shown writable only to the user that it belongs to, who is in its group, too");
}

}  // namespace

Result<UniqueFd> open_granted_bind(const Policy& policy, const os::FileRights& client,
                                   const BindRequest& bind) {
  TRY(check_granted(policy, client, bind));
  const os::BorrowedRights as_client = TRY(os::BorrowedRights::take(client));
  Result<UniqueFd> opened = os::open_resolved(AT_FDCWD, bind.host, O_PATH, RESOLVE_NO_SYMLINKS);
  if (!opened && opened.error().error_number == ELOOP)
    return fail("'" + bind.host + "' passes a symbolic link; name the place that it leads to");
  if (!opened) return opened;
  const struct stat status = TRY(os::stat_fd(opened->get(), bind.host));
  TRY(check_rights(opened->get(), status, client, bind));
  return opened;
}

BindOwner owner_inside(const os::FileRights& client, gid_t top) {
  const bool is_member = std::ranges::find(client.groups, top) != client.groups.end();
  return {client.uid, is_member ? top : client.gid};
}

}  // namespace sbx
