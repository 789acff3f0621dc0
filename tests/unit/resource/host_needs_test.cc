#include "resource/host_needs.h"

#include <doctest/doctest.h>

#include <cerrno>

#include "resource/host_rights.h"

namespace sbx {
namespace {

std::string behind(LaunchStep step, int error_number, std::optional<MountAction> action = {}) {
  return host_need_behind(step, action, error_number, "");
}

bool names(const std::string& text, HostNeed need) {
  const HostNeedWords& words = words_of(need);
  return text == "; " + std::string(words.effect) + "; fix: " + std::string(words.fix);
}

}  // namespace

TEST_CASE("a failed step of a launch points to what the host lacks") {
  CHECK(names(behind(LaunchStep::user_namespace, ENOSPC), HostNeed::namespace_limit));
  CHECK(names(behind(LaunchStep::clone, EPERM), HostNeed::namespaces));
  CHECK(names(behind(LaunchStep::id_map_mounts, EINVAL), HostNeed::id_mapped_mounts));
  CHECK(names(behind(LaunchStep::loopback, EPERM), HostNeed::capabilities));
  CHECK(names(behind(LaunchStep::seccomp, EINVAL), HostNeed::seccomp));
  CHECK(behind(LaunchStep::rlimits, EPERM).empty());
  CHECK(behind(LaunchStep::execve, EPERM).empty());
  CHECK(behind(LaunchStep::working_directory, ENOENT).empty());
}

TEST_CASE("a mount that fails is told by what was mounted") {
  const auto mount = [](MountAction action, int error_number) {
    return behind(LaunchStep::mount, error_number, action);
  };
  CHECK(names(mount(MountAction::overlay, ENODEV), HostNeed::overlay));
  CHECK(names(mount(MountAction::proc, EPERM), HostNeed::procfs));
  CHECK(names(mount(MountAction::devpts, ENODEV), HostNeed::small_file_systems));
  CHECK(names(mount(MountAction::mqueue, EACCES), HostNeed::small_file_systems));
  CHECK(names(mount(MountAction::bind, ENOSYS), HostNeed::kernel));
  CHECK(mount(MountAction::bind, ENOENT).empty());
  CHECK(mount(MountAction::overlay, ENOMEM).empty());
}

TEST_CASE("a refusal to a process that lacks a capability is the capability's") {
  const std::string words = host_need_behind(LaunchStep::loopback, {}, EPERM, "NET_ADMIN");
  CHECK(words.starts_with(
      "; this process is without NET_ADMIN; a sandbox cannot be started; fix: run as root"));
  CHECK(host_need_behind(LaunchStep::mount, MountAction::bind, ENOENT, "NET_ADMIN").empty());
  CHECK(host_need_behind(LaunchStep::execve, {}, EACCES, "NET_ADMIN").empty());
  const Error refused = with_host_need(system_error("fchownat", "tmp", EPERM), "CHOWN");
  CHECK(refused.text.starts_with(
      "fchownat 'tmp': operation not permitted (EPERM); this process is without CHOWN; a sandbox cannot"));
  CHECK(with_host_need(system_error("stat", "x", ENOENT), "CHOWN").text ==
        system_error("stat", "x", ENOENT).text);
}

TEST_CASE("the words of a need are said once, the nearest ones") {
  const Error error = with_need(system_error("mknod", "null", EPERM), HostNeed::devices);
  CHECK(with_host_need(error, "MKNOD").text == error.text);
  CHECK(with_need(Error{"x"}, HostNeed::none).text == "x");
  CHECK(with_host_need(system_error("mount_setattr", "", ENOSYS), "").text.find("run Linux 6.1") !=
        std::string::npos);
}

TEST_CASE("capabilities that a run needs are named in one order, KILL only where it is needed") {
  CHECK(lacking_capabilities(~0ULL, false).empty());
  CHECK(lacking_capabilities(0, true) ==
        "SYS_ADMIN, SETUID, SETGID, CHOWN, FOWNER, DAC_OVERRIDE, NET_ADMIN, MKNOD");
  CHECK(lacking_capabilities(0, false).ends_with(", MKNOD, KILL"));
}

}  // namespace sbx
