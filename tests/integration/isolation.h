// What the tests of isolation share: probes (tests/probes) print lines NAME=RESULT; the same attempt is made
// outside, where it means something, and inside, where it must fail.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <initializer_list>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {

using Answers = std::map<std::string, std::string>;

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

inline Answers parse_answers(const std::string& text) {
  Answers answers;
  for (const std::string& line : lines_of(text)) {
    const std::size_t equals = line.find('=');
    if (equals != std::string::npos) answers[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return answers;
}

inline std::string answer(const Answers& answers, const std::string& name) {
  const auto found = answers.find(name);
  return found == answers.end() ? "(no answer)" : found->second;
}

// The probes inside.
inline const std::string kProbes = "/mnt/probes";
inline std::string bind_probes() { return "--bind=" + probe_directory() + ":" + kProbes; }

// NAME ARGUMENTS…
inline Answers probe_outside(std::vector<std::string> command) {
  command.front() = probe_directory() + "/" + command.front();
  return parse_answers(run_program(command).out);
}

inline Answers probe_inside(const Sandbox& sandbox, std::vector<std::string> command,
                            std::vector<std::string> options = {}) {
  options.insert(options.end(), {bind_probes(), "--", kProbes + "/" + command.front()});
  options.insert(options.end(), command.begin() + 1, command.end());
  const ProgramResult result = sandbox.run(options);
  CHECK_MESSAGE(result.exit_status == 0, command.front() << " inside: " << result.err);
  return parse_answers(result.out);
}

inline void check_answers(const Answers& answers, std::initializer_list<const char*> names,
                          const std::string& expected) {
  for (const char* name : names) {
    CHECK_MESSAGE(answer(answers, name) == expected, std::string(name) << " gave " << answer(answers, name));
  }
}

// What a shell script inside prints, without the blanks at its end.
inline std::string said_inside(const Sandbox& sandbox, const std::string& script,
                               std::vector<std::string> options = {}) {
  std::string out = sandbox.shell(script, std::move(options)).out;
  while (out.ends_with('\n') || out.ends_with(' ')) out.pop_back();
  return out;
}

// A program that runs beside the test, until its standard input ends (which is when this goes).
class Background {
 public:
  explicit Background(const std::vector<std::string>& command) {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    REQUIRE(pipe2(in.data(), O_CLOEXEC) == 0);
    REQUIRE(pipe2(out.data(), O_CLOEXEC) == 0);
    std::vector<char*> arguments;
    for (const std::string& part : command) arguments.push_back(const_cast<char*>(part.c_str()));
    arguments.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      (void)dup2(in[0], 0);
      (void)dup2(out[1], 1);
      (void)execv(arguments[0], arguments.data());
      _exit(127);
    }
    (void)close(in[0]);
    (void)close(out[1]);
    in_ = in[1];
    out_ = out[0];
  }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  ~Background() { (void)end(); }

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] const std::string& said() const { return said_; }

  // False when it ended, or half a minute went by, before it printed `text`.
  bool wait_for(const std::string& text) {
    const auto patience = std::chrono::seconds(30 * time_scale());
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (said_.find(text) == std::string::npos && std::chrono::steady_clock::now() < deadline) {
      pollfd polled{out_, POLLIN, 0};
      if (poll(&polled, 1, 100) <= 0) continue;
      std::array<char, 4096> buffer{};
      const ssize_t size = read(out_, buffer.data(), buffer.size());
      if (size <= 0) return false;
      said_.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return said_.find(text) != std::string::npos;
  }

  // Its wait status.
  int end() {
    if (pid_ < 0) return status_;
    (void)close(in_);
    (void)wait_for("(its end)");
    (void)close(out_);
    (void)waitpid(pid_, &status_, 0);
    pid_ = -1;
    return status_;
  }

 private:
  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  int status_ = 0;
  std::string said_;
};

// sbxrun with these arguments, for a Background.
inline std::vector<std::string> sbxrun_command(const Sandbox& sandbox,
                                               const std::vector<std::string>& arguments) {
  std::vector<std::string> command{program_directory() + "/sbxrun",
                                   "--direct",
                                   "--quiet",
                                   "--state-dir=" + sandbox.state_dir(),
                                   "--run-dir=" + sandbox.run_dir(),
                                   "--log=" + sandbox.log()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

}  // namespace sbx::test
