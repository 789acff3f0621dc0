#include "os/file_rights.h"

#include <grp.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace sbx::os {
namespace {

// setfsuid(2) tells no error, only what was in force before.
bool become(uid_t uid, gid_t gid) {
  (void)setfsgid(gid);
  (void)setfsuid(uid);
  constexpr auto kAsk = static_cast<uid_t>(-1);
  return static_cast<uid_t>(setfsuid(kAsk)) == uid && static_cast<gid_t>(setfsgid(kAsk)) == gid;
}

}  // namespace

Result<BorrowedRights> BorrowedRights::take(const std::optional<FileRights>& rights) {
  BorrowedRights borrowed;
  if (!rights) return borrowed;
  const int count = getgroups(0, nullptr);
  auto own = std::make_unique<std::vector<gid_t>>(count > 0 ? static_cast<std::size_t>(count) : 0);
  if (count < 0 || getgroups(count, own->data()) != count) return fail(system_error("getgroups", "", errno));
  if (setgroups(rights->groups.size(), rights->groups.data()) != 0)
    return fail(system_error("setgroups", "", errno));
  borrowed.own_groups_.reset(own.release());
  if (!become(rights->uid, rights->gid)) return fail(system_error("setfsuid", "", EPERM));
  return borrowed;
}

void BorrowedRights::GiveBack::operator()(std::vector<gid_t>* own_groups) const {
  const std::unique_ptr<std::vector<gid_t>> own(own_groups);
  if (!become(geteuid(), getegid()) || setgroups(own->size(), own->data()) != 0) std::abort();
}

}  // namespace sbx::os
