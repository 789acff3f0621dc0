// What the tests of the tables share: their lines, and what counts as a right answer.
#pragma once

#include <sys/utsname.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "support/sandbox.h"

namespace sbx::test {

// Of a line of `attacks list` or `traces list`.
inline std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream stream(line);
  for (std::string field; std::getline(stream, field, '\t');) fields.push_back(field);
  return fields;
}

// Whether `what` is one of the answers of "ok|ENOSYS".
inline bool is_one_of(const std::string& what, const std::string& allowed) {
  return ("|" + allowed + "|").find("|" + what + "|") != std::string::npos;
}

// With SBX_CONTAINMENT=1 each answer is printed, for docs/containment.md (tests/security/report).
inline void record(const char* table, const std::string& name, const std::string& where,
                   const std::string& what) {
  if (std::getenv("SBX_CONTAINMENT") == nullptr) return;
  std::printf("%s\t%s\t%s\t%s\n", table, name.c_str(), where.c_str(), what.c_str());
}

// Which machine gave these answers.
inline void record_machine() {
  if (std::getenv("SBX_CONTAINMENT") == nullptr) return;
  utsname name{};
  (void)uname(&name);
  const bool v1 = read_file("/proc/self/mounts").find(" cgroup ") != std::string::npos;
  std::printf("machine\t%s\t%s\n", name.release, v1 ? "hybrid cgroups (v1 controllers)" : "pure cgroup v2");
}

}  // namespace sbx::test
