#include "wire/wire.h"

#include <doctest/doctest.h>

#include "request/run_request.h"
#include "wire/client_protocol.h"
#include "wire/spawner_protocol.h"

namespace sbx {
namespace {

RunRequest full_request() {
  RunRequest request;
  request.command = {"prog", "", "a b", "\xff\xfe"};
  request.environment = {{"A", "1"}, {"B", ""}};
  request.project = "p";
  request.workspace_mode = WorkspaceMode::transaction;
  request.transaction = "tx-1";
  request.limits.memory_bytes = 5;
  request.limits.inodes = kMostInodes;
  request.binds = {{"/host", "/inside", BindMode::copy_on_write, BindFlag::volume}};
  request.here = BindRequest{"/here", "/workspace/project_files", BindMode::read_write};
  request.tty = true;
  request.tty_rows = 50;
  request.streams = {StreamMode::pass, StreamMode::relay, StreamMode::capture};
  request.config = "/c";
  return request;
}

RunRequest language_request() {
  RunRequest request;
  request.image.clear();
  request.language.emplace().name = "python";
  request.language->action = LanguageAction::type_check;
  request.language->code = SourceFile{"", std::string("print\0(1)", 9)};
  request.language->files = {{"a/b.py", ""}, {"c", "\xff"}};
  request.language->arguments = {"x", ""};
  return request;
}

std::string refusal_of(const RunRequest& request) {
  const auto decoded = decode_run_request(encode_run_request(request));
  return decoded ? "" : decoded.error().text;
}

TEST_CASE("a transaction has a project and a name, and only an ephemeral run of a project shows changes") {
  RunRequest request;
  request.command = {"prog"};
  request.show_changes = true;
  CHECK(refusal_of(request) == "show_changes: only of a project with workspace_mode ephemeral");
  request.project = "p";
  request.workspace_mode = WorkspaceMode::ephemeral;
  CHECK(refusal_of(request).empty());
  request.show_changes = false;
  request.transaction = "t";
  CHECK(refusal_of(request) == "transaction: not with another workspace_mode");
  request.workspace_mode = WorkspaceMode::transaction;
  CHECK(refusal_of(request).empty());
  request.transaction = "../t";
  CHECK(refusal_of(request).find("transaction: '../t'") == 0);
  request.transaction.clear();
  request.project.clear();
  CHECK(refusal_of(request) == "workspace_mode: a transaction needs a project");
}

LaunchPlan full_plan() {
  LaunchPlan plan;
  plan.stage = "/run/sbx/stage";
  plan.id_maps = {{{{0, 1000, 65536}}, {{0, 1000, 65536}}}, {{{5, 6, 1}}, {}}};
  plan.mounts = {{0}, {-1}, {1}};
  plan.commands = {{MountAction::attach, 2, 3, "", "", "/root"},
                   {MountAction::overlay, 0, 1, "/a", "/b", "c"}};
  plan.resource_limits = {{7, 8, 9}};
  plan.hostname = "h";
  plan.init_uid = 1;
  plan.filter = std::string("\0\1\2", 3);
  plan.into_cgroup = 1;
  plan.cgroup_namespace = 1;
  plan.task_files = 4;
  return plan;
}

// Every proper beginning of a message, and the message with a byte more, must be refused and not crash.
template <class F>
void check_cut_short(const std::string& bytes, F decode) {
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(decode(std::string_view(bytes).substr(0, size)));
  CHECK_FALSE(decode(bytes + "x"));
}

}  // namespace

TEST_CASE("a request survives its encoding") {
  const RunRequest request = full_request();
  const auto decoded = decode_run_request(encode_run_request(request));
  REQUIRE(decoded);
  CHECK(*decoded == request);
  CHECK(*decode_run_request(encode_run_request(RunRequest{})) == RunRequest{});
  CHECK(*decode_run_request(encode_run_request(language_request())) == language_request());
}

TEST_CASE("the places of binds are clean, and --here has its own") {
  for (const char* inside : {"/a/../b", "/a/./b", "/a//b", "/a/", "a", ""}) {
    RunRequest request = full_request();
    request.binds[0].inside = inside;
    CHECK(refusal_of(request).starts_with("binds: '" + std::string(inside) + "'"));
  }
  RunRequest request = full_request();
  request.here->inside = "/usr/share";
  CHECK(refusal_of(request) == "here: is shown at /workspace/project_files, not at '/usr/share'");
}

TEST_CASE("a request in words of a language is checked by field") {
  RunRequest request = language_request();
  request.command = {"x"};
  CHECK(refusal_of(request) == "command: the language has it");
  request = language_request();
  request.language->name.clear();
  CHECK(refusal_of(request).starts_with("language: '' is no name of a language"));
  request = language_request();
  request.language->path = "x";
  CHECK(refusal_of(request) == "path: there is code in its place");
  request = language_request();
  request.language->arguments = {std::string("a\0", 2)};
  CHECK(refusal_of(request) == "arguments: holds a NUL byte");
  request = language_request();
  request.language->files[1].content.assign(kMostSourceBytes, 'x');
  CHECK(refusal_of(request) == "files: more than 4M together");
  request = language_request();
  request.language->files.resize(kMostSourceFiles + 1);
  CHECK(refusal_of(request).starts_with("request: "));
}

TEST_CASE("names of files stay below the directory with the code") {
  for (const char* good : {"a", "a/b.c", "..a", "a b", "\u00fc", "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a"})
    CHECK(check_source_name("x", good));
  for (const std::string& bad :
       {std::string(), std::string("/a"), std::string("a//b"), std::string("a/"), std::string("."),
        std::string("a/../b"), std::string("-a"), std::string("a\nb"), std::string("a\0b", 3),
        std::string(256, 'a'), std::string("\xff"), std::string("a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a")}) {
    CAPTURE(bad);
    CHECK_FALSE(check_source_name("x", bad));
    RunRequest request = language_request();
    request.language->files[0].name = bad;
    CHECK(refusal_of(request).starts_with("files: the file name '"));
  }
}

TEST_CASE("a launch plan survives its encoding") {
  const LaunchPlan plan = full_plan();
  const auto decoded = decode_launch_plan(encode_launch_plan(plan));
  REQUIRE(decoded);
  CHECK(*decoded == plan);
}

TEST_CASE("a message cut short or too long is refused") {
  check_cut_short(encode_run_request(full_request()), decode_run_request);
  check_cut_short(encode_run_request(language_request()), decode_run_request);
  check_cut_short(encode_launch_plan(full_plan()), decode_launch_plan);
  check_cut_short(encode_finished_run({"m", "h", "n", "s", "{}", "A a\n"}), decode_finished_run);
}

TEST_CASE("a message of another build is refused as that, before anything else of it is read") {
  // The version is the first number; of what follows it this build knows nothing.
  const auto of_version = [](std::uint32_t version, const std::string& bytes) {
    wire::Writer out;
    out.put(version);
    return std::move(out).take() + bytes.substr(sizeof version);
  };
  const auto error_of = [](const auto& decoded) { return decoded ? std::string() : decoded.error().text; };
  const std::string request = encode_run_request(full_request());
  const std::string plan = encode_launch_plan(full_plan());
  for (const std::uint32_t version : {0U, 1000U, 0xFFFFFFFFU}) {
    for (const std::string& rest : {request, request.substr(0, 4), request + "more"}) {
      CHECK(error_of(decode_run_request(of_version(version, rest))) ==
            "request: another protocol version; install sbxrun and sbx-direct from one build");
    }
    for (const std::string& rest : {plan, plan.substr(0, 4), plan + "more"}) {
      CHECK(error_of(decode_launch_plan(of_version(version, rest))) ==
            "launch plan: another protocol version; install sbx-direct and sbx-spawner from one build");
    }
  }
}

TEST_CASE("any byte of a request may be hostile") {
  const std::string bytes = encode_run_request(full_request());
  const std::string with_language = encode_run_request(language_request());
  for (std::size_t at = 0; at < std::max(bytes.size(), with_language.size()); ++at) {
    for (const char value : {'\0', '\x7f', '\xff'}) {
      for (std::string changed : {bytes, with_language}) {
        if (at >= changed.size()) continue;
        changed[at] = value;
        (void)decode_run_request(changed);  // an error or a value, never a crash (ASan runs this)
      }
      std::string plan = encode_launch_plan(full_plan());
      if (at < plan.size()) plan[at] = value;
      (void)decode_launch_plan(plan);
    }
  }
}

TEST_CASE("a text that a system call would cut at its NUL is refused by field") {
  RunRequest request;
  request.cwd = std::string("/a\0b", 4);
  const auto decoded = decode_run_request(encode_run_request(request));
  REQUIRE_FALSE(decoded);
  CHECK(decoded.error().text == "cwd: holds a NUL byte");
}

TEST_CASE("a limit that no flag could ask for is refused by field, value and bound") {
  for (const LimitField& field : kLimits) {
    CAPTURE(field.name);
    const auto decode = [&](std::uint64_t value) {
      RunRequest request;
      request.limits.*field.member = value;
      return decode_run_request(encode_run_request(request));
    };
    CHECK(decode(field.least));
    CHECK(decode(field.most));
    for (const std::uint64_t hostile :
         {std::uint64_t{0}, field.least - 1, field.most + 1, std::uint64_t{1} << 63U, ~std::uint64_t{0}}) {
      const auto decoded = decode(hostile);
      REQUIRE_FALSE(decoded);
      CHECK(decoded.error().text.starts_with("limits: " + std::string(field.name) + ": "));
    }
  }
  RunRequest request;
  request.limits.nofile = 3;
  CHECK(decode_run_request(encode_run_request(request)).error().text ==
        "limits: nofile: '3 open files' is too small; give at least 16 open files");
}

TEST_CASE("a list that claims more items than there are bytes is refused before memory is taken for it") {
  wire::Writer out;
  out.put(std::uint32_t{0xFFFFFFFF});
  const std::string bytes = std::move(out).take();
  wire::Reader in(bytes);
  CHECK(in.get_strings().empty());
  CHECK(in.failed());
}

}  // namespace sbx
