// The tree of files that a program sees: what is read-only, masked, missing or its own.
#include "isolation.h"

namespace sbx::test {
namespace {

struct Mount {
  std::string line;
  std::string root;  // its directory in the file system
  std::string target;
  std::string options;
  std::string type;
};

std::vector<Mount> mounts_of(const std::string& mountinfo) {
  std::vector<Mount> mounts;
  for (const std::string& line : lines_of(mountinfo)) {
    Mount mount{line, "", "", "", ""};
    std::istringstream words(line);
    std::string skipped;
    words >> skipped >> skipped >> skipped >> mount.root >> mount.target >> mount.options;
    while (words >> skipped && skipped != "-") {
    }
    words >> mount.type;
    mounts.push_back(mount);
  }
  return mounts;
}

bool has_option(const Mount& mount, const std::string& option) {
  return ("," + mount.options + ",").find("," + option + ",") != std::string::npos;
}

// The tree is built in other ways for a bind outside the writable places, and for a project.
std::vector<std::vector<std::string>> shapes() { return {{}, {bind_probes()}, {"--project=shape"}}; }

}  // namespace

TEST_CASE("the root, /usr, /etc, /dev and the rest of the system are read-only") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string script =
      "for d in / /usr /usr/bin /etc /dev /opt /var /run /mnt /home /srv /sys /workspace/project_files; do "
      "mkdir $d/new 2>&1; done; true 2>&1 >>/usr/bin/env; true 2>&1 >>/etc/passwd";
  for (const auto& shape : shapes()) {
    const auto lines = lines_of(said_inside(sandbox, script, shape));
    std::size_t refused = 0;
    for (const std::string& line : lines)
      refused += line.find("Read-only file system") != std::string::npos ? 1 : 0;
    // A thrown-away workspace takes writes everywhere.
    CHECK_MESSAGE(refused >= 14, said_inside(sandbox, script, shape));
    CHECK(lines.size() - refused <= 1);
  }
}

TEST_CASE("every mount is nosuid, and every one but those of device nodes nodev") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const auto& shape : shapes()) {
    const auto mounts = mounts_of(said_inside(sandbox, "cat /proc/self/mountinfo", shape));
    CHECK(mounts.size() > 10);
    for (const Mount& mount : mounts) {
      CHECK_MESSAGE(has_option(mount, "nosuid"), mount.line);
      // Our own /dev and what is bound from it: made by us, fixed, read-only; and the terminals.
      const bool nodes = mount.target == "/dev" || mount.root == "/null" || mount.type == "devpts";
      CHECK_MESSAGE((has_option(mount, "nodev") || nodes), mount.line);
      if (nodes) CHECK_MESSAGE((has_option(mount, "ro") || mount.type == "devpts"), mount.line);
    }
  }
}

TEST_CASE("nothing can be started from mounts of the kernel's own files and of devices") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  std::size_t found = 0;
  for (const Mount& mount : mounts_of(said_inside(sandbox, "cat /proc/self/mountinfo"))) {
    if (mount.type != "proc" && mount.target != "/dev" && !mount.target.starts_with("/dev/")) continue;
    CHECK_MESSAGE(has_option(mount, "noexec"), mount.line);
    ++found;
  }
  CHECK(found > 4);
}

TEST_CASE("no host path is seen in the mounts but where the kernel cannot hide it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const auto& shape : shapes()) {
    for (Mount mount : mounts_of(said_inside(sandbox, "cat /proc/self/mountinfo", shape))) {
      // The directory that a bind shows, as its own file system names it (proc(5), mountinfo, field 4).
      const std::size_t at = mount.line.find(" " + mount.root + " ");
      mount.line.erase(at, mount.root.size() + 1);
      CHECK_MESSAGE(mount.line.find(sandbox.directory()) == std::string::npos, mount.line);
      CHECK_MESSAGE(mount.line.find("stage") == std::string::npos, mount.line);
    }
  }
}

TEST_CASE("nothing in /proc can be written but what belongs to the sandbox's own processes") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  CHECK(probe_outside({"walk_for_writing", "/proc/sys/kernel"}).size() > 20);
  const Answers inside = probe_inside(sandbox, {"walk_for_writing", "/proc"});
  for (const auto& [path, result] : inside) {
    if (path != "tried") CHECK_MESSAGE(false, path << " could be opened for writing");
  }
  CHECK(std::stol(answer(inside, "tried")) > 300);
}

TEST_CASE("/sys is empty") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  CHECK(said_inside(sandbox, "ls -A /sys && echo end") == "end");
}

TEST_CASE("/dev holds the harmless nodes and they work") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string nodes =
      said_inside(sandbox, "cd /dev; find . -mindepth 1 -type b -o -type c | sort | tr '\\n' ' '");
  CHECK(nodes == "./full ./null ./pts/ptmx ./random ./tty ./urandom ./zero");
  CHECK(said_inside(sandbox, "ls -A /dev | tr '\\n' ' '") ==
        "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero");
  CHECK(said_inside(sandbox,
                    "stat -c '%t:%T' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty | "
                    "tr '\\n' ' '") == "1:3 1:5 1:7 1:8 1:9 5:0");
  const std::string script =
      "echo x >/dev/null && echo null; head -c 9 /dev/zero | wc -c; head -c 9 /dev/urandom | wc -c; "
      "head -c 9 /dev/random | wc -c; dd if=/dev/zero of=/dev/full count=1 2>&1 | grep -c 'No space'; "
      "sh -c 'echo out >/dev/stdout' | cat; echo in | cat /dev/stdin; sh -c ': </dev/tty' 2>&1 | grep -c 'No "
      "such'";
  CHECK(said_inside(sandbox, script) == "null\n9\n9\n9\n1\nout\nin\n1");
}

TEST_CASE("writable are /tmp, /var/tmp, /dev/shm, HOME and the workspace") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string script =
      "for d in /tmp /var/tmp /dev/shm $HOME /workspace/agent_workspace /workspace/outputs; do "
      "echo x >$d/new && cat $d/new; done; echo $HOME; stat -c %a /tmp /var/tmp /dev/shm $HOME | tr '\\n' ' "
      "'";
  for (const auto& shape : shapes()) {
    CHECK(said_inside(sandbox, script, shape) == "x\nx\nx\nx\nx\nx\n/home/sandbox\n1777 1777 1777 700");
  }
}

TEST_CASE("nothing of the host's homes, /var and secrets is there") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  CHECK(said_inside(sandbox, "ls -A /home") == "sandbox");
  CHECK(said_inside(sandbox, "ls -A /home/sandbox /root 2>/dev/null | grep -v :") == "");
  CHECK(said_inside(sandbox, "find /var /run /srv /mnt /opt -mindepth 1") == "/var/tmp");
  // Where the test's own files are on the host.
  write_file(sandbox.directory() + "/canary", "secret");
  CHECK(said_inside(sandbox, "cat " + sandbox.directory() + "/canary; ls -A /var/tmp") == "");
}

TEST_CASE("the root is a thrown-away copy where the policy says writable_root") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const auto root_mount = [&](const std::string& policy) {
    for (const Mount& mount :
         mounts_of(said_inside(sandbox, "cat /proc/self/mountinfo", {"--policy=" + policy}))) {
      if (mount.target == "/") return mount;
    }
    return Mount{};
  };
  CHECK(has_option(root_mount("default"), "ro"));
  CHECK(has_option(root_mount("strict"), "ro"));
  CHECK(has_option(root_mount("permissive"), "rw"));
  // In the image `host` all of it belongs to root, and /usr is the host's own: sbxctl_images_test.cc has an
  // image with a directory that the workload may write to.
  const auto check_refused = [&](const std::string& policy, const std::string& reason) {
    const std::string script = "for f in /new /etc/new /opt/new; do touch $f 2>&1; done";
    const auto lines = lines_of(said_inside(sandbox, script, {"--policy=" + policy}));
    CHECK(lines.size() == 3);
    for (const std::string& line : lines) CHECK_MESSAGE(line.ends_with(reason), line);
  };
  check_refused("permissive", "Permission denied");
  check_refused("default", "Read-only file system");
  CHECK(said_inside(sandbox, "touch /usr/new 2>&1", {"--policy=permissive"})
            .ends_with("Read-only file system"));
}

}  // namespace sbx::test
