// A running sbxd of a test's own, asked by curl.
#pragma once

#include <dirent.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {

using nlohmann::json;

struct HttpAnswer {
  int status = 0;
  std::string text;
  json body;  // null where it is none
};

// What the program of a result wrote, which ended well.
inline std::string text_of(const json& result) {
  INFO(result.dump());
  CHECK(result["exit_code"] == 0);
  return result["stdout"]["text"];
}

class Daemon {
 public:
  // `socket`: elsewhere than in its run directory. `wrapper`: what starts it, in its place.
  // `before_exec`: in its process.
  explicit Daemon(const Sandbox& place, std::vector<std::string> options = {}, std::string socket = {},
                  std::vector<std::string> wrapper = {}, const std::function<void()>& before_exec = {})
      : place_(place), socket_(std::move(socket)) {
    if (!socket_.empty()) options.insert(options.end(), {"--socket", socket_});
    std::vector<std::string> all{program_directory() + "/sbxd",
                                 "--state-dir",
                                 place.state_dir(),
                                 "--run-dir",
                                 place.run_dir(),
                                 "--log",
                                 place.log()};
    all.insert(all.end(), options.begin(), options.end());
    all.insert(all.begin(), wrapper.begin(), wrapper.end());
    std::vector<char*> arguments;
    for (std::string& one : all) arguments.push_back(one.data());
    arguments.push_back(nullptr);
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      (void)::signal(SIGABRT, SIG_DFL);
      (void)prctl(PR_SET_PDEATHSIG, SIGTERM);  // a test that is aborted leaves nothing
      const int log = open((place.directory() + "/sbxd.err").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
      (void)dup2(log, 2);
      if (before_exec) before_exec();
      (void)execvp(arguments[0], arguments.data());
      _exit(127);
    }
    wait_until_ready();
  }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon() {
    if (pid_ > 0) CHECK(stop() == 0);
  }

  // SIGTERM; its exit status.
  int stop() {
    (void)kill(pid_, SIGTERM);
    return wait();
  }
  int wait() {
    int status = 0;
    (void)waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  void kill_with_9() {
    (void)kill(pid_, SIGKILL);
    (void)wait();
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::string socket() const {
    return socket_.empty() ? place_.run_dir() + "/sbxd.sock" : socket_;
  }
  // What it said on its standard error.
  [[nodiscard]] std::string said() const { return read_file(place_.directory() + "/sbxd.err"); }

  HttpAnswer ask(const std::string& method, const std::string& path, const json& body = nullptr,
                 std::vector<std::string> options = {}) const {
    std::vector<std::string> command{"curl", "-s",   "-S", "--unix-socket",  socket(),
                                     "-X",   method, "-w", "\n%{http_code}", "http://sbx" + path};
    if (!body.is_null()) command.insert(command.end(), {"--data-binary", "@-"});
    command.insert(command.end(), options.begin(), options.end());
    ProgramOptions how;
    if (!body.is_null()) how.input = body.is_string() ? body.get<std::string>() : body.dump();
    const ProgramResult result = run_program(command, how);
    INFO(method << " " << path << ": " << result.err << "; sbxd said: " << said());
    CHECK(result.exit_status == 0);
    HttpAnswer answer;
    const std::size_t end = result.out.find_last_of('\n');
    REQUIRE(end != std::string::npos);
    answer.status = std::stoi(result.out.substr(end + 1));
    answer.text = result.out.substr(0, end);
    answer.body = json::parse(answer.text, nullptr, false);
    if (answer.body.is_discarded()) answer.body = nullptr;
    return answer;
  }
  HttpAnswer get(const std::string& path) const { return ask("GET", path); }
  HttpAnswer post(const std::string& path, const json& body) const { return ask("POST", path, body); }
  // The result of a run in a sandbox of its own.
  json run(const json& request) const {
    HttpAnswer answer = post("/v1/runs?wait", request);
    INFO(answer.text);
    REQUIRE(answer.status == 200);
    return answer.body;
  }
  // A living sandbox; its id.
  std::string create(const json& request = json::object()) const {
    const HttpAnswer made = post("/v1/sandboxes", request);
    INFO(made.text);
    REQUIRE(made.status == 201);
    CHECK(made.body["state"] == "ready");
    return made.body["id"];
  }
  json exec(const std::string& sandbox, const std::string& script) const {
    const HttpAnswer answer = post("/v1/sandboxes/" + sandbox + "/exec?wait", {{"shell", script}});
    INFO(answer.text);
    REQUIRE(answer.status == 200);
    return answer.body;
  }
  // sbxrun, which finds the socket.
  ProgramResult sbxrun(std::vector<std::string> arguments, ProgramOptions options = {}) const {
    arguments.insert(arguments.begin(), program_directory() + "/sbxrun");
    options.environment.emplace_back("SBX_SOCKET", socket());
    return run_program(arguments, options);
  }
  // Its processes with this name, without itself.
  [[nodiscard]] std::vector<pid_t> processes(const std::string& name) const {
    std::vector<pid_t> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const std::string pid = entry.path().filename();
      if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
      std::ifstream comm(entry.path() / "comm");
      std::string is;
      std::getline(comm, is);
      if (is == name && session_of(std::stoi(pid)) == pid_) found.push_back(std::stoi(pid));
    }
    return found;
  }

 private:
  // By descent: ours, and theirs.
  static pid_t session_of(pid_t pid) {
    for (int i = 0; i < 5; ++i) {
      std::ifstream file("/proc/" + std::to_string(pid) + "/status");
      std::string word;
      pid_t parent = 0;
      std::string name;
      for (std::string line; std::getline(file, line);) {
        if (line.starts_with("Name:")) name = line.substr(6);
        if (line.starts_with("PPid:")) parent = std::stoi(line.substr(5));
      }
      if (name == "sbxd") return pid;
      if (parent <= 1) return 0;
      pid = parent;
    }
    return 0;
  }
  void wait_until_ready() const {
    for (int i = 0; i < 600; ++i) {
      const ProgramResult result = run_program(
          {"curl", "-s", "-f", "-o", "/dev/null", "--unix-socket", socket(), "http://sbx/v1/health/ready"});
      if (result.exit_status == 0) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    FAIL("sbxd is not ready: " << said());
  }

  const Sandbox& place_;
  std::string socket_;
  pid_t pid_ = -1;
};

// Waits until it holds, at most half a minute.
template <class Condition>
bool comes_true(const Condition& condition) {
  for (int i = 0; i < 600; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

// SIGHUP, until sbxd has said so once more.
inline void hang_up(const Daemon& daemon, const std::string& says) {
  const auto times = [&] {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = daemon.said().find(says, at)) != std::string::npos; ++at) ++count;
    return count;
  };
  const std::size_t before = times();
  REQUIRE(kill(daemon.pid(), SIGHUP) == 0);
  REQUIRE(comes_true([&] { return times() > before; }));
}

}  // namespace sbx::test
