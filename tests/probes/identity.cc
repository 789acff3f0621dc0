// Who a program is, and whether it can change what its ids mean.
#include <fcntl.h>
#include <grp.h>
#include <linux/securebits.h>
#include <sys/prctl.h>

#include "attempt.h"

namespace {

using sbx::probe::attempt;
using sbx::probe::say;

long write_map(const char* path) {
  const int fd = open(path, O_WRONLY);
  return fd < 0 ? -1 : write(fd, "0 0 1\n", 6);
}

std::string ids() {
  uid_t uid[3];
  gid_t gid[3];
  (void)getresuid(&uid[0], &uid[1], &uid[2]);
  (void)getresgid(&gid[0], &gid[1], &gid[2]);
  std::string text;
  for (const uid_t id : uid) text += std::to_string(id) + " ";
  for (const gid_t id : gid) text += std::to_string(id) + " ";
  return text;
}

}  // namespace

int main() {
  constexpr int kLocked = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED |
                          SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
                          SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
  say("ids", ids());
  say("groups", std::to_string(getgroups(0, nullptr)));
  say("securebits", (prctl(PR_GET_SECUREBITS) & kLocked) == kLocked ? "locked" : "open");
  say("no_new_privs", std::to_string(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)));
  std::string bounding;
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; ++capability) {
    if (prctl(PR_CAPBSET_READ, capability) > 0) bounding += std::to_string(capability) + " ";
  }
  say("bounding", bounding);
  attempt("uid_map", [] { return write_map("/proc/self/uid_map"); });
  attempt("gid_map", [] { return write_map("/proc/self/gid_map"); });
  return 0;
}
