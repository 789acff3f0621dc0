#include "monitor/verify_log.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace sbx {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

// A log of six lines, in three files.
class SomeLog {
 public:
  SomeLog() {
    std::string pattern = (fs::temp_directory_path() / "sbx-chain-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    const std::size_t line = (*with_link(R"({"n":1})", {1, kNoLine})).size() + 1;
    for (int i = 1; i <= 6; ++i)
      REQUIRE(append_to_monitor_log({path(), 2 * line, 5}, "{\"n\":" + std::to_string(i) + "}"));
  }
  SomeLog(const SomeLog&) = delete;
  SomeLog& operator=(const SomeLog&) = delete;
  ~SomeLog() {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }

  [[nodiscard]] std::string path(int number = 0) const {
    return directory_ + "/log" + (number == 0 ? "" : "." + std::to_string(number));
  }
  [[nodiscard]] Strings lines(int number) const {
    std::ifstream file(path(number));
    Strings found;
    for (std::string line; std::getline(file, line);) found.push_back(line);
    return found;
  }
  void put(int number, const Strings& lines) const {
    std::ofstream file(path(number), std::ios::trunc);
    for (const std::string& line : lines) file << line << "\n";
  }
  [[nodiscard]] VerifiedLog verify(const std::optional<LogPin>& pin = {}) const {
    auto verified = verify_log(path(), pin);
    REQUIRE_MESSAGE(verified, (verified ? "" : verified.error().text));
    return std::move(*verified);
  }
  // The problems, each as FILE:LINE: TEXT.
  [[nodiscard]] Strings problems(const std::optional<LogPin>& pin = {}) const {
    Strings found;
    for (const LogProblem& one : verify(pin).problems)
      found.push_back(one.file.substr(directory_.size() + 1) + ":" + std::to_string(one.line) + ": " +
                      one.text);
    return found;
  }

 private:
  std::string directory_;
};

TEST_CASE("a log that nobody touched is whole, over all of its files") {
  const SomeLog log;
  REQUIRE(log.lines(2).size() == 2);
  const VerifiedLog verified = log.verify();
  CHECK(verified.lines == 6);
  CHECK(verified.first_seq == 1);
  CHECK(verified.head.seq == 6);
  CHECK(verified.head.hash == hash_of_line(log.lines(0)[1]));
  CHECK(verified.problem_count == 0);
  CHECK(verified.unlinked + verified.torn + verified.lost == 0);
}

TEST_CASE("older files that were rotated away are no problem") {
  const SomeLog log;
  fs::remove(log.path(2));
  CHECK(log.problems().empty());
  CHECK(log.verify().first_seq == 3);
}

TEST_CASE("a line that was changed is found") {
  const SomeLog log;
  Strings lines = log.lines(2);
  lines[0].replace(lines[0].find(":1"), 2, ":9");
  log.put(2, lines);
  CHECK(log.problems() == Strings{"log.2:2: it, or line 1 of the chain above it, was changed"});
}

TEST_CASE("the last line is held against what was noted of it") {
  const SomeLog log;
  Strings lines = log.lines(0);
  lines[1].replace(lines[1].find(":6"), 2, ":9");
  log.put(0, lines);
  CHECK(log.problems() == Strings{"log:0: its last line was changed"});
}

TEST_CASE("lines that were taken out are found, in the middle, at the end, and a whole file") {
  {
    const SomeLog log;
    log.put(1, {log.lines(1)[1]});
    CHECK(log.problems() == Strings{"log.1:1: line 3 of the chain is missing before it"});
  }
  {
    const SomeLog log;
    log.put(0, {log.lines(0)[0]});
    CHECK(log.problems() == Strings{"log:0: line 6 of the chain is missing at the end"});
    // Also when it goes on.
    REQUIRE(append_to_monitor_log({log.path(), 0, 5}, "{}"));
    CHECK(log.problems() == Strings{"log:2: line 6 of the chain is missing before it"});
  }
  {
    const SomeLog log;
    fs::remove(log.path(0));
    CHECK(log.problems() == Strings{"log.1:0: lines 5 to 6 of the chain are missing at the end"});
    REQUIRE(append_to_monitor_log({log.path(), 0, 5}, "{}"));
    CHECK(log.problems() == Strings{"log:1: lines 5 to 6 of the chain are missing before it"});
  }
}

TEST_CASE("lines that were moved or copied are found") {
  {
    const SomeLog log;
    Strings lines = log.lines(1);
    std::swap(lines[0], lines[1]);
    log.put(1, lines);
    CHECK(log.verify().problem_count == 3);
    CHECK(log.problems()[1] ==
          "log.1:2: it is line 3 of the chain, and comes after line 4: it was moved or copied");
  }
  {
    const SomeLog log;
    Strings lines = log.lines(1);
    lines.push_back(lines[1]);
    log.put(1, lines);
    CHECK(log.problems() ==
          Strings{"log.1:3: it is line 4 of the chain, and comes after line 4: it was moved or copied"});
  }
}

TEST_CASE("what somebody else wrote into it is found; what was torn is counted") {
  const SomeLog log;
  Strings lines = log.lines(1);
  lines.insert(lines.begin() + 1, R"({"n":7})");
  lines.insert(lines.begin() + 1, R"({"n":)");
  log.put(1, lines);
  CHECK(log.problems() == Strings{"log.1:3: it is no line of the chain: somebody else wrote it"});
  CHECK(log.verify().torn == 1);
}

TEST_CASE("a log from before there was a chain begins one") {
  const SomeLog log;
  for (int i = 0; i <= 2; ++i) fs::remove(log.path(i));
  fs::remove(log.path() + ".lock");
  log.put(0, {R"({"old":1})", R"({"old":2})"});
  REQUIRE(append_to_monitor_log({log.path(), 0, 5}, "{}"));
  CHECK(log.problems().empty());
  CHECK(log.verify().unlinked == 2);
  CHECK(log.verify().lines == 1);
  Strings lines = log.lines(0);
  lines[1] = R"({"old":3})";
  log.put(0, lines);
  CHECK(log.problems() == Strings{"log:3: what was before it was changed"});
}

TEST_CASE("a chain that was made anew is found by its head of another time") {
  const SomeLog log;
  const VerifiedLog before = log.verify();
  const LogPin pin{before.head.seq, before.head.hash};
  CHECK(log.problems(pin).empty());
  CHECK(log.problems(LogPin{2, hash_of_line(log.lines(2)[1])}).empty());
  CHECK(log.problems(LogPin{2, kNoLine}) == Strings{"log.2:2: it is not the line that --head tells"});
  CHECK(log.problems(LogPin{9, kNoLine}) ==
        Strings{"log:0: line 9 of the chain, which --head tells, is missing"});
  for (int i = 0; i <= 2; ++i) fs::remove(log.path(i));
  fs::remove(log.path() + ".lock");
  for (int i = 1; i <= 6; ++i) REQUIRE(append_to_monitor_log({log.path(), 0, 5}, R"({"n":0})"));
  CHECK(log.problems().empty());
  CHECK(log.problems(pin) == Strings{"log:6: it is not the line that --head tells"});
}

TEST_CASE("one that was killed before it noted how far the chain goes is no problem") {
  const SomeLog log;
  std::ifstream file(log.path() + ".lock");
  std::stringstream noted;
  noted << file.rdbuf();
  REQUIRE(append_to_monitor_log({log.path(), 0, 5}, "{}"));
  std::ofstream(log.path() + ".lock", std::ios::trunc) << noted.str();
  CHECK(log.problems().empty());
  REQUIRE(append_to_monitor_log({log.path(), 0, 5}, "{}"));
  CHECK(log.problems().empty());
  CHECK(log.verify().head.seq == 8);
}

TEST_CASE("links are read as strictly as they are written") {
  const std::string good = *with_link(R"({"n":1})", {7, kNoLine});
  CHECK(link_of(good) == LogLink{7, kNoLine});
  CHECK(link_of(*with_link("{}", {1, kNoLine})) == LogLink{1, kNoLine});
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"\"seq\":7", "\"seq\":0"},
                                 {"\"seq\":7", "\"seq\":x"},
                                 {"\"seq\":7", "\"sex\":7"},
                                 {"\"seq\":7", "\"seq\":99999999999999999999"},
                                 {"\"prev\"", "\"prex\""},
                                 {"000\"}", "00\"}"},
                                 {"000\"}", "00X\"}"},
                                 {"}", "} "}}) {
    std::string bad = good;
    bad.replace(bad.rfind(from), from.size(), to);
    CHECK_MESSAGE(!link_of(bad), bad);
  }
  CHECK_FALSE(with_link("{", {1, kNoLine}));
  LogHead head{3, kNoLine, 4, 5, 6, 7, 8};
  head.hash[0] = 'a';
  CHECK(decode_log_head(encode_log_head(head)) == head);
  CHECK(encode_log_head(head).size() == encode_log_head({}).size());
  CHECK(decode_log_head(encode_log_head({})) == LogHead{});
  CHECK(decode_log_head("") == LogHead{});
  CHECK(decode_log_head("sbx-log-head-1 1 x 1 1 1 1 1") == LogHead{});
}

}  // namespace
}  // namespace sbx
