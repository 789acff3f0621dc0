// The configuration of sbxd: what is told of it before it starts, when it starts and at SIGHUP.
#include <algorithm>

#include "integration/daemon_tcp.h"
#include "integration/toy_image.h"

namespace sbx::test {
namespace {

using Strings = std::vector<std::string>;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// A configuration in its place, and what sbxd has to say of it.
class Config {
 public:
  explicit Config(const Sandbox& place, const std::string& text = "") : place_(place) { write(text); }
  void write(const std::string& text) const { write_file(path(), text); }
  [[nodiscard]] std::string path() const { return place_.directory() + "/config.yaml"; }
  // Of this file, in a line.
  [[nodiscard]] std::string line(const std::string& text, bool warning = false) const {
    return (warning ? "sbxd: warning: " : "sbxd: ") + path() + ": " + text;
  }
  [[nodiscard]] ProgramResult check(const ProgramOptions& options = {}) const {
    return run_program({program_directory() + "/sbxd", "--config", path(), "--state-dir", place_.state_dir(),
                        "--check-config"},
                       options);
  }
  [[nodiscard]] std::string warnings(const std::string& text) const {
    write(text);
    const ProgramResult checked = check();
    CHECK_MESSAGE(checked.exit_status == 0, checked.err);
    CHECK(checked.out.empty());
    return checked.err;
  }

 private:
  const Sandbox& place_;
};

// Errors and warnings of three kinds.
constexpr const char* kFaults =
    "max_sandboxes: 8\nid_pool: {ranges: 4}\nsocket_group: no-such-group\n"
    "cgroup_parent: /nowhere/group\nlanguages: {toy: no-such-image}\n";

}  // namespace

TEST_CASE("a configuration is checked without starting anything, and one that is fine is said to be") {
  const Sandbox place;
  const Config config(place, "max_sandboxes: 10\n");
  const ProgramResult fine = config.check();
  CHECK(fine.exit_status == 0);
  CHECK(fine.out == "sbxd: nothing is wrong with '" + config.path() + "'\n");
  CHECK(fine.err.empty());
  CHECK_FALSE(std::filesystem::exists(place.run_dir() + "/sbxd.sock"));
  config.write("max_sandboxes: many\n");
  const ProgramResult wrong = config.check();
  CHECK(wrong.exit_status == 2);
  CHECK(wrong.out.empty());
  CHECK(holds(wrong.err, "config.yaml:1:"));
}

TEST_CASE(
    "all that a configuration says and this host does not do is told, with keys; errors decide the end") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Config config(place, kFaults);
  const ProgramResult checked = config.check();
  CHECK(checked.exit_status == 2);
  CHECK(checked.out.empty());
  const Strings lines = lines_of(checked.err);
  REQUIRE_MESSAGE(lines.size() == 4, checked.err);
  CHECK(lines[0].starts_with(config.line("max_sandboxes: 4 ranges of ids ")));
  CHECK(lines[1].starts_with(config.line("cgroup_parent: '/nowhere/group' is in no ")));
  CHECK(lines[2].starts_with(config.line("socket_group: there is no group 'no-such-group'", true)));
  CHECK(lines[3].starts_with(config.line("languages.toy: there is no image 'no-such-image'", true)));
  CHECK(lines_of(config.warnings("socket_group: no-such-group\n")).size() == 1);

  import_toy(place, "toy-1", kPlainToy);
  CHECK(config.warnings("prepare_images: [toy-1, toy-2]\n")
            .starts_with(config.line("prepare_images[1]: none was built in '", true)));
  CHECK(config.warnings("pool: {sandboxes: [{image: toy}, {image: toy-1}, {image: toy-2}]}\n")
            .starts_with(config.line("pool.sandboxes[2].image: there is no image 'toy-2'", true)));
  config.write("pool: {sandboxes: [{image: host, policy: no-such-policy}]}\n");
  const ProgramResult policy = config.check();
  CHECK(policy.exit_status == 2);
  CHECK_MESSAGE(
      policy.err.starts_with(config.line("pool.sandboxes[0].policy: no policy 'no-such-policy' in ")),
      policy.err);
}

TEST_CASE("what cannot be used of TLS and tokens is told with its key, all of it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Host host(place);
  const Config config(place, read_file(host.config()));
  const ProgramResult nobody = config.check();
  CHECK(nobody.exit_status == 0);
  const std::string tokens = place.directory() + "/tokens.yaml";
  CHECK(holds(nobody.err,
              config.line("tokens: there is no file '" + tokens + "', so that nobody can come", true)));
  (void)host.token({"ci", "--project", "p"});
  CHECK(config.check().err.empty());

  const std::string certificate = place.directory() + "/cert.pem";
  const std::string key = place.directory() + "/key.pem";
  write_file(certificate, "x");
  const ProgramResult unusable = config.check();
  CHECK(unusable.exit_status == 2);
  CHECK_MESSAGE(holds(unusable.err, config.line("listen[1].tls.certificate: the certificate '" + certificate +
                                                "' with the key '" + key + "' cannot be used: ")),
                unusable.err);
  std::filesystem::remove(certificate);
  std::filesystem::remove(key);
  write_file(tokens, "tokens: wrong\n");
  const ProgramResult missing = config.check();
  CHECK(missing.exit_status == 2);
  const Strings lines = lines_of(missing.err);
  REQUIRE_MESSAGE(lines.size() == 3, missing.err);
  CHECK(lines[0].starts_with(config.line("tokens: " + tokens + ":1:9: ")));
  CHECK(lines[1] == config.line("listen[1].tls.certificate: there is no file '" + certificate +
                                "': put it there, or name another"));
  CHECK(lines[2] ==
        config.line("listen[1].tls.key: there is no file '" + key + "': put it there, or name another"));

  // It does not start with them either, and says as much.
  const ProgramResult started =
      run_program({program_directory() + "/sbxd", "--config", config.path(), "--state-dir", place.state_dir(),
                   "--run-dir", place.run_dir(), "--log", place.log()});
  CHECK(started.exit_status == 2);
  CHECK(started.err == missing.err);
}

TEST_CASE("sbxd starts with what only a check takes for an error, and tells it then and at SIGHUP") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Config config(place, kFaults);
  const Daemon daemon(place, {"--config", config.path()});
  const Strings keys{"max_sandboxes: 4 ranges", "cgroup_parent: '/nowhere/group'",
                     "socket_group: there is no", "languages.toy: there is no"};
  const auto told = [&](const std::string& key) {
    const Strings lines = lines_of(daemon.said());
    return std::ranges::count_if(
        lines, [&](const std::string& line) { return line.starts_with(config.line(key, true)); });
  };
  for (const std::string& key : keys) CHECK_MESSAGE(told(key) == 1, daemon.said());
  hang_up(daemon, "were read again");
  for (const std::string& key : keys) CHECK_MESSAGE(told(key) == 2, daemon.said());
  // Of what is in the file now.
  config.write("pool: {sandboxes: [{image: no-such-image, count: 1}]}\n");
  hang_up(daemon, "were read again");
  for (const std::string& key : keys) CHECK(told(key) == 2);
  CHECK_MESSAGE(told("pool.sandboxes[0].image: there is no image") == 1, daemon.said());
}

TEST_CASE("what cannot change while sbxd runs is named at SIGHUP, and stays") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Config config(place, "max_sandboxes: 5\n");
  const Daemon daemon(place, {"--config", config.path()});
  const auto refusal = [](const std::string& key) {
    return "sbxd: '" + key + "' changes only when sbxd is started again\n";
  };
  struct Case {
    const char* key;
    const char* text;
  };
  std::string before = daemon.said();
  for (const Case& one :
       {Case{"history", "{runs: 7}"}, Case{"history", "{output_bytes: 1M}"}, Case{"history", "{days: none}"},
        Case{"cleanup_interval", "off"}, Case{"prepare_images", "none"}, Case{"languages", "{toy: host}"},
        Case{"socket_group", "root"}}) {
    CAPTURE(one.text);
    config.write("max_sandboxes: 6\n" + std::string(one.key) + ": " + one.text + "\n");
    hang_up(daemon, "were read again");
    const std::string said = daemon.said().substr(before.size());
    CHECK_MESSAGE(holds(said, refusal(one.key)), said);
    const Strings lines = lines_of(said);
    CHECK(std::ranges::count_if(lines, [](const std::string& line) { return holds(line, "changes only"); }) ==
          1);
    CHECK(daemon.get("/v1/health/ready").body["max_sandboxes"] == 6);  // all else is in force
    before = daemon.said();
  }
  // As it was, none is named.
  config.write("history: {runs: 100000, days: 30}\ncleanup_interval: 60m\nprepare_images: all\n");
  hang_up(daemon, "were read again");
  CHECK_FALSE(holds(daemon.said().substr(before.size()), "changes only"));
}

TEST_CASE("a flag with a relative path is of the directory that sbxd is started in, a variable may be none") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Config config(place, "max_sandboxes: 5\n");
  const std::string sbxd = program_directory() + "/sbxd";
  ProgramOptions there;
  there.directory = place.directory();
  const ProgramResult checked = run_program({sbxd, "--config", "./config.yaml", "--check-config"}, there);
  CHECK(checked.out == "sbxd: nothing is wrong with '" + config.path() + "'\n");
  const ProgramResult missing = run_program({sbxd, "--config", "none.yaml", "--check-config"}, there);
  CHECK(missing.exit_status == 2);
  CHECK(holds(missing.err, "there is no file '" + place.directory() + "/none.yaml'"));
  for (const char* flag : {"--config", "--state-dir", "--run-dir", "--log"}) {
    const ProgramResult empty = run_program({sbxd, flag, "", "--check-config"}, there);
    CHECK(empty.exit_status == 2);
    CHECK(holds(empty.err, std::string(flag) + ": is empty"));
  }
  ProgramOptions variable = there;
  variable.environment = {{"SBX_CONFIG", "config.yaml"}};
  const ProgramResult relative = run_program({sbxd, "--check-config"}, variable);
  CHECK(relative.exit_status == 2);
  CHECK(holds(relative.err, "SBX_CONFIG: 'config.yaml' is not an absolute path"));

  // It is found again at SIGHUP, by the nurseries and by what prepares images.
  const Daemon daemon(place, {"--config", "config.yaml"}, "", {},
                      [&] { REQUIRE(chdir(place.directory().c_str()) == 0); });
  config.write("max_sandboxes: 6\n");
  hang_up(daemon, "were read again");
  CHECK(daemon.get("/v1/health/ready").body["max_sandboxes"] == 6);
  CHECK(daemon.run({{"shell", "exit 3"}})["exit_code"] == 3);
  CHECK_MESSAGE(daemon.said() == "sbxd: configuration and tokens were read again\n", daemon.said());
}

}  // namespace sbx::test
