#include "resource/host_facts.h"

#include <doctest/doctest.h>

#include <cerrno>

#include "resource/host_checks.h"
#include "wire/steps.h"

namespace sbx {

TEST_CASE("a kernel release is read as a number") {
  CHECK(kernel_version("6.1.0-18-amd64") == 6001);
  CHECK(kernel_version("5.14") == 5014);
  CHECK(kernel_version("6.18.44-fc-v595") == 6018);
  CHECK(kernel_version("") == 0);
  CHECK(kernel_version("6") == 0);
  CHECK(kernel_version("6.") == 0);
  CHECK(kernel_version("x.y") == 0);
}

TEST_CASE("ids of others in the pool are found, at its edges too") {
  const IdPool pool{1'000'000, 2};  // to 1,131,071
  const auto overlaps = [&pool](std::uint64_t first, std::uint64_t count) {
    return !pool_overlaps(pool, {{"x", first, count}}).empty();
  };
  CHECK(!overlaps(999'999, 1));
  CHECK(overlaps(999'999, 2));
  CHECK(overlaps(1'000'000, 1));
  CHECK(overlaps(1'131'071, 1));
  CHECK(!overlaps(1'131'072, 1));
  CHECK(overlaps(0, 4'294'967'295));
  CHECK(!overlaps(1'000'000, 0));
  CHECK(overlaps(1, ~0ULL));
  CHECK(pool_overlaps(pool, {{"x", 1'000'000, 1}, {"x", 1'000'001, 1}}).size() == 1);
}

TEST_CASE("accounts and subordinate ids are read, and lines that are none passed over") {
  CHECK(parse_account_ids("/etc/passwd",
                          "root:x:0:0::/:/bin/sh\n# old:x:7:7\n\n+::\nbad:x:no\nnobody:x:65534:1::\n") ==
        std::vector<IdRange>{{"/etc/passwd: root", 0, 1}, {"/etc/passwd: nobody", 65534, 1}});
  CHECK(parse_subordinate_ids("/etc/subuid", "alice:100000:65536\n1000:7:8\nshort:1\nx:-1:2\n") ==
        std::vector<IdRange>{{"/etc/subuid: alice", 100'000, 65'536}, {"/etc/subuid: 1000", 7, 8}});
  CHECK(parse_account_ids("/etc/passwd", "").empty());
  CHECK(parse_account_ids("/etc/passwd", "last:x:5").size() == 1);  // no line break at its end
}

TEST_CASE("a failed step of a launch points to what the host lacks") {
  CHECK(host_need_behind(LaunchStep::user_namespace, ENOSPC).find("user.max_user_namespaces") !=
        std::string::npos);
  CHECK(host_need_behind(LaunchStep::clone, EPERM).find("seccomp profile") != std::string::npos);
  CHECK(host_need_behind(LaunchStep::mount, ENODEV).find("modprobe overlay") != std::string::npos);
  CHECK(host_need_behind(LaunchStep::seccomp, EINVAL).find("CONFIG_SECCOMP_FILTER") != std::string::npos);
  CHECK(host_need_behind(LaunchStep::execve, ENOENT).empty());
  CHECK(host_need_behind(LaunchStep::working_directory, ENOENT).empty());
  CHECK(host_need_behind(LaunchStep::mount, ENOENT).empty());
}

}  // namespace sbx
