// Keys: the kernel shares most keyrings among all processes of a user.
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>

#include "trace.h"

namespace sbx::trace {
namespace {

constexpr const char* kType = "user";

template <int ring>
std::string description() {
  return name_with_key() + "/" + std::to_string(-ring);
}

template <int ring>
long leave_key() {
  return syscall(SYS_add_key, kType, description<ring>().c_str(), "x", 1, ring);
}

template <int ring>
long find_key() {
  return syscall(SYS_keyctl, KEYCTL_SEARCH, ring, kType, description<ring>().c_str(), 0);
}

template <int ring>
void forget_key() {
  const long found = find_key<ring>();
  if (found > 0) (void)syscall(SYS_keyctl, KEYCTL_UNLINK, found, ring);
}

// The keyring that stays for days after the user's last process has ended.
long persistent_ring() { return syscall(SYS_keyctl, KEYCTL_GET_PERSISTENT, -1, KEY_SPEC_PROCESS_KEYRING); }

long leave_persistent() {
  const long ring = persistent_ring();
  return ring < 0 ? -1 : syscall(SYS_add_key, kType, name_with_key().c_str(), "x", 1, ring);
}

long find_persistent() {
  const long ring = persistent_ring();
  return ring < 0 ? -1 : syscall(SYS_keyctl, KEYCTL_SEARCH, ring, kType, name_with_key().c_str(), 0);
}

void forget_persistent() {
  const long ring = persistent_ring();
  const long found = find_persistent();
  if (found > 0) (void)syscall(SYS_keyctl, KEYCTL_UNLINK, found, ring);
}

// All keys that one may see.
long find_in_list() {
  std::ifstream list("/proc/keys");
  if (!list) return fail(ENOENT);
  for (std::string line; std::getline(list, line);) {
    if (line.find(name_with_key()) != std::string::npos) return 0;
  }
  return fail(ENOENT);
}

constexpr const char* kControl = "filter: add_key, keyctl; own user namespace, and an id of its own";

template <int ring>
constexpr Trace of(std::string_view name, std::string_view aim, std::string_view outside) {
  return {.name = name,
          .aim = aim,
          .control = kControl,
          .other = "EPERM",
          .unfiltered = "ENOKEY",
          .alone = "EPERM",
          .outside = outside,
          .leave = leave_key<ring>,
          .find = find_key<ring>,
          .forget = forget_key<ring>};
}

constexpr Trace kTraces[] = {
    of<KEY_SPEC_USER_KEYRING>("keys.user", "a key of the user", "ok"),
    of<KEY_SPEC_USER_SESSION_KEYRING>("keys.user_session", "a key of the user's sessions", "ok"),
    of<KEY_SPEC_SESSION_KEYRING>("keys.session", "a key of the session", "ok|ENOKEY"),
    // Nobody else's outside, either.
    of<KEY_SPEC_PROCESS_KEYRING>("keys.process", "a key of another process", "ENOKEY"),
    of<KEY_SPEC_THREAD_KEYRING>("keys.thread", "a key of another thread", "ENOKEY"),
    {.name = "keys.persistent",
     .aim = "a key that stays when all of the user's processes have ended",
     .control = kControl,
     .other = "EPERM",
     .unfiltered = "ENOKEY|EOPNOTSUPP",
     .alone = "EPERM",
     .outside = "ok|EOPNOTSUPP",  // CONFIG_PERSISTENT_KEYRINGS
     .leave = leave_persistent,
     .find = find_persistent,
     .forget = forget_persistent},
    {.name = "keys.list",
     .aim = "a key in the list of keys",
     .control = "/proc/keys is masked",
     .other = "ENOENT",
     .alone = "ENOENT",
     .leave = leave_key<KEY_SPEC_USER_KEYRING>,
     .find = find_in_list},
};

}  // namespace

std::span<const Trace> key_traces() { return kTraces; }

}  // namespace sbx::trace
