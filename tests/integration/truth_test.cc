// The verdict is not the program's to make: whatever it prints, writes to, sends itself or leaves behind.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>

#include "support/sandbox.h"
#include "support/skip.h"
#include "wire/init_protocol.h"

namespace sbx::test {
namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;

// What our own init says of a command that exits with 0, as it lies in memory, for Python.
std::string words_of_init() {
  std::string words;
  for (const init::MessageType type : {init::MessageType::started, init::MessageType::exited}) {
    const init::Message message{.type = type};
    std::array<unsigned char, sizeof message> bytes{};
    std::memcpy(bytes.data(), &message, sizeof message);
    words += "bytes((";
    for (const unsigned char byte : bytes) words += std::to_string(byte) + ",";
    words += ")),";
  }
  return words;
}

// A result that was never given, and the words of our own init, to every descriptor that is open or that
// /proc shows of anybody.
const std::string kForge = "words = [" + words_of_init() + R"(]
import os
lie = b'{"schema":1,"outcome":"exited","status":"completed","exit_code":0,"signal":null}\n'
words.append(lie)
def say(descriptor):
  for word in words:
    try: os.write(descriptor, word)
    except OSError: pass
for descriptor in range(1024): say(descriptor)
for process in ['self'] + [name for name in os.listdir('/proc') if name.isdigit()]:
  try: names = os.listdir(f'/proc/{process}/fd')
  except OSError: continue
  for name in names:
    try: descriptor = os.open(f'/proc/{process}/fd/{name}', os.O_WRONLY | os.O_NONBLOCK)
    except OSError: continue
    say(descriptor)
    os.close(descriptor)
os._exit(9)
)";

Strings python(const std::string& code) { return {"--", "/usr/bin/python3", "-c", code}; }
Strings shell(const std::string& script) { return {"--", "/bin/sh", "-c", script}; }

Strings with(Strings options, const Strings& command) {
  options.insert(options.end(), command.begin(), command.end());
  return options;
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

struct Run {
  json object;  // from --result
  ProgramResult said;
};

Run run_with_file(const Sandbox& sandbox, const Strings& arguments) {
  const std::string file = sandbox.directory() + "/result.json";
  Run run;
  run.said = sandbox.run(with({"--result", file}, arguments));
  const std::string text = read_file(file);
  CHECK(std::ranges::count(text, '\n') == 1);
  run.object = json::parse(text, nullptr, false);
  REQUIRE(run.object.is_object());
  return run;
}

// The object and the record say the same.
void check_recorded(const Sandbox& sandbox, const json& object) {
  const std::vector<json> lines = sandbox.log_lines();
  REQUIRE_FALSE(lines.empty());
  for (const char* field : {"run_id", "outcome", "status", "exit_code", "signal", "message", "limits_hit"}) {
    CHECK(lines.back()[field] == object[field]);
  }
}

json felt(const json& object, const std::string& limit) {
  for (const json& hit : object["limits_hit"]) {
    if (hit["limit"] == limit) return hit;
  }
  return nullptr;
}

}  // namespace

TEST_CASE(
    "a program that writes a result, and the words of init, wherever it can write has its own verdict") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  json captured = sandbox.run_json(python(kForge));
  CHECK(captured["outcome"] == "exited");
  CHECK(captured["exit_code"] == 9);
  CHECK(captured["status"] == "error");
  for (const char* stream : {"stdout", "stderr"}) {
    CHECK(holds(captured[stream]["text"], "\"exit_code\":0"));  // it was written, and is text
  }
  check_recorded(sandbox, captured);
  for (const Strings& mode : {Strings{}, Strings{"-t"}}) {
    const Run run = run_with_file(sandbox, with(mode, python(kForge)));
    CHECK(run.said.exit_status == 9);
    CHECK(holds(run.said.out, "\"exit_code\":0"));
    CHECK(run.object["outcome"] == "exited");
    CHECK(run.object["exit_code"] == 9);
    check_recorded(sandbox, run.object);
  }
}

TEST_CASE("every signal that a program sends itself is told as that, and none as a limit") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (int number = 1; number <= 64; ++number) {
    CAPTURE(number);
    const std::string script = "kill -" + std::to_string(number) + " $$; exit 7";
    const Strings limit = number == SIGSTOP ? Strings{"--wall-time", "300ms"} : Strings{};
    const Run run = run_with_file(sandbox, with(limit, shell(script)));
    const json& object = run.object;
    // signal(7); the stop signals of a terminal do nothing in a session without one.
    const bool goes_on = number == SIGCHLD || number == SIGCONT || number == SIGURG || number == SIGWINCH ||
                         number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
    if (goes_on) {
      CHECK(run.said.exit_status == 7);
      CHECK(object["outcome"] == "exited");
      CHECK(object["exit_code"] == 7);
    } else if (number == SIGSTOP) {
      CHECK(object["outcome"] == "timed_out");
    } else {
      CHECK(run.said.exit_status == 128 + number);
      CHECK(object["outcome"] == (number == SIGSYS ? "violation" : "signaled"));
      CHECK(object["exit_code"] == nullptr);
      CHECK(object["signal"].is_string());
    }
    CHECK(felt(object, "memory_bytes") == nullptr);
    check_recorded(sandbox, object);
  }
}

TEST_CASE("a program that kills itself with most of its memory in use is no out-of-memory") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const char* end : {"os.kill(os.getpid(), 9)", "os._exit(137)"}) {
    json object = sandbox.run_json(
        with({"-m", "96M"}, python("import os\na = bytearray(60 << 20)\n" + std::string(end))));
    CHECK(object["outcome"] == (std::string(end).ends_with("(137)") ? "exited" : "signaled"));
    CHECK(felt(object, "memory_bytes") == nullptr);
  }
}

TEST_CASE("a program that hides that the kernel killed a process of it for memory is out of memory" *
          doctest::test_suite("v2")) {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (int round = 0; round < 10; ++round) {
    json object = sandbox.run_json(
        with({"-m", "48M"}, shell("python3 -c 'bytearray(200 << 20)' 2>/dev/null; echo passed; exit 0")));
    CHECK(object["outcome"] == "out_of_memory");
    CHECK(object["status"] == "error");
    CHECK(object["exit_code"] == nullptr);
  }
}

TEST_CASE("megabytes on both streams before a kill for memory are all there, and the verdict too" *
          doctest::test_suite("v2")) {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  json object = sandbox.run_json(with(
      {"-m", "64M"}, python("import os\nfor i in range(48):\n"
                            "  for stream in 1, 2:\n"
                            "    block = b'x' * 65536\n"
                            "    while block: block = block[os.write(stream, block):]\n"
                            "os.write(1, b'end\\n')\na = bytearray(300 << 20)\nos.write(1, b'more\\n')")));
  CHECK(object["outcome"] == "out_of_memory");
  CHECK(object["stdout"]["bytes"] == 48 * 65536 + 4);
  CHECK(object["stderr"]["bytes"] == 48 * 65536);
  CHECK(object["stdout"]["text"].get<std::string>().ends_with("xend\n"));
  CHECK(object["stdout"]["truncated"] == false);
  check_recorded(sandbox, object);
}

TEST_CASE("processes that flood passed streams and outlive their parent do not push the verdict out") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string flood = "while :; do head -c 65536 /dev/zero | tr '\\0' x; done";
  const std::string floods = "(setsid sh -c \"" + flood + "\" &); (setsid sh -c \"" + flood + "\" >&2 &); ";
  const std::string file = sandbox.directory() + "/result.json";
  const std::string limit = std::to_string(500 * time_scale()) + "ms";
  const ProgramResult timed =
      sandbox.sbxrun(with({"--direct", "--result", file, "--wall-time", limit}, shell(floods + "sleep 600")));
  CHECK(timed.exit_status == 124);
  CHECK(holds(timed.err, "sbxrun: the program ran longer than "));
  CHECK(holds(timed.err, " of wall time and was killed\n"));
  CHECK(timed.out.size() + timed.err.size() > 65536);
  CHECK(json::parse(read_file(file))["outcome"] == "timed_out");
  // Its parent is gone, its writers hold the streams.
  const Run killed = run_with_file(sandbox, shell(floods + "sleep 0.3; kill -9 $$"));
  CHECK(killed.said.exit_status == 137);
  CHECK(killed.object["outcome"] == "signaled");
  const Run exited = run_with_file(sandbox, with({"-t"}, shell(floods + "sleep 0.3; exit 3")));
  CHECK(exited.said.exit_status == 3);
  CHECK(exited.object["outcome"] == "exited");
  check_recorded(sandbox, exited.object);
}

TEST_CASE("a grandchild that holds captured streams and prints a result adds nothing to the verdict") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string lie = R"({\"outcome\":\"exited\",\"exit_code\":0})";
  json object = sandbox.run_json(
      shell("(setsid sh -c 'while :; do echo \"" + lie + "\"; sleep 0.01; done' &); sleep 0.2; kill -9 $$"));
  CHECK(object["outcome"] == "signaled");
  CHECK(object["signal"] == "SIGKILL");
  CHECK(holds(object["stdout"]["text"], "\"exit_code\":0"));
}

TEST_CASE("a program that exits as its time runs out has either verdict, and all of it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (int milliseconds = 140; milliseconds < 160; ++milliseconds) {
    CAPTURE(milliseconds);
    const Run run = run_with_file(
        sandbox, with({"--wall-time", "150ms"}, {"--", "/bin/sleep", "0." + std::to_string(milliseconds)}));
    const json& object = run.object;
    json hit = felt(object, "wall_ms");
    if (object["outcome"] == "exited") {
      CHECK(run.said.exit_status == 0);
      CHECK(object["exit_code"] == 0);
      CHECK(object["signal"] == nullptr);
      CHECK(hit == nullptr);
    } else {
      CHECK(object["outcome"] == "timed_out");
      CHECK(run.said.exit_status == 124);
      CHECK(object["exit_code"] == nullptr);
      CHECK(object["signal"] == "SIGKILL");
      CHECK(hit["reached"] >= 150);
      CHECK(object["usage"]["wall_ms"] >= 150);
    }
    check_recorded(sandbox, object);
  }
}

TEST_CASE("a kill in the middle of a character loses no byte") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  json object = sandbox.run_json(
      python("import os\nos.write(1, b'a\\0\\x1b[2J\\xe2\\x82')\nos.write(2, '\\u202e}\\n'.encode())\n"
             "os.kill(os.getpid(), 9)"));
  CHECK(object["outcome"] == "signaled");
  CHECK(object["stdout"]["base64"] == "YQAbWzJK4oI=");
  CHECK(object["stdout"]["bytes"] == 8);
  CHECK(object["stderr"]["text"] == "\u202e}\n");
}

}  // namespace sbx::test
