// The policy that shows what the system call filter alone holds back.
#pragma once

#include <seccomp.h>
#include <sys/stat.h>

#include <cstdlib>
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
  std::string names;
  for (int number = 0; number < 1'000; ++number) {
    char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, number);
    if (name != nullptr) names += (names.empty() ? "" : ", ") + std::string(name);
    std::free(name);
  }
  write_file(directory + "/seccomp/default.yaml",
             "name: default\ndescription: everything\ngroups:\n"
             "  - {name: all, reason: to see what else holds, allow: [" +
                 names + "]}\n");
  return directory + "/default.yaml";
}

}  // namespace sbx::test
