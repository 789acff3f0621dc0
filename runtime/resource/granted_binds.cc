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
#include <sstream>

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

// `path`: the bind's, clean.
Result<void> check_granted(const Policy& policy, const os::FileRights& client, const BindRequest& bind,
                           const std::string& path) {
  bool readable = false;
  for (const BindRoot& root : policy.bind_roots) {
    if (!is_below(path, root.path) || !is_for(root, client)) continue;
    if (root.writable || bind.mode != BindMode::read_write) return {};
    readable = true;
  }
  const std::string where = "'" + bind.host + "': policy '" + policy.name + "' ";
  return fail(readable ? where + "lets this user show it read-only, or as a copy, but not writable"
                       : where + "lets this user show nothing of the host there; its bind_roots say what");
}

// As proc(5) writes it: three octal digits for what would end a field.
std::string unescaped(std::string_view field) {
  std::string text;
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (field[i] != '\\' || i + 3 >= field.size()) {
      text += field[i];
      continue;
    }
    unsigned code = 0;
    for (std::size_t digit = 1; digit <= 3; ++digit)
      code = code * 8 + static_cast<unsigned>(field[i + digit] - '0');
    text += static_cast<char>(code);
    i += 3;
  }
  return text;
}

// What is mounted in a directory is not shown with it: what lies below it would be, with the attributes of
// another mount.
Result<void> check_nothing_mounted_in(const std::string& path) {
  std::istringstream table(TRY(os::read_file(AT_FDCWD, "/proc/self/mountinfo")));
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    std::string place;
    for (int field = 0; field < 5; ++field) fields >> place;
    place = unescaped(place);
    if (place != path && is_below(place, path))
      return fail("'" + path + "' cannot be shown: '" + place + "' is mounted in it");
  }
  return {};
}

// As this thread, which has the client's rights now.
Result<void> check_rights(int fd, const struct stat& status, const os::FileRights& client,
                          const BindRequest& bind) {
  const auto may = [&](int how) { return faccessat(fd, "", how, AT_EACCESS | AT_EMPTY_PATH) == 0; };
  const std::string what = "'" + bind.host + "': ";
  if (!may(S_ISDIR(status.st_mode) ? R_OK | X_OK : R_OK)) return fail(what + "this user may not read it");
  if (bind.mode == BindMode::read_only) return {};
  const BindOwner inside = owner_inside(client, status.st_gid);
  const bool is_own = inside.uid == status.st_uid && inside.gid == status.st_gid;
  if (bind.mode == BindMode::copy_on_write) {
    if (is_own || (status.st_mode & 05U) == 05U) return {};
    return fail(what +
                "can be shown as a copy only where everybody may read it, or to the user that it belongs to");
  }
  if (!may(W_OK)) return fail(what + "this user may not write to it");
  if (is_own) return {};
  return fail(what + "can be shown writable only to the user that it belongs to, who is in its group, too");
}

}  // namespace

Result<UniqueFd> open_granted_bind(const Policy& policy, const os::FileRights& client,
                                   const BindRequest& bind) {
  // What has ".." lies elsewhere than it says.
  const std::string path = TRY(check_inside_path("the host path", bind.host));
  TRY(check_granted(policy, client, bind, path));
  TRY(check_nothing_mounted_in(path));
  const os::BorrowedRights as_client = TRY(os::BorrowedRights::take(client));
  Result<UniqueFd> opened = os::open_resolved(AT_FDCWD, path, O_PATH, RESOLVE_NO_SYMLINKS);
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
