// Limits of memory, processes, CPU and time are real: reached inside, felt there, and told outside.
// Those of files: limits_files_test.cc.
#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>

#include "support/process_tree.h"
#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;

json run(const Sandbox& sandbox, Strings options, const Strings& command) {
  options.emplace_back("--");
  options.insert(options.end(), command.begin(), command.end());
  json object = sandbox.run_json(options);
  return object;
}

Strings python(const std::string& code) { return {"/usr/bin/python3", "-c", code}; }
Strings shell(const std::string& script) { return {"/bin/sh", "-c", script}; }

json felt(const json& object, const std::string& limit) {
  for (const json& hit : object["limits_hit"]) {
    if (hit["limit"] == limit) return hit;
  }
  return nullptr;
}

void check_out_of_memory(const json& object, long long limit) {
  INFO("result: " << object.dump());
  CHECK(object["outcome"] == "out_of_memory");
  CHECK(felt(object, "memory_bytes")["value"] == limit);
}

// What the groups of a sandbox that runs say in `file`, in every hierarchy that has it.
std::vector<std::string> in_its_groups(const std::string& name, const std::string& file) {
  std::vector<std::string> values;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator("/sys/fs/cgroup", error)) {
    if (entry.path().filename() != name || !std::filesystem::exists(entry.path() / file)) continue;
    const std::string text = read_file(entry.path() / file);
    values.push_back(text.substr(0, text.find('\n')));
  }
  return values;
}

std::string seconds(int count) { return std::to_string(count * time_scale()) + "s"; }

}  // namespace

TEST_SUITE_BEGIN("v2");

TEST_CASE("memory: pages of a process, a shared mapping, a memfd and files in /tmp all count") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Strings limit{"-m", "48M"};
  check_out_of_memory(run(sandbox, limit, python("a = bytearray(200 << 20)")), 48 << 20);
  check_out_of_memory(run(sandbox, limit,
                          python("import mmap\nm = mmap.mmap(-1, 200 << 20)\n"
                                 "for at in range(0, 200 << 20, 4096): m[at] = 1")),
                      48 << 20);
  check_out_of_memory(run(sandbox, limit,
                          python("import os\nf = os.memfd_create('x')\n"
                                 "for i in range(200): os.write(f, b'x' * (1 << 20))")),
                      48 << 20);
  for (const char* place : {"/tmp", "/var/tmp", "/dev/shm", "$HOME", "/workspace/outputs"}) {
    const std::string script = std::string("head -c 200M /dev/zero > ") + place + "/file; sleep 600";
    check_out_of_memory(run(sandbox, limit, shell(script)), 48 << 20);
  }
}

TEST_CASE("memory: many small processes are counted together") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json object = run(sandbox, {"-m", "64M"},
                          python("import os, time\n"
                                 "for i in range(20):\n"
                                 "  if os.fork() == 0: a = bytearray(8 << 20); time.sleep(600)\n"
                                 "time.sleep(600)"));
  check_out_of_memory(object, 64 << 20);
}

TEST_CASE("memory: what does not fit is not put into swap, whether the host has any or not") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string mark = unique_duration();
  Strings swap_v2;
  Strings with_swap_v1;
  ProgramOptions options;
  options.after_start = [&](pid_t sbxrun) {
    CHECK(wait_until(milliseconds(10'000), [&] { return runs_inside(mark); }));
    const std::string groups =
        read_file("/proc/" + std::to_string(find_program(sbxrun, Program::init)) + "/cgroup");
    const std::string name = groups.substr(std::min(groups.find("sbx-"), groups.size()), 40);
    swap_v2 = in_its_groups(name, "memory.swap.max");
    with_swap_v1 = in_its_groups(name, "memory.memsw.limit_in_bytes");
    (void)kill(sbxrun, SIGTERM);
  };
  CHECK(sandbox.run({"-m", "64M", "--", "/bin/sleep", mark}, options).exit_status == 143);
  SKIP_UNLESS(!swap_v2.empty() || !with_swap_v1.empty(), "this kernel does not count swap");
  for (const std::string& value : swap_v2) CHECK(value == "0");
  for (const std::string& value : with_swap_v1) CHECK(value == "67108864");
}

TEST_CASE("memory: a program that stays below is left alone, and reading a large file is no hog") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  CHECK(run(sandbox, {"-m", "64M"}, python("a = bytearray(20 << 20)"))["outcome"] == "exited");
  const std::string file = sandbox.directory() + "/large";
  write_file(file, "");
  REQUIRE(truncate(file.c_str(), 200 << 20) == 0);
  const json object =
      run(sandbox, {"-m", "32M", "--bind", file + ":/large"}, {"/usr/bin/wc", "-c", "/large"});
  CHECK(object["outcome"] == "exited");
  const json read = run(sandbox, {"-m", "32M", "--bind", file + ":/large"}, shell("cat /large | wc -c"));
  INFO("result: " << read.dump());
  CHECK(read["outcome"] == "exited");
  CHECK(read["stdout"]["text"] == "209715200\n");
  CHECK(felt(read, "memory_bytes") == nullptr);
}

TEST_CASE("memory: a limit that not even the start fits in is a verdict of its own") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const char* least : {"1", "4K", "64K"}) {
    const json object = run(sandbox, {"-m", least}, {"/bin/true"});
    INFO("result: " << object.dump());
    CHECK((object["outcome"] == "out_of_memory" || object["outcome"] == "setup_failed"));
  }
}

TEST_CASE("pids: exactly as many processes as granted, and the program feels the rest as an error") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json object = run(sandbox, {"--pids", "20"},
                          python("import os, time\nmade = 1\n"
                                 "try:\n"
                                 "  while made < 500:\n"
                                 "    if os.fork() == 0: time.sleep(600)\n"
                                 "    made += 1\n"
                                 "except OSError as error: print(made, error.errno)"));
  INFO("result: " << object.dump());
  CHECK(object["outcome"] == "exited");
  CHECK(object["stdout"]["text"] == "20 11\n");  // EAGAIN
  const json hit = felt(object, "pids");
  CHECK(hit["value"] == 20);
  CHECK((hit["reached"].is_null() || hit["reached"] == 20));
  CHECK((object["usage"]["pids_peak"].is_null() || object["usage"]["pids_peak"] == 20));
}

TEST_CASE("pids: threads count, too") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json object = run(sandbox, {"--pids", "20"},
                          python("import threading, time, os\nmade = 1\n"
                                 "try:\n"
                                 "  while made < 500:\n"
                                 "    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
                                 "    made += 1\n"
                                 "except RuntimeError: print(made, flush=True)\n"
                                 "os._exit(0)"));
  CHECK(object["stdout"]["text"] == "20\n");
  CHECK(felt(object, "pids")["value"] == 20);
}

TEST_CASE("pids: one is enough for one program") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json object = run(sandbox, {"--pids", "1"}, {"/bin/echo", "alone"});
  CHECK(object["stdout"]["text"] == "alone\n");
  CHECK_MESSAGE(nothing_felt(object), object["limits_hit"].dump());
}

TEST_CASE("pids: a fork bomb goes off inside and is gone at the end") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json object = run(sandbox, {"--pids", "40", "--wall-time", seconds(2)},
                          shell("bomb() { bomb | bomb; }; bomb 2>/dev/null & exec sleep 600"));
  INFO("result: " << object["message"]);
  CHECK(object["outcome"] == "timed_out");
  CHECK(felt(object, "pids")["value"] == 40);
  CHECK(sandbox.leftovers().empty());
}

TEST_CASE("cpus: a busy program is held back, which is felt but ends nothing") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string busy = "import time\nwhile time.process_time() < 0.2: pass";
  const json object = run(sandbox, {"--cpus", "0.2"}, python(busy));
  INFO("result: " << object.dump());
  CHECK(object["outcome"] == "exited");
  CHECK(felt(object, "cpus")["value"] == 0.2);
  CHECK((object["usage"]["throttled_ms"].is_null() || object["usage"]["throttled_ms"] > 0));
  CHECK(object["usage"]["wall_ms"] > 400);  // 0.2 s of CPU at a fifth of one
}

TEST_CASE("cpus: a program that sleeps feels nothing") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json object = run(sandbox, {"--cpus", "1"}, {"/bin/sleep", "0.2"});
  CHECK_MESSAGE(nothing_felt(object), object["limits_hit"].dump());
  CHECK((time_scale() > 1 || object["usage"]["throttled_ms"].is_null() ||
         object["usage"]["throttled_ms"] == 0));
}

TEST_CASE("cpu time: the sum over processes that run at once, none of which reaches it alone") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json object = run(sandbox, {"--cpu-time", "600ms", "--cpus", "2"},
                          python("import os, time\n"
                                 "for i in range(8):\n"
                                 "  if os.fork() == 0:\n"
                                 "    start = time.process_time()\n"
                                 "    while time.process_time() - start < 0.2: pass\n"
                                 "    os._exit(0)\n"
                                 "for i in range(8): os.wait()\nprint('all done')"));
  INFO("result: " << object.dump());
  CHECK(object["outcome"] == "cpu_time_exceeded");
  CHECK(felt(object, "cpu_ms")["reached"] >= 600);
  CHECK(object["stdout"]["text"] == "");
}

TEST_CASE("cpu time: the sum over processes that ran one after another") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json object = run(sandbox, {"--cpu-time", "600ms"},
                          python("import os, time\n"
                                 "for i in range(50):\n"
                                 "  if os.fork() == 0:\n"
                                 "    start = time.process_time()\n"
                                 "    while time.process_time() - start < 0.1: pass\n"
                                 "    os._exit(0)\n"
                                 "  os.wait()\nprint('all done')"));
  CHECK(object["outcome"] == "cpu_time_exceeded");
  CHECK(object["stdout"]["text"] == "");
}

TEST_CASE("cpu time: sleeping costs none") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string limit = std::to_string(300 * time_scale()) + "ms";
  CHECK(run(sandbox, {"--cpu-time", limit}, {"/bin/sleep", "1"})["outcome"] == "exited");
}

TEST_CASE("wall time: also children that went into sessions of their own are gone at the end") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json object =
      run(sandbox, {"--wall-time", seconds(1)}, shell("setsid sleep 600 & (setsid sleep 600 &) ; sleep 600"));
  CHECK(object["outcome"] == "timed_out");
  CHECK(sandbox.leftovers().empty());
}

TEST_CASE("the limits of a policy hold without any flag") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json object = run(sandbox, {"--policy", "strict"}, python("a = bytearray(400 << 20)"));
  check_out_of_memory(object, 256 << 20);
  const json forks = run(sandbox, {"--policy", "strict"},
                         python("import os, time\nmade = 1\n"
                                "try:\n"
                                "  while made < 500:\n"
                                "    if os.fork() == 0: time.sleep(600)\n"
                                "    made += 1\n"
                                "except OSError: print(made)"));
  CHECK(forks["stdout"]["text"] == "64\n");
}

TEST_SUITE_END();

}  // namespace sbx::test
