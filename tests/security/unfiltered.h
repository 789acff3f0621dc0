// The policy that shows what the system call filter alone holds back.
#pragma once

#include <seccomp.h>
#include <sys/stat.h>

#include <cstdlib>
#include <set>
#include <string>

#include "integration/isolation.h"

namespace sbx::test {

// A policy like `default`, whose filter allows every call.
inline std::string unfiltered_policy(const Sandbox& sandbox) {
  const std::string directory = sandbox.directory() + "/unfiltered";
  REQUIRE(mkdir(directory.c_str(), 0755) == 0);
  REQUIRE(mkdir((directory + "/seccomp").c_str(), 0755) == 0);
  const std::string shipped = std::string(std::getenv("SBX_TEST_DATA")) + "/policies/default.yaml";
  write_file(directory + "/default.yaml", read_file(shipped));
  // Older versions of libseccomp do not know these.
  std::set<std::string> names{"cachestat",        "file_getattr", "file_setattr",
                              "listmount",        "listxattrat",  "lsm_get_self_attr",
                              "lsm_list_modules", "fchmodat2",    "lsm_set_self_attr",
                              "map_shadow_stack", "mseal",        "open_tree_attr",
                              "removexattrat",    "setxattrat",   "statmount"};
  for (int number = 0; number < 1'000; ++number) {
    char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, number);
    if (name != nullptr) names.insert(name);
    std::free(name);
  }
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  write_file(directory + "/seccomp/default.yaml",
             "name: default\ndescription: everything\ngroups:\n"
             "  - {name: all, reason: to see what else holds, allow: [" +
                 list + "]}\n");
  return directory + "/default.yaml";
}

}  // namespace sbx::test
