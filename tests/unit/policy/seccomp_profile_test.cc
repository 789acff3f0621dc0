#include "policy/seccomp_profile.h"

#include <seccomp.h>

#include <cerrno>

#include "policy/syscall_names.h"
#include "policy_fixture.h"

namespace sbx {
namespace {

using testing::error_of;
using testing::replaced;

constexpr const char* kSmall =
    "name: small\n"
    "description: a test\n"
    "groups:\n"
    "  - name: io\n"
    "    reason: to read\n"
    "    allow: [read, write]\n"
    "  - name: rest\n"
    "    reason: to see\n"
    "    rules:\n"
    "      - syscalls: [ioctl]\n"
    "        action: EPERM\n"
    "        when: [{argument: 1, equals: 0x5412}]\n"
    "      - syscalls: [ioctl, fcntl]\n"
    "        action: allow\n";

std::string refused(const std::string& text) { return error_of(parse_seccomp_profile("s.yaml", text)); }

TEST_CASE("every key of a profile is read") {
  const Result<SeccompProfile> profile = parse_seccomp_profile("s", R"(
name: full
description: all of it
default_error: EACCES
groups:
  - name: one
    reason: "because"
    allow: [read]
    rules:
      - syscalls: [ioctl, write]
        action: ENOSYS
        when:
          - {argument: 1, equals: [0x20, 0o6000, 7]}
          - {argument: 5, mask: 0xffffffffffffffff, differs: 18446744073709551615}
      - syscalls: [ioctl]
        action: allow
      - syscalls: [setrlimit]
        action: ignore
)");
  REQUIRE_MESSAGE(profile, error_of(profile));
  CHECK(profile->name == "full");
  CHECK(profile->description == "all of it");
  CHECK(profile->default_error == EACCES);
  REQUIRE(profile->groups.size() == 1);
  CHECK(profile->groups[0].name == "one");
  CHECK(profile->groups[0].reason == "because");
  const std::vector<SeccompCondition> conditions{{1, 0xffffffff, {0x20, 06000, 7}, true},
                                                 {5, ~0ULL, {~0ULL}, false}};
  const std::vector<SeccompRule> expected{
      {"read", SeccompAction::allow, 0, {}},
      {"ioctl", SeccompAction::refuse, ENOSYS, conditions},
      {"write", SeccompAction::refuse, ENOSYS, conditions},
      {"ioctl", SeccompAction::allow, 0, {}},
      {"setrlimit", SeccompAction::ignore, 0, {}},
  };
  CHECK(profile->groups[0].rules == expected);
}

TEST_CASE("the default error is EPERM") { CHECK(parse_seccomp_profile("s", kSmall)->default_error == EPERM); }

TEST_CASE("a mistake is refused with line, column and key") {
  struct Bad {
    const char* from;
    const char* to;
    const char* error;
  };
  const Bad table[] = {
      // document
      {"name: small", "nam: small", "s.yaml:1:1: unknown key 'nam': did you mean 'name'?"},
      {"name: small\n", "", "s.yaml:1:1: name: is missing"},
      {"name: small", "name: a/b", "s.yaml:1:7: name: 'a/b' may hold only letters, digits, '.', '_' and '-'"},
      {"description: a test\n", "", "s.yaml:1:1: description: is missing"},
      {"groups:", "default_error: EWHAT\ngroups:",
       "s.yaml:3:16: default_error: 'EWHAT' is not the name of an error, such as EPERM"},
      {"groups:", "default_error: 1\ngroups:",
       "s.yaml:3:16: default_error: '1' is not the name of an error, such as EPERM"},
      // groups
      {"    reason: to read\n", "", "s.yaml:4:5: group: reason: is missing"},
      {"reason: to read", "reason: ''",
       "s.yaml:5:13: group: reason: is empty: say why these calls are needed or refused"},
      {"reason: to read", "reason: a\n    optional: true",
       "s.yaml:6:5: group: unknown key 'optional': known: 'name', 'reason', 'allow' or 'rules'"},
      {"    allow: [read, write]\n", "", "s.yaml:4:5: group 'io': expected 'allow' or 'rules'"},
      {"allow: [read, write]", "allow: read", "s.yaml:6:12: group: allow: expected a list, not 'read'"},
      {"  - name: io\n    reason: to read\n    allow: [read, write]\n", "  - io\n",
       "s.yaml:4:5: group: expected a map of keys, not 'io'"},
      // names
      {"[read, write]", "[read, wriet]", "s.yaml:6:19: no system call 'wriet': did you mean 'write'?"},
      {"[read, write]", "[read, frobnicate_the_kernel]",
       "s.yaml:6:19: no system call 'frobnicate_the_kernel'"},
      {"[read, write]", "[read, 1]", "s.yaml:6:19: no system call '1'"},
      {"[read, write]", "[read, [write]]", "s.yaml:6:19: a system call: expected a single value, not a list"},
      {"[read, write]", "[read, read]",
       "s.yaml:6:19: 'read' is decided on line 6 already: this could never apply"},
      {"[read, write]", "[read, ioctl]",
       "s.yaml:10:20: 'ioctl' is decided on line 6 already: this could never apply"},
      {"    allow: [read, write]",
       "    rules: [{syscalls: [ioctl], action: EPERM, when: [{argument: 0, equals: 1}]}]",
       "s.yaml:10:20: 'ioctl' is in group 'io' already: rules of one call stay together"},
      {"        when: [{argument: 1, equals: 0x5412}]\n", "",
       "s.yaml:12:20: 'ioctl' is decided on line 10 already: this could never apply"},
      // rules
      {"action: EPERM", "action: permit",
       "s.yaml:11:17: rule: action: 'permit' is neither 'allow', 'ignore' nor the name of an error, such as "
       "EPERM"},
      {"        action: EPERM\n", "", "s.yaml:10:9: rule: action: is missing"},
      {"[ioctl]\n", "[]\n", "s.yaml:10:19: rule: syscalls: is empty"},
      {"syscalls: [ioctl]\n", "syscall: [ioctl]\n",
       "s.yaml:10:9: rule: unknown key 'syscall': did you mean 'syscalls'?"},
      {"[{argument: 1, equals: 0x5412}]", "[]",
       "s.yaml:12:15: rule: when: is empty: leave it out for every call"},
      {"[{argument: 1, equals: 0x5412}]", "{argument: 1, equals: 0x5412}",
       "s.yaml:12:15: rule: when: expected a list, not a map"},
      // conditions
      {"argument: 1", "argument: 6", "s.yaml:12:27: when: argument: a system call has the arguments 0 to 5"},
      {"argument: 1", "argument: -1",
       "s.yaml:12:27: argument: '-1' is not a number such as 8, 0x20 or 0o6000"},
      {"argument: 1, ", "", "s.yaml:12:16: when: argument: is missing"},
      {"argument: 1", "arg: 1",
       "s.yaml:12:17: when: unknown key 'arg': known: 'argument', 'mask', 'equals' or 'differs'"},
      {"equals: 0x5412", "mask: 1", "s.yaml:12:16: when: expected either 'equals' or 'differs'"},
      {"equals: 0x5412", "equals: 1, differs: 2",
       "s.yaml:12:16: when: expected either 'equals' or 'differs'"},
      {"equals: 0x5412", "equals: []", "s.yaml:12:38: when: equals: is empty"},
      {"equals: 0x5412", "equals: 0100",
       "s.yaml:12:38: equals: '0100' is not a number such as 8, 0x20 or 0o6000"},
      {"equals: 0x5412", "equals: 0x",
       "s.yaml:12:38: equals: '0x' is not a number such as 8, 0x20 or 0o6000"},
      {"equals: 0x5412", "equals: 1e3",
       "s.yaml:12:38: equals: '1e3' is not a number such as 8, 0x20 or 0o6000"},
      {"equals: 0x5412", "equals: 18446744073709551616",
       "s.yaml:12:38: equals: '18446744073709551616' is not a number such as 8, 0x20 or 0o6000"},
      {"equals: 0x5412", "equals: AF_UNIX",
       "s.yaml:12:38: equals: 'AF_UNIX' is not a number such as 8, 0x20 or 0o6000"},
      {"equals: 0x5412", "equals: 0x100000000",
       "s.yaml:12:38: equals: '0x100000000' has bits outside the mask (by default the low 32 bits): never "
       "equal"},
      {"equals: 0x5412", "mask: 0xf, differs: [1, 0x10]",
       "s.yaml:12:54: differs: '0x10' has bits outside the mask (by default the low 32 bits): never equal"},
      {"equals: 0x5412", "mask: 0, equals: 0", "s.yaml:12:36: when: mask: 0 leaves nothing to compare"},
  };
  for (const Bad& bad : table) {
    CAPTURE(bad.to);
    CHECK(refused(replaced(kSmall, bad.from, bad.to)) == bad.error);
  }
}

TEST_CASE("a profile without groups is refused") {
  CHECK(refused("name: a\ndescription: b\ngroups: []\n") ==
        "s.yaml:3:9: groups: is empty: nothing could run");
  CHECK(refused("name: a\ndescription: b\n") == "s.yaml:1:1: groups: is missing");
}

TEST_CASE("calls newer than libseccomp have names, and foreign ones are accepted") {
  CHECK(parse_seccomp_profile("s", replaced(kSmall, "read, write", "mseal, file_setattr, cachestat")));
  CHECK(parse_seccomp_profile("s", replaced(kSmall, "read, write", "chown32")));
}

TEST_CASE("our table of newer calls agrees with libseccomp where both know a call") {
  const std::vector<std::string> table = syscall_table();
  for (const SyscallName& newer : kNewerSyscalls) {
    CAPTURE(newer.number);
    CHECK(resolve_syscall(newer.name).kind == SyscallKind::native);
    CHECK(resolve_syscall(newer.name).number == newer.number);
    CHECK(table[newer.number] == newer.name);
    const int number = seccomp_syscall_resolve_name(std::string(newer.name).c_str());
    if (number >= 0) CHECK(static_cast<std::uint32_t>(number) == newer.number);
  }
}

TEST_CASE("every name of the table resolves to its number") {
  const std::vector<std::string> table = syscall_table();
  CHECK_FALSE(table.back().empty());
  for (std::uint32_t number = 0; number < table.size(); ++number) {
    if (table[number].empty()) continue;
    CAPTURE(table[number]);
    CHECK(resolve_syscall(table[number]).number == number);
  }
  CHECK(resolve_syscall("nonsense").kind == SyscallKind::unknown);
  CHECK(resolve_syscall("").kind == SyscallKind::unknown);
}

}  // namespace
}  // namespace sbx
