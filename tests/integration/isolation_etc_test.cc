// The image `host`: a synthetic /etc that programs can live with, and nothing in it that is the host's own.
#include <filesystem>

#include "isolation.h"

namespace sbx::test {
namespace {

namespace fs = std::filesystem;

}  // namespace

TEST_CASE("names of users, groups and hosts resolve") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  CHECK(said_inside(sandbox, "getent passwd 1000") == "sandbox:x:1000:1000:sandbox:/home/sandbox:/bin/bash");
  CHECK(said_inside(sandbox, "getent passwd | cut -d: -f1 | tr '\\n' ' '") == "root sandbox nobody");
  CHECK(said_inside(sandbox, "getent group 1000") == "sandbox:x:1000:");
  CHECK(said_inside(sandbox, "getent hosts 127.0.0.1").find("localhost sandbox") != std::string::npos);
  CHECK(said_inside(sandbox, "getent hosts ::1").find("localhost") != std::string::npos);
  CHECK(said_inside(sandbox, "cat /etc/hostname") == "sandbox");
}

TEST_CASE("the linker's cache, the time zone, certificates and alternatives are the host's") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const char* file : {"/etc/ld.so.cache", "/etc/localtime", "/etc/ssl/certs/ca-certificates.crt",
                           "/etc/services", "/etc/os-release", "/etc/nsswitch.conf"}) {
    const std::string path = file;
    if (!fs::exists(path)) continue;
    CHECK_MESSAGE(said_inside(sandbox, "test -s " + path + " && echo there") == "there", path);
  }
  ProgramOptions options;
  options.unset = {"TZ"};
  CHECK(said_inside(sandbox, "date +%Z") + "\n" == run_program({"/bin/date", "+%Z"}, options).out);
  // Every program that is an alternative on the host runs through the same links inside.
  CHECK(said_inside(sandbox,
                    "for l in /usr/bin/*; do case $(readlink $l) in /etc/alternatives/*) "
                    "test -e $l || echo broken $l;; esac; done") == "");
}

TEST_CASE("no secret of the host's /etc is there") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  CHECK(fs::exists("/etc/shadow"));
  CHECK(
      said_inside(sandbox,
                  "cd /etc; ls -d shadow* gshadow* ssh sudoers* ssl/private krb5* cron* passwd- subuid fstab "
                  "NetworkManager docker kubernetes sbx 2>/dev/null") == "");
  CHECK(said_inside(sandbox, "cat /etc/machine-id /etc/resolv.conf") == "");
  // Nothing came along that not everyone may read on the host.
  CHECK(said_inside(sandbox, "find /etc ! -type l ! -readable") == "");
  for (const std::string& name : lines_of(said_inside(sandbox, "find /etc -type f"))) {
    if (name == "/etc/passwd" || name == "/etc/group" || name == "/etc/hosts" || name == "/etc/hostname")
      continue;
    if (name == "/etc/nsswitch.conf" || name == "/etc/resolv.conf" || name == "/etc/machine-id") continue;
    std::error_code error;
    const auto mode = fs::status(name, error).permissions();
    CHECK_MESSAGE((mode & fs::perms::others_read) != fs::perms::none, name);
  }
}

TEST_CASE("what only root may read on the host's /usr cannot be read inside") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const auto hidden =
      lines_of(run_program({"/usr/bin/find", "/usr", "-xdev", "-type", "f", "!", "-perm", "/o=r"}).out);
  std::string script;
  for (std::size_t i = 0; i < hidden.size() && i < 20; ++i)
    script += "cat '" + hidden[i] + "' 2>/dev/null | head -c 1;";
  CHECK(said_inside(sandbox, script + "true") == "");
}

}  // namespace sbx::test
