// What the tests of isolation share: probes (tests/probes) print lines NAME=RESULT; the same attempt is made
// outside, where it means something, and inside, where it must fail.
#pragma once

#include <doctest/doctest.h>

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
    CHECK_MESSAGE(answer(answers, name) == expected, name << " gave " << answer(answers, name));
  }
}

// What a shell script inside prints, without the last line's end.
inline std::string said_inside(const Sandbox& sandbox, const std::string& script,
                               std::vector<std::string> options = {}) {
  std::string out = sandbox.shell(script, std::move(options)).out;
  while (out.ends_with('\n')) out.pop_back();
  return out;
}

}  // namespace sbx::test
