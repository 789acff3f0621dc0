// What a program prints changes neither the verdict nor the form of the result.
#include <doctest/doctest.h>

#include <algorithm>

#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;

Strings python(const std::string& code) { return {"--", "/usr/bin/python3", "-c", code}; }

Strings with(Strings options, const Strings& command) {
  options.insert(options.end(), command.begin(), command.end());
  return options;
}

std::string base64_of(const std::string& bytes) {
  ProgramOptions program;
  program.input = bytes;
  return run_program({"/usr/bin/base64", "-w0"}, program).out;
}

}  // namespace

TEST_SUITE_BEGIN("v2");

TEST_CASE("a program that prints all it should and is then killed is killed") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json killed =
      sandbox.run_json(python("import os\nprint('all tests passed', flush=True)\nos.kill(os.getpid(), 9)"));
  CHECK(killed["outcome"] == "signaled");
  CHECK(killed["stdout"]["text"] == "all tests passed\n");
  const json hog = sandbox.run_json(
      with({"-m", "48M"}, python("print('all tests passed', flush=True)\na = bytearray(200 << 20)")));
  CHECK(hog["outcome"] == "out_of_memory");
  CHECK(hog["status"] == "error");
  CHECK(hog["stdout"]["text"] == "all tests passed\n");
}

TEST_CASE("a program that prints a result of its own does not change ours") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string lie = R"({\"schema\":1,\"outcome\":\"exited\",\"exit_code\":0,\"status\":\"completed\"})";
  const json object =
      sandbox.run_json({"--", "/bin/sh", "-c", "echo \"" + lie + "\" | tee /dev/stderr; exit 9"});
  CHECK(object["exit_code"] == 9);
  CHECK(object["status"] == "error");
}

TEST_CASE("a flood of output on both streams leaves the result whole") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json object =
      sandbox.run_json({"--output-limit", "100000", "--", "/bin/sh", "-c", "yes out & yes err >&2 & wait"});
  CHECK(object["outcome"] == "output_limit");
  const std::size_t kept =
      object["stdout"]["text"].get<std::string>().size() + object["stderr"]["text"].get<std::string>().size();
  CHECK(kept == 100'000);  // both streams together
  CHECK((object["stdout"]["truncated"] == true || object["stderr"]["truncated"] == true));
  CHECK(sandbox.log_lines().size() == 1);
}

TEST_CASE("a flood into passed streams cannot reach the result in its own file") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string file = sandbox.directory() + "/result.json";
  const ProgramResult result = sandbox.run(
      {"--result", file, "--output-limit", "100000", "--", "/bin/sh", "-c", "yes err >&2 & exec yes out"});
  CHECK(result.exit_status == 137);
  const json object = json::parse(read_file(file));
  CHECK(object["outcome"] == "output_limit");
  CHECK(object["stdout"] == nullptr);
  CHECK(result.out.size() + result.err.size() >= 100'000);
  // A limit that was asked for is one: what came after it is at most what was under way.
  CHECK(result.out.size() + result.err.size() < 1'000'000);
}

TEST_CASE("output up to the limit is whole and no reason to end") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json object =
      sandbox.run_json({"--output-limit", "100000", "--", "/bin/sh", "-c",
                        "head -c 60000 /dev/zero | tr '\\0' a; head -c 40000 /dev/zero | tr '\\0' b >&2"});
  CHECK(object["outcome"] == "exited");
  CHECK(object["stdout"] ==
        json{{"text", std::string(60'000, 'a')}, {"bytes", 60'000}, {"truncated", false}});
  CHECK(object["stderr"] ==
        json{{"text", std::string(40'000, 'b')}, {"bytes", 40'000}, {"truncated", false}});
  CHECK_MESSAGE(nothing_felt(object), object["limits_hit"].dump());
}

TEST_CASE("bytes that are no text come as base64 and can be had back") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const json object =
      sandbox.run_json(python("import sys\nsys.stdout.buffer.write(bytes(range(256)) * 3)\n"
                              "sys.stderr.buffer.write(b'\\xc3')"));
  CHECK(object["stdout"]["base64"] == base64_of(all + all + all));
  CHECK(object["stdout"]["bytes"] == 768);
  CHECK_FALSE(object["stdout"].contains("text"));
  CHECK(object["stderr"]["base64"] == "ww==");
}

TEST_CASE("text with NUL, escapes and every kind of line break stays text and one line of plain ASCII") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const ProgramResult result = sandbox.run(with(
      {"--json"},
      python(
          "import sys\nsys.stdout.write('a\\0b\\x1b]0;title\\x07\\x1b[2J\\r\\n\\u2028\\x85\\x7fä😀\"\\\\')")));
  CHECK(std::ranges::count(result.out, '\n') == 1);
  for (const char byte : result.out) {
    const bool plain = byte == '\n' || (byte >= ' ' && byte <= '~');
    CHECK(plain);
    if (!plain) break;
  }
  const json object = json::parse(result.out);
  using namespace std::string_literals;
  CHECK(object["stdout"]["text"] == "a\0b\x1b]0;title\x07\x1b[2J\r\n\u2028\u0085\x7fä😀\"\\"s);
}

TEST_CASE("a command and a task with odd bytes leave result and record valid") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json object = sandbox.run_json({"--", "/bin/echo", "\xff\xfe\x1b[31m\n\"}", "ä"});
  CHECK(object["stdout"]["base64"] == base64_of("\xff\xfe\x1b[31m\n\"} ä\n"));
  CHECK(object["command"].size() == 3);
  CHECK(object["command"][2] == "ä");
  CHECK(sandbox.log_lines().size() == 1);
}

TEST_CASE("what a sentence of sbxrun quotes cannot drive the caller's terminal") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const ProgramResult result = sandbox.sbxrun({"--direct", "--", "/no/\x1b[31mred\nsbxrun: forged"});
  CHECK(result.exit_status == 127);
  CHECK(result.err.find('\x1b') == std::string::npos);
  CHECK(std::ranges::count(result.err, '\n') == 1);
}

TEST_CASE("the end of output that was captured is there however fast the program ends") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (int round = 0; round < 20; ++round) {
    const json object = sandbox.run_json(
        {"--", "/bin/sh", "-c", "head -c 60000 /dev/zero | tr '\\0' x; echo end; echo err >&2"});
    CHECK(object["stdout"]["bytes"] == 60'004);
    CHECK(object["stderr"]["text"] == "err\n");
  }
}

TEST_SUITE_END();

}  // namespace sbx::test
