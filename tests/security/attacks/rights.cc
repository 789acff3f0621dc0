// Other ids, capabilities and set-id programs.
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

#include "attempts.h"

namespace sbx::attack {
namespace {

constexpr unsigned kInit = 65533;        // init's id inside
constexpr unsigned kNotMapped = 200000;  // more than a sandbox has

// So that root outside has to become root again, too: for what follows he has another effective id.
void step_down() {
  (void)!setresgid(~0U, 1, ~0U);
  (void)!setresuid(~0U, 1, ~0U);
}

template <unsigned id>
long set_uid() {
  return setuid(id);
}
template <unsigned id>
long set_gid() {
  return setgid(id);
}
template <unsigned id>
long set_real_uid() {
  return setreuid(id, ~0U);
}
template <unsigned id>
long set_effective_uid() {
  return setresuid(~0U, id, ~0U);
}
template <unsigned id>
long set_saved_uid() {
  return setresuid(~0U, ~0U, id);
}
template <unsigned id>
long set_effective_gid() {
  return setresgid(~0U, id, ~0U);
}
template <unsigned id>
long set_saved_gid() {
  return setresgid(~0U, ~0U, id);
}
template <unsigned group>
long set_groups() {
  const gid_t groups[] = {group};
  return syscall(SYS_setgroups, 1, groups);
}
// These two say what was before, and nothing of errors.
template <unsigned id>
long set_fs_uid() {
  (void)setfsuid(id);
  return only_if(static_cast<unsigned>(setfsuid(~0U)) == id);
}
template <unsigned id>
long set_fs_gid() {
  (void)setfsgid(id);
  return only_if(static_cast<unsigned>(setfsgid(~0U)) == id);
}

long root_again() {
  step_down();
  return setresuid(~0U, 0, ~0U);
}
long root_group_again() {
  (void)!setresgid(~0U, 1, ~0U);
  return setresgid(~0U, 0, ~0U);
}

constexpr unsigned kNetAdmin = 1U << CAP_NET_ADMIN;  // root outside has it, even in containers

struct Sets {
  __user_cap_data_struct parts[2] = {};
};

long set_sets(const Sets& sets) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  return syscall(SYS_capset, &header, sets.parts);
}

template <bool effective, bool inheritable>
long raise_capability() {
  Sets sets;
  sets.parts[0].permitted = kNetAdmin;
  sets.parts[0].effective = effective ? kNetAdmin : 0;
  sets.parts[0].inheritable = inheritable ? kNetAdmin : 0;
  return set_sets(sets);
}

// Without the permitted set: it would only count at the next exec.
long raise_inheritable_only() {
  Sets sets;
  sets.parts[0].inheritable = kNetAdmin;
  return set_sets(sets);
}

long raise_ambient() {
  (void)raise_capability<true, true>();
  return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0);
}

// Of all sets that a process can ask for; one in the ambient set is also in the permitted one.
long hold_any_capability() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  Sets sets;
  if (syscall(SYS_capget, &header, sets.parts) != 0) return -1;
  unsigned all = 0;
  for (const auto& part : sets.parts) all |= part.permitted | part.effective | part.inheritable;
  return only_if(all != 0);
}

long find_any_capability() {
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; ++capability) {
    if (prctl(PR_CAPBSET_READ, capability) > 0) return 0;
  }
  return only_if(false);
}

// Copies of tests/probes/rights_held, as the host's root may leave them in a directory that is shown (target
// `directory`). Outside nobody but root may reach it.
long run_given_program(const char* directory, const char* name) {
  const int program = open((target(directory) + "/" + name).c_str(), O_PATH | O_CLOEXEC);
  if (getuid() == 0 && (setresgid(1000, 1000, 1000) != 0 || setresuid(1000, 1000, 1000) != 0)) return -1;
  const char* const arguments[] = {name, nullptr};
  return syscall(SYS_execveat, program, "", arguments, arguments + 1, AT_EMPTY_PATH);
}

constexpr const char* kIds = "no capability";
constexpr const char* kGroups = "filter: setgroups; no capability";
constexpr const char* kSets = "no capability, and none in the bounding set";
constexpr const char* kLocked = "no capability; the secure bits are locked";

constexpr Attack kAttacks[] = {
    refused("rights.setuid_root", "become root", kIds, root_again),
    refused("rights.setgid_root", "have root's group", kIds, root_group_again),
    refused("rights.setuid_init", "become the user that init is", kIds, set_uid<kInit>),
    refused("rights.setgid_init", "have init's group", kIds, set_gid<kInit>),
    refused("rights.setuid_other", "become another user", kIds, set_uid<1>),
    refused("rights.setgid_other", "have another group", kIds, set_gid<1>),
    refused("rights.setreuid_init", "become init's user, by its real id", kIds, set_real_uid<kInit>),
    refused("rights.setresuid_init", "become init's user, by its effective id", kIds,
            set_effective_uid<kInit>),
    refused("rights.setresuid_saved", "keep init's user for later", kIds, set_saved_uid<kInit>),
    refused("rights.setresgid_init", "have init's group, by its effective id", kIds,
            set_effective_gid<kInit>),
    refused("rights.setresgid_saved", "keep init's group for later", kIds, set_saved_gid<kInit>),
    // setfsuid(2): no error, the id just stays.
    {.name = "rights.setfsuid_init",
     .aim = "open files as init's user",
     .control = kIds,
     .inside = "in vain",
     .attempt = set_fs_uid<kInit>},
    {.name = "rights.setfsgid_init",
     .aim = "open files with init's group",
     .control = kIds,
     .inside = "in vain",
     .attempt = set_fs_gid<kInit>},
    {.name = "rights.setuid_beyond",
     .aim = "become a user whose id is not the sandbox's",
     .control = "user namespace: it has 65536 ids",
     .inside = "EINVAL",
     .attempt = set_uid<kNotMapped>},
    {.name = "rights.setgid_beyond",
     .aim = "have a group whose id is not the sandbox's",
     .control = "user namespace: it has 65536 ids",
     .inside = "EINVAL",
     .attempt = set_gid<kNotMapped>},
    refused("rights.setgroups_root", "have root's group besides its own", kGroups, set_groups<0>),
    refused("rights.setgroups_other", "have another group besides its own", kGroups, set_groups<1>),
    // To have fewer groups can give a right, where a file gives its group less than others.
    refused("rights.setgroups_none", "give up groups that are refused something", kGroups,
            [] { return syscall(SYS_setgroups, 0, nullptr); }),

    // Where the tests run without other groups there is none to keep.
    {.name = "rights.groups",
     .aim = "keep a group of the caller",
     .control = "all groups are dropped",
     .inside = "in vain",
     .outside = "ok|in vain",
     .attempt = [] { return only_if(getgroups(0, nullptr) > 0); }},

    {.name = "rights.capabilities",
     .aim = "have a capability from the start",
     .control = "all sets are empty",
     .inside = "in vain",
     .attempt = hold_any_capability},
    refused("rights.capset_permitted", "permit itself a capability", kSets, raise_capability<false, false>),
    refused("rights.capset_effective", "have a capability", kSets, raise_capability<true, false>),
    refused("rights.capset_inheritable", "pass a capability to a program", kSets,
            raise_capability<true, true>),
    refused("rights.capset_inheritable_only", "pass a capability that it has not", kSets,
            raise_inheritable_only),
    refused("rights.ambient", "keep a capability across exec", kSets, raise_ambient),
    {.name = "rights.bounding",
     .aim = "find a capability that a program could give it",
     .control = "the bounding set is empty",
     .inside = "in vain",
     .attempt = find_any_capability},
    refused("rights.bounding_drop", "change what capabilities there may be", kSets,
            [] { return long{prctl(PR_CAPBSET_DROP, CAP_NET_ADMIN)}; }),
    refused("rights.securebits", "unlock what root gets at exec", kLocked,
            [] { return long{prctl(PR_SET_SECUREBITS, 0)}; }),
    refused("rights.securebits_caps", "keep capabilities when it becomes another user", kLocked,
            [] { return long{prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS)}; }),
    refused("rights.keepcaps", "keep capabilities, by the older call", kLocked,
            [] { return long{prctl(PR_SET_KEEPCAPS, 1)}; }),
    // Nobody can: that is the promise of the kernel (prctl(2)).
    {.name = "rights.no_new_privs",
     .aim = "take back that no program gives it rights",
     .control = "no_new_privs is for ever",
     .inside = "EINVAL",
     .outside = "EINVAL",
     .attempt = [] { return long{prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0)}; }},
    {.name = "rights.set_uid_program",
     .aim = "be root by a set-id program of root's",
     .control = "no_new_privs; nosuid; ids of the host are nobody's inside",
     .inside = "in vain",
     .attempt = [] { return run_given_program("shown", "set_uid"); }},
    {.name = "rights.set_gid_program",
     .aim = "have root's group by a set-id program",
     .control = "no_new_privs; nosuid; ids of the host are nobody's inside",
     .inside = "in vain",
     .attempt = [] { return run_given_program("shown", "set_gid"); }},
    {.name = "rights.file_capabilities",
     .aim = "have a capability by a program that carries it",
     .control = "no_new_privs; nosuid; the bounding set is empty",
     .inside = "in vain",
     .attempt = [] { return run_given_program("shown", "capable"); }},
    {.name = "rights.set_uid_program_writable",
     .aim = "be root by a set-id program in a directory that he may write to",
     .control = "no_new_privs; nosuid; ids of the host are nobody's inside",
     .inside = "in vain",
     .attempt = [] { return run_given_program("writable", "set_uid"); }},
    {.name = "rights.file_capabilities_writable",
     .aim = "have a capability by a program that carries it, in such a directory",
     .control = "no_new_privs; nosuid; the bounding set is empty",
     .inside = "in vain",
     .attempt = [] { return run_given_program("writable", "capable"); }},
};

}  // namespace

std::span<const Attack> rights_attacks() { return kAttacks; }

}  // namespace sbx::attack
