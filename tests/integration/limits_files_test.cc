// Limits of descriptors, files and the file systems in memory: felt inside as the error that programs know,
// and told outside.
#include <doctest/doctest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

json run(const Sandbox& sandbox, Strings options, const Strings& command, ProgramOptions program = {}) {
  options.emplace_back("--");
  options.insert(options.end(), command.begin(), command.end());
  return sandbox.run_json(options, std::move(program));
}

Strings python(const std::string& code) { return {"/usr/bin/python3", "-c", code}; }
Strings shell(const std::string& script) { return {"/bin/sh", "-c", script}; }

json felt(const json& object, const std::string& limit) {
  for (const json& hit : object["limits_hit"]) {
    if (hit["limit"] == limit) return hit;
  }
  return nullptr;
}

// Opens descriptors until it fails; prints the highest number and errno.
const std::string kOpenAll =
    "import os\nhighest = 0\n"
    "try:\n"
    "  while True: highest = os.open('/dev/null', os.O_RDONLY)\n"
    "except OSError as error: print(highest, error.errno)";

ProgramOptions with_hard_nofile(rlim_t limit, bool without_capability) {
  ProgramOptions program;
  program.before_exec = [limit, without_capability] {
    const rlimit wanted{limit, limit};
    if (setrlimit(RLIMIT_NOFILE, &wanted) != 0) _exit(99);
    if (without_capability && prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE, 0, 0, 0) != 0) _exit(99);
  };
  return program;
}

}  // namespace

TEST_SUITE_BEGIN("v2");

TEST_CASE("nofile: as many descriptors as granted, and the limit cannot be raised inside") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const Strings& options : {Strings{"--nofile", "50"}, Strings{"--ulimit", "nofile=50"}}) {
    CHECK(run(sandbox, options, python(kOpenAll))["stdout"]["text"] == "49 24\n");  // EMFILE
  }
  const json raised =
      run(sandbox, {"--nofile", "50"}, shell("ulimit -Sn; ulimit -Hn; ulimit -n 51 || echo refused"));
  CHECK(raised["stdout"]["text"] == "50\n50\nrefused\n");
}

TEST_CASE("nofile: the least that can be asked for is enough for every launch") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  Strings options{"--nofile", "16", "--project", "p", "--here"};
  for (int i = 0; i < 20; ++i)
    options.insert(options.end(), {"--bind", "/usr/bin:/mnt/" + std::to_string(i)});
  CHECK(run(sandbox, {"--nofile", "16"}, shell("ulimit -Hn"))["stdout"]["text"] == "16\n");
  CHECK(run(sandbox, options, shell("ulimit -Hn"))["stdout"]["text"] == "16\n");
}

TEST_CASE("nofile: lowered to what the host allows and shown so, never raised") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const bool without_capability : {false, true}) {
    const json object =
        run(sandbox, {"--nofile", "1000"}, python(kOpenAll), with_hard_nofile(200, without_capability));
    CHECK(object["limits"]["nofile"] == 200);
    CHECK(object["stdout"]["text"] == "199 24\n");
  }
}

TEST_CASE("every shipped policy works for a root without CAP_SYS_RESOURCE under a hard nofile of 4096") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const char* policy : {"strict", "default", "permissive"}) {
    const json object = run(sandbox, {"--policy", policy}, shell("ulimit -Hn"), with_hard_nofile(4096, true));
    INFO("result: " << object["message"]);
    CHECK(object["outcome"] == "exited");
    CHECK(object["stdout"]["text"] == object["limits"]["nofile"].dump() + "\n");
  }
}

TEST_CASE("fsize: a file grows to the limit and no further") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json object = run(sandbox, {"--fsize", "64K"},
                          shell("head -c 1M /dev/zero > /tmp/file; echo $?; stat -c %s /tmp/file"));
  CHECK(object["stdout"]["text"] == "153\n65536\n");  // 128 + SIGXFSZ
  const json raised =
      run(sandbox, {"--fsize", "64K"}, shell("ulimit -Hf; ulimit -f unlimited 2>/dev/null || echo refused"));
  CHECK(raised["stdout"]["text"] == "128\nrefused\n");  // blocks of 512 bytes
  // Who ignores the signal gets the error.
  const json ignored = run(sandbox, {"--ulimit", "fsize=64K"},
                           python("import signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
                                  "try:\n  open('/tmp/file', 'wb', 0).write(b'x' * 70000) and "
                                  "open('/tmp/file', 'ab', 0).write(b'x')\n"
                                  "except OSError as error: print(error.errno)"));
  CHECK(ignored["stdout"]["text"] == "27\n");  // EFBIG
}

TEST_CASE("fsize: a program that ends by it is ended by SIGXFSZ, and the limit is listed") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json object = run(sandbox, {"--fsize", "64K"}, shell("exec head -c 1M /dev/zero > /tmp/file"));
  CHECK(object["outcome"] == "signaled");
  CHECK(object["signal"] == "SIGXFSZ");
  CHECK(felt(object, "fsize_bytes")["value"] == 65536);
}

TEST_CASE("core files are never written") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json object =
      run(sandbox, {}, shell("ulimit -c unlimited; ulimit -Hc; sh -c 'kill -SEGV $$'; ls -A"));
  CHECK(object["stdout"]["text"] == "0\n");
}

TEST_CASE("tmp: HOME, /tmp, /var/tmp and /dev/shm are full together, and the full one is told") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json object =
      run(sandbox, {"--tmp", "4M"},
          shell("head -c 3M /dev/zero > /tmp/a && echo fits; head -c 3M /dev/zero > /var/tmp/b || echo full;"
                "echo x > ~/c || echo full; echo x > /dev/shm/d || echo full; "
                "head -c 8M /dev/zero > /workspace/outputs/e && echo apart; stat -c %s /var/tmp/b"));
  INFO("result: " << object.dump());
  CHECK(object["stdout"]["text"].get<std::string>().starts_with("fits\nfull\nfull\nfull\napart\n"));
  CHECK(holds(object["stderr"]["text"], "No space left on device"));
  CHECK(object["outcome"] == "exited");
  CHECK(felt(object, "tmp_bytes")["value"] == 4 << 20);
  CHECK(felt(object, "disk_bytes") == nullptr);
}

TEST_CASE("disk: a thrown-away workspace has its size, and the full one is told") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json object =
      run(sandbox, {"--disk", "4M"},
          shell("head -c 3M /dev/zero > a && echo fits; head -c 3M /dev/zero > ../outputs/b || echo full;"
                "head -c 8M /dev/zero > /tmp/c && echo apart"));
  CHECK(object["stdout"]["text"] == "fits\nfull\napart\n");
  CHECK(object["outcome"] == "exited");
  CHECK(felt(object, "disk_bytes")["value"] == 4 << 20);
  CHECK(felt(object, "tmp_bytes") == nullptr);
}

TEST_CASE("disk: what is written over a copy-on-write view counts") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  ProgramOptions program;
  program.directory = sandbox.directory();
  const json here =
      run(sandbox, {"--disk", "4M", "--here=cow"}, shell("head -c 8M /dev/zero > a || echo full"), program);
  CHECK(here["stdout"]["text"] == "full\n");
  CHECK(felt(here, "disk_bytes")["value"] == 4 << 20);
  const json project = run(sandbox, {"--disk", "4M", "--project", "alpha", "--workspace-mode", "ephemeral"},
                           shell("head -c 8M /dev/zero > a || echo full"));
  CHECK(project["stdout"]["text"] == "full\n");
  CHECK(felt(project, "disk_bytes")["value"] == 4 << 20);
}

TEST_CASE("disk: the writable root of a policy is as large as disk") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Strings command =
      shell("grep -c ' / overlay rw,' /proc/mounts; df -B1 --output=size / | tail -1 | tr -d ' '");
  const json writable = run(sandbox, {"--policy", "permissive", "--disk", "4M"}, command);
  CHECK(writable["stdout"]["text"] == "1\n4194304\n");
  CHECK(writable["controls"]["root"] != "read-only");
  const json usual = run(sandbox, {}, shell("grep -c ' / .* rw,' /proc/mounts"));
  CHECK(usual["stdout"]["text"] == "0\n");
  CHECK(usual["controls"]["root"] == "read-only");
}

TEST_CASE("inodes: exactly as many files as granted in each of the two places") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const char* place : {"/tmp", "/workspace/agent_workspace"}) {
    const json object = run(sandbox, {"--inodes", "100", "--cwd", place},
                            python("made = 0\n"
                                   "try:\n"
                                   "  while made < 1000: open(str(made), 'x').close(); made += 1\n"
                                   "except OSError as error: print(made, error.errno)"));
    INFO("result: " << object.dump());
    CHECK(object["stdout"]["text"] == "100 28\n");  // ENOSPC
    CHECK(object["outcome"] == "exited");
    CHECK(felt(object, "inodes")["value"] == 100);
  }
}

TEST_CASE("a limit that was never reached is not listed") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json object = run(
      sandbox,
      {"--tmp", "4M", "--disk", "4M", "--inodes", "100", "--fsize", "2M", "--nofile", "64", "--pids", "20"},
      shell("head -c 1M /dev/zero > /tmp/a; head -c 1M /dev/zero > b; sleep 0.1 & wait"));
  CHECK(object["outcome"] == "exited");
  for (const json& hit : object["limits_hit"]) CHECK_MESSAGE(hit["limit"] == "cpus", hit.dump());
}

TEST_SUITE_END();

}  // namespace sbx::test
