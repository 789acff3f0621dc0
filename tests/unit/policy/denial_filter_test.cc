// The filter whose refusals are told differs from the filter in its refusals alone.
#include "policy/denial_filter.h"

#include <doctest/doctest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace sbx {
namespace {

std::string bytes_of(const std::vector<sock_filter>& program) {
  return {reinterpret_cast<const char*>(program.data()), program.size() * sizeof(sock_filter)};
}

sock_filter returning(std::uint32_t value) { return {BPF_RET | BPF_K, 0, 0, value}; }

}  // namespace

TEST_CASE("errors are told, but ENOSYS, success, what kills, and everything else") {
  const std::uint32_t error = SECCOMP_RET_ERRNO;
  const sock_filter compare{BPF_JMP | BPF_JEQ | BPF_K, 1, 2, error | EPERM};  // a number that looks like one
  const std::vector<sock_filter> before{compare,
                                        returning(error | EPERM),
                                        returning(error | EAFNOSUPPORT),
                                        returning(error | ENOSYS),
                                        returning(error),
                                        returning(SECCOMP_RET_ALLOW),
                                        returning(SECCOMP_RET_KILL_PROCESS)};
  std::vector<sock_filter> after = before;
  after[1].k = SECCOMP_RET_USER_NOTIF;
  after[2].k = SECCOMP_RET_USER_NOTIF;
  CHECK(with_denials_told(bytes_of(before)) == bytes_of(after));
}

TEST_CASE("no filter is no filter") { CHECK(with_denials_told("").empty()); }

}  // namespace sbx
