#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "outcome/run_result.h"

namespace sbx {
namespace {

using nlohmann::ordered_json;

ordered_json as_json(const RunResult& result, bool with_output = true) {
  const std::string text = result_to_json(result, with_output);
  CHECK(std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7F; }));
  return ordered_json::parse(text);
}

ordered_json with_stdout(std::string data, bool truncated = false) {
  RunResult result;
  result.standard_output = CapturedStream{std::move(data), 4711, truncated};
  return as_json(result)["stdout"];
}

ordered_json command_of(std::vector<std::string> command) {
  RunResult result;
  result.command = std::move(command);
  return as_json(result)["command"];
}

RunResult full_result() {
  RunResult result;
  result.run_id = "019a0000-0000-7000-8000-000000000000";
  result.sandbox_id = "s1";
  result.image_name = "python-3.11";
  result.image_digest = "sha256:" + std::string(64, 'a');
  result.language = "python";
  result.command = {"python3", "-c", "print(1)"};
  result.cwd = "/workspace";
  result.caller.uid = 1001;
  result.policy_name = "default";
  result.policy_fingerprint = "f00";
  result.outcome = Outcome::signaled;
  result.signal = SIGKILL;
  result.message = "killed by SIGKILL";
  result.limits.memory_bytes = 512U << 20U;
  result.limits.milli_cpus = 500;
  result.limits_hit = {{"pids", 64, 64}, {"cpus", 500, std::nullopt}};
  result.usage.wall_ms = 12;
  result.standard_output = CapturedStream{"hello\n", 6, false};
  result.controls = {{"memory", "v2"}};
  result.degradations = {"no oom group"};
  result.environment_names = {"TOKEN"};
  result.setup_ms = {{"clone", 0.12345678}};
  result.created_at = result.started_at = result.finished_at = "2026-11-21T10:00:00.123Z";
  return result;
}

TEST_CASE("a compile step has the fields of a run that are about one program") {
  RunResult result = full_result();
  const ordered_json whole = as_json(result);
  result.compile = result;  // as a step
  const ordered_json json = as_json(result);
  REQUIRE(json["compile"].is_object());
  std::vector<std::string> names;
  for (const auto& [name, value] : json["compile"].items()) {
    CAPTURE(name);
    names.push_back(name);
    CHECK(value == whole[name]);
  }
  CHECK(names == std::vector<std::string>{"command", "status", "outcome", "exit_code", "signal", "message",
                                          "step", "failure", "limits", "limits_hit", "denied", "usage",
                                          "stdout", "stderr", "setup_ms", "started_at"});
  CHECK(as_json(full_result())["compile"].is_null());
}

TEST_CASE("the fields come in the order of the contract, all of them, always") {
  const std::vector<std::string> expected{
      "schema",   "run_id",     "task_id",    "project_id", "sandbox_id",   "mode",        "image",
      "language", "action",     "code",       "command",    "cwd",          "caller",      "policy",
      "status",   "outcome",    "exit_code",  "signal",     "message",      "step",        "failure",
      "limits",   "limits_hit", "denied",     "compile",    "tests",        "transaction", "changes",
      "usage",    "stdout",     "stderr",     "controls",   "degradations", "environment", "validation",
      "setup_ms", "created_at", "started_at", "finished_at"};
  for (const RunResult& result : {RunResult{}, full_result()}) {
    const ordered_json json = as_json(result);
    std::vector<std::string> names;
    for (const auto& [name, value] : json.items()) names.push_back(name);
    CHECK(names == expected);
  }
}

TEST_CASE("changes are told with what was there before and behind, and paths that are no text as base64") {
  RunResult result;
  CHECK(ordered_json::parse(result_to_json(result, false))["changes"].is_null());
  result.transaction = "t";
  result.changes = ChangeList{1,
                              1,
                              0,
                              {{"a", tree::EntryState{0100644, 3}, tree::EntryState{0100755, 3}, false},
                               {"\xff", std::nullopt, tree::EntryState{040755, 0}, true}},
                              false};
  const auto json = ordered_json::parse(result_to_json(result, false));
  CHECK(json["transaction"] == "t");
  CHECK(json["changes"].dump() ==
        R"({"added":1,"changed":1,"deleted":0,"truncated":false,"list":[)"
        R"({"path":"a","change":"changed","content":false,"before":{"type":"file","mode":"0644","bytes":3},)"
        R"("after":{"type":"file","mode":"0755","bytes":3}},)"
        R"({"path_base64":"/w==","change":"added","content":true,"before":null,)"
        R"("after":{"type":"directory","mode":"0755","bytes":0}}]})");
  CHECK(json["changes"].dump() == changes_to_json(*result.changes));
}

TEST_CASE("each type that a program can make has a name in the changes") {
  for (const auto& [type, name] : {std::pair{S_IFREG, "file"},
                                   {S_IFDIR, "directory"},
                                   {S_IFLNK, "link"},
                                   {S_IFIFO, "fifo"},
                                   {S_IFSOCK, "socket"},
                                   {S_IFCHR, "device"}}) {
    ChangeList changes;
    changes.list = {{"x", tree::EntryState{static_cast<mode_t>(type | 0600), 0}, std::nullopt, true}};
    const auto json = ordered_json::parse(changes_to_json(changes));
    CHECK(json["list"][0]["before"]["type"] == name);
    CHECK(json["list"][0]["change"] == "deleted");
  }
}

TEST_CASE("what was refused is told by call, number of times and family") {
  RunResult result;
  result.denied = {{"unshare", 3, {}}, {"socket", 1, 38}};
  const auto json = ordered_json::parse(result_to_json(result, false));
  CHECK(json["denied"].dump() ==
        R"([{"syscall":"unshare","count":3,"family":null},{"syscall":"socket","count":1,"family":38}])");
}

TEST_CASE("code is told by digest and length, tests by their number") {
  RunResult result;
  result.action = "test";
  result.code = CodeRecord{sha256_hex("x"), 1};
  result.tests = TestCounts{.passed = 1, .failed = 2, .errors = 3, .skipped = 4};
  const ordered_json json = as_json(result);
  CHECK(json["action"] == "test");
  CHECK(json["code"] == ordered_json{{"sha256", sha256_hex("x")}, {"bytes", 1}});
  CHECK(json["tests"].dump() == R"({"passed":1,"failed":2,"errors":3,"skipped":4})");
}

TEST_CASE("what is not there is null, not empty and not 0") {
  const ordered_json json = as_json(RunResult{});
  for (const char* name : {"task_id", "project_id", "sandbox_id", "language", "action", "code", "tests",
                           "exit_code", "signal", "step", "stdout", "stderr", "validation", "started_at"}) {
    CAPTURE(name);
    CHECK(json[name].is_null());
  }
  CHECK(json["image"]["digest"].is_null());
  CHECK(json["limits"].size() == kLimits.size());
  for (const auto& [name, value] : json["limits"].items()) CHECK(value.is_null());
  CHECK(json["usage"].size() == 10);
  for (const auto& [name, value] : json["usage"].items()) CHECK(value.is_null());
  CHECK(json["denied"] == ordered_json::array());
  CHECK(json["controls"] == ordered_json::object());
}

TEST_CASE("values keep their units: CPUs are a number of CPUs") {
  const ordered_json json = as_json(full_result());
  CHECK(json["schema"] == 1);
  CHECK(json["limits"]["cpus"] == 0.5);
  CHECK(json["limits"]["memory_bytes"] == 536870912);
  CHECK(json["limits_hit"][0] == ordered_json({{"limit", "pids"}, {"value", 64}, {"reached", 64}}));
  CHECK(json["limits_hit"][1] == ordered_json({{"limit", "cpus"}, {"value", 0.5}, {"reached", nullptr}}));
  CHECK(json["setup_ms"]["clone"] == 0.123);
  CHECK(json["signal"] == "SIGKILL");
  CHECK(json["status"] == "error");
  CHECK(json["caller"]["uid"] == 1001);
  RunResult by_token;
  by_token.caller.token = "ci";
  CHECK(as_json(by_token)["caller"] == ordered_json{{"token", "ci"}});
  CHECK(json["environment"] == ordered_json::array({"TOKEN"}));
}

TEST_CASE("the log line keeps the lengths of the streams, not their text") {
  const ordered_json json = as_json(full_result(), false);
  CHECK(json["stdout"] == ordered_json({{"bytes", 6}, {"truncated", false}}));
  CHECK(json["stderr"].is_null());
}

TEST_CASE("output that is UTF-8 is text, NUL bytes and escape sequences included") {
  using namespace std::string_literals;
  const std::string odd = "a\0b\x1b[31m\r\n\t\"\\\x7f\xc2\x9b\xe2\x80\xa8\xf0\x9f\x98\x80"s;
  const ordered_json json = with_stdout(odd);
  CHECK(json["text"] == odd);
  CHECK_FALSE(json.contains("base64"));
  CHECK(json["bytes"] == 4711);
  CHECK(with_stdout("")["text"] == "");
}

TEST_CASE("output that is not UTF-8 is base64") {
  CHECK(with_stdout("\xff\xfe")["base64"] == "//4=");
  CHECK_FALSE(with_stdout("\xff\xfe").contains("text"));
  for (const char* invalid :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "a\xe2\x82", "\xe2\x28\xa1", "\xf0\x9f\x98"}) {
    CAPTURE(std::string_view(invalid));
    CHECK(with_stdout(invalid).contains("base64"));
  }
  for (const char* valid :
       {"\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    CHECK(with_stdout(valid)["text"] == valid);
  }
}

TEST_CASE("a limit that cuts a character leaves text") {
  for (const char* whole : {"\xc3\xa4", "\xe2\x82\xac", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xf0\x9f\x98\x80",
                            "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    const std::string character = whole;
    for (std::size_t kept = 1; kept < character.size(); ++kept) {
      CHECK(with_stdout("ab" + character.substr(0, kept), true)["text"] == "ab");
      CHECK(with_stdout("ab" + character.substr(0, kept), false).contains("base64"));
    }
  }
  CHECK(with_stdout("ab\xff", true).contains("base64"));
  CHECK(with_stdout("ab\xe2\xff", true).contains("base64"));
}

TEST_CASE("arguments and messages that are not UTF-8 are made valid by replacement") {
  CHECK(command_of({"echo",
                    "a\xff\xfe"
                    "b"})[1] ==
        "a\xef\xbf\xbd\xef\xbf\xbd"
        "b");
  RunResult result;
  result.cwd = "/\xff";
  result.message = "\xc3";
  result.image_name = "\xe2\x82";
  result.controls = {{"\xff", "\xff"}};
  result.setup_ms = {{"\xff", 1.0}};
  result.degradations = result.environment_names = {"\xff"};
  CHECK(as_json(result)["cwd"] == "/\xef\xbf\xbd");
}

TEST_CASE("long inline code is shown by digest and length") {
  const std::string code(121, 'x');
  const ordered_json hidden = {{"sha256", sha256_hex(code)}, {"bytes", 121}};
  for (const char* option : {"-c", "-e", "-p", "-r", "--eval", "-lc", "-euxc", "-pe", "--print"}) {
    CAPTURE(option);
    CHECK(command_of({"sh", option, code, "x"}) == ordered_json::array({"sh", option, hidden, "x"}));
  }
  const std::string attached = "--eval=" + code;
  CHECK(command_of({"node", attached})[1]["sha256"] == sha256_hex(attached));
}

TEST_CASE("short code and long other arguments are shown as they are") {
  const std::string text(121, 'x');
  CHECK(command_of({"sh", "-c", std::string(120, 'x')})[2].is_string());
  for (const char* before : {"-o", "--", "-", "", "file", "--evaluate", "-source"}) {
    CAPTURE(before);
    CHECK(command_of({"tool", before, text})[2] == text);
  }
  CHECK(command_of({text})[0] == text);
}

TEST_CASE("an argument of more than 1024 bytes is shown by digest and length") {
  CHECK(command_of({"echo", std::string(1024, 'x')})[1].is_string());
  const std::string longer(1025, 'x');
  CHECK(command_of({"echo", longer})[1] == ordered_json({{"sha256", sha256_hex(longer)}, {"bytes", 1025}}));
}

TEST_CASE("a command is cut after 64 arguments and after 4096 bytes; the last item stands for the rest") {
  const ordered_json all = command_of(std::vector<std::string>(64, "a"));
  CHECK(all.size() == 64);
  CHECK(all[63] == "a");

  const ordered_json many = command_of(std::vector<std::string>(66, "a"));
  REQUIRE(many.size() == 65);
  const std::string rest("a\0a\0", 4);
  CHECK(many[64] == ordered_json({{"sha256", sha256_hex(rest)}, {"bytes", 4}, {"arguments", 2}}));

  const ordered_json big = command_of(std::vector<std::string>(5, std::string(1000, 'y')));
  REQUIRE(big.size() == 5);
  CHECK(big[3].is_string());
  CHECK(big[4]["arguments"] == 1);

  // Digests count too, so that a line of the log stays small whatever the command is.
  const std::vector<std::string> hidden(1000, std::string(2000, 'z'));
  RunResult result;
  result.command = hidden;
  CHECK(result_to_json(result, false).size() < 8192);
}

TEST_CASE("a journal's text is a result only as one line of JSON") {
  RunResult result;
  result.command = {"prog"};
  const std::string line = result_to_json(result, false);
  CHECK(is_result_json(line));
  CHECK_FALSE(is_result_json(line.substr(0, line.size() - 1)));
  CHECK_FALSE(is_result_json(line + "\n" + line));
  CHECK_FALSE(is_result_json("7"));
}

TEST_CASE("what is added to a message stays in one line of JSON") {
  RunResult result;
  result.message = "killed";
  const std::string line = with_more_in_message(result_to_json(result, false), "; \"removed\"\n");
  CHECK(is_result_json(line));
  CHECK(ordered_json::parse(line)["message"] == "killed; \"removed\"\n");
  for (const std::string& other :
       {std::string("{"), std::string("7"), std::string("{}"), std::string(R"({"message":1})")}) {
    CHECK(with_more_in_message(other, "more") == other);
  }
}

TEST_CASE("no byte of a captured stream is lost") {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += static_cast<char>(i * 7);
  const std::string text = with_stdout(bytes)["base64"];
  CHECK(text.size() == (bytes.size() + 2) / 3 * 4);
}

}  // namespace
}  // namespace sbx
