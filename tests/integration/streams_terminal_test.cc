// -t: a terminal of the sandbox's own behind the caller's. The test is the caller's terminal.
#include <cstdlib>

#include "integration/terminal_run.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size()))
    ++found;
  return found;
}

Strings shell(const std::string& script) { return {"--", "/bin/sh", "-c", script}; }

}  // namespace

TEST_CASE("with -t the three streams are one terminal of the sandbox") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  TerminalRun run(
      sandbox,
      shell("tty; test -t 0 && test -t 1 && test -t 2 && echo all; echo TERM=$TERM; echo here > /dev/tty; "
            "echo stderr >&2; exit 42"));
  CHECK(run.wait() == 42);
  for (const char* line : {"/dev/pts/0\r\n", "all\r\n", "TERM=", "here\r\n", "stderr\r\n"})
    CHECK_MESSAGE(holds(run.screen(), line), run.screen());
  CHECK(run.restored());
}

TEST_CASE("the terminal inside has the caller's size and follows it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  TerminalRun run(sandbox, shell("trap 'stty size' WINCH; stty size; while :; do sleep 0.1; done"),
                  {40, 100, 0, 0});
  CHECK(run.shows("40 100"));
  run.resize(50, 132);
  CHECK(run.shows("50 132"));
  run.resize(10, 20);
  CHECK(run.shows("10 20"));
  run.type("\x03");
  CHECK(run.wait() == 130);
}

TEST_CASE("what is typed is echoed once, by the terminal inside, which can turn it off") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  TerminalRun run(
      sandbox,
      shell("echo ready; read word; echo got $word; stty -echo; echo dark; read word; echo got $word"));
  CHECK(run.shows("ready"));
  CHECK(run.raw());
  run.type("hello\r");
  CHECK(run.shows("got hello"));
  CHECK(run.shows("dark"));
  run.type("secret\r");
  CHECK(run.shows("got secret"));
  CHECK(run.wait() == 0);
  CHECK(count(run.screen(), "hello") == 2);
  CHECK(count(run.screen(), "secret") == 1);
  CHECK(run.restored());
}

TEST_CASE("Ctrl-C, Ctrl-\\ and Ctrl-D are keys for the program") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  TerminalRun trapped(sandbox,
                      shell("trap 'echo interrupted; exit 5' INT; echo ready; while :; do sleep 0.1; done"));
  CHECK(trapped.shows("ready"));
  trapped.type("\x03");
  CHECK(trapped.shows("interrupted"));
  CHECK(trapped.wait() == 5);
  CHECK(sandbox.log_lines().back()["outcome"] == "exited");

  TerminalRun plain(sandbox, shell("echo ready; exec sleep 600"));
  CHECK(plain.shows("ready"));
  plain.type("\x1c");
  CHECK(plain.wait() == 131);
  CHECK(sandbox.log_lines().back()["signal"] == "SIGQUIT");

  TerminalRun cat(sandbox, shell("echo ready; exec cat"));
  CHECK(cat.shows("ready"));
  cat.type("line\r\x04");
  CHECK(cat.wait() == 0);
  CHECK(count(cat.screen(), "line") == 2);
}

TEST_CASE("the caller's terminal is restored however the run ends") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  TerminalRun timed_out(sandbox,
                        {"--wall-time", std::to_string(time_scale()) + "s", "--", "/bin/sleep", "600"});
  CHECK(timed_out.wait() == 124);
  CHECK(timed_out.restored());
  TerminalRun missing(sandbox, {"--", "/no/such/program"});
  CHECK(missing.wait() == 127);
  CHECK(missing.restored());
  TerminalRun cancelled(sandbox, shell("echo ready; exec sleep 600"));
  CHECK(cancelled.shows("ready"));
  REQUIRE(kill(cancelled.pid(), SIGTERM) == 0);
  CHECK(cancelled.wait() == 143);
  CHECK(cancelled.restored());
  CHECK(sandbox.log_lines().back()["outcome"] == "cancelled");
}

TEST_CASE("a terminal that is hung up cancels the run") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  std::size_t runs = 0;
  // The second one has still to write when there is nobody to write to: that is no failure of its own.
  for (const char* script : {"echo ready; exec sleep 600", "echo ready; while :; do echo more; done"}) {
    CAPTURE(script);
    TerminalRun run(sandbox, shell(script));
    CHECK(run.shows("ready"));
    run.hang_up();
    CHECK(run.wait() >= 128);
    REQUIRE(sandbox.log_lines().size() == ++runs);
    CHECK(sandbox.log_lines().back()["outcome"] == "cancelled");
  }
}

TEST_CASE("all output of a program that ends at once reaches the terminal") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  std::string expected;
  for (int i = 1; i <= 30'000; ++i) expected += std::to_string(i) + "\r\n";
  TerminalRun run(sandbox, {"--", "/usr/bin/seq", "1", "30000"});
  CHECK(run.wait() == 0);
  CHECK(run.screen().size() == expected.size());
  const bool same = run.screen() == expected;
  CHECK(same);
}

TEST_CASE("-t without a terminal: the program has one, and the caller's pipes feed and read it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  ProgramOptions program;
  program.input = "one\ntwo\n";
  const ProgramResult result =
      sandbox.run({"-t", "--", "/bin/sh", "-c", "stty -echo; test -t 0 && stty size; cat"}, program);
  CHECK(result.exit_status == 0);
  CHECK_FALSE(result.timed_out);
  CHECK(holds(result.out, "24 80\r\n"));
  CHECK(holds(result.out, "one\r\ntwo\r\n"));
}

TEST_CASE("a terminal that nobody reads does not keep sbxrun from ending") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  // Relayed to a terminal, without -t.
  Strings flood = shell("while :; do echo 0123456789; done");
  flood.insert(flood.begin(), {"--wall-time", std::to_string(time_scale()) + "s"});
  const auto fill = [&](TerminalRun& run, std::size_t runs) {
    REQUIRE(run.shows("0123456789"));
    while (sandbox.log_lines().size() < runs) (void)usleep(50'000);  // the run is over, and the terminal full
    REQUIRE(kill(run.pid(), SIGTERM) == 0);                          // without it every byte is waited for
  };
  TerminalRun quiet(sandbox, flood, {24, 80, 0, 0}, "-qi");
  fill(quiet, 1);
  CHECK(quiet.wait(true) == 124);
  // The verdict finds no reader either.
  TerminalRun verdict(sandbox, flood, {24, 80, 0, 0}, "-i");
  fill(verdict, 2);
  CHECK(verdict.wait(true, SIGTERM) == 128 + SIGTERM);
}

TEST_CASE("a signal that stops or quits sbxrun gives the caller's terminal back") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  TerminalRun run(sandbox, shell("echo ready; exec sleep 600"));
  REQUIRE(run.shows("ready"));
  REQUIRE(run.raw());
  REQUIRE(kill(run.pid(), SIGTSTP) == 0);
  CHECK(run.becomes_raw(false));
  REQUIRE(kill(run.pid(), SIGCONT) == 0);
  CHECK(run.becomes_raw(true));
  REQUIRE(kill(run.pid(), SIGQUIT) == 0);
  CHECK(run.wait() == 128 + SIGQUIT);
  CHECK(run.restored());
}

TEST_CASE("input that the program never reads does not hold up the end of the run") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  ProgramOptions program;
  program.input = std::string(1U << 20U, 'x');  // more than a terminal holds
  program.timeout = std::chrono::seconds(30 * time_scale());
  const ProgramResult result =
      sandbox.run({"-t", "--timeout", "1s", "--", "/bin/sh", "-c", "stty raw -echo; sleep 100"}, program);
  CHECK_FALSE(result.timed_out);
  CHECK(result.exit_status == 124);
}

TEST_CASE("-t lifts the default policy's wall time, not one that is asked for or that a policy keeps") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string file = sandbox.directory() + "/result.json";
  const auto wall = [&](Strings options) {
    options.insert(options.begin(), {"-t", "--result", file});
    options.insert(options.end(), {"--", "/bin/true"});
    CHECK(sandbox.run(options).exit_status == 0);
    const json object = json::parse(read_file(file));
    CHECK(object["stdout"] == nullptr);
    return object["limits"]["wall_ms"];
  };
  CHECK(wall({}) == nullptr);
  CHECK(wall({"--wall-time", "20s"}) == 20'000);
  CHECK(wall({"--policy", "strict"}) == 10'000);
}

}  // namespace sbx::test
