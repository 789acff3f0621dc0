// Who a program is, and whether it can become somebody else.
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>

#include "attempt.h"

namespace {

using sbx::probe::attempt;
using sbx::probe::say;

long raise_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct all[2] = {{~0U, ~0U, ~0U}, {~0U, ~0U, ~0U}};
  return syscall(SYS_capset, &header, all);
}

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
  for (const unsigned id : {0U, 1U, 65533U}) {
    attempt("setuid_" + std::to_string(id), [id] { return setuid(id); });
    attempt("setgid_" + std::to_string(id), [id] { return setgid(id); });
    attempt("setresuid_" + std::to_string(id), [id] { return setresuid(~0U, id, ~0U); });
  }
  attempt("setgroups", [] {
    const gid_t groups[] = {0};
    return setgroups(1, groups);
  });
  attempt("capset", raise_capabilities);
  attempt("ambient", [] { return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0); });
  attempt("set_securebits", [] { return prctl(PR_SET_SECUREBITS, 0); });
  attempt("set_keepcaps", [] { return prctl(PR_SET_KEEPCAPS, 1); });
  attempt("uid_map", [] { return write_map("/proc/self/uid_map"); });
  attempt("gid_map", [] { return write_map("/proc/self/gid_map"); });
  return 0;
}
