// The interpreter of a language that only tests know: toy [--check] FILE [ARG…]; and its compiler, which puts
// FILE into a directory as it is: toy --compile FILE DIRECTORY. A line is a word and what it is about:
//   print TEXT   show PATH   env NAME   args   stdin   write PATH   junit PATH   link TARGET   exit N   abort
//   wait   fill PATH   swap PATH (moved away, a link to / in its place)
//   compile LINE (done by the compiler, and not by the interpreter)
// What is wrong ends it with FILE:LINE and status 1, with --check before anything is done.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

namespace {

bool is_word(const std::string& word) {
  for (const char* known : {"print", "show", "env", "args", "stdin", "write", "junit", "link", "exit",
                            "abort", "wait", "fill", "compile", "swap"}) {
    if (word == known) return true;
  }
  return false;
}

int fail(const std::string& what) {
  std::cerr << what << ": " << strerror(errno) << "\n";
  return 1;
}

// -1: go on.
int perform(const std::string& word, const std::string& rest, int argc, char** argv) {
  if (word == "print") std::cout << rest << "\n";
  if (word == "args") {
    for (int i = 0; i < argc; ++i) std::cout << "<" << argv[i] << ">\n";
  }
  if (word == "env") {
    const char* value = std::getenv(rest.c_str());
    std::cout << rest << "=" << (value == nullptr ? "(none)" : value) << "\n";
  }
  if (word == "stdin") {
    for (std::string line; std::getline(std::cin, line);) std::cout << line << "\n";
  }
  if (word == "show") {
    std::ifstream shown(rest);
    if (!shown) return fail(rest);
    for (std::string line; std::getline(shown, line);) std::cout << line << "\n";
  }
  if (word == "write" && !(std::ofstream(rest) << "written\n")) return fail(rest);
  constexpr const char* kReport = "<testsuite><testcase/><testcase><failure/></testcase></testsuite>\n";
  const std::string report = rest.empty() && argc > 0 ? argv[argc - 1] : rest;  // its last argument
  if (word == "junit" && !(std::ofstream(report) << kReport)) return fail(report);
  if (word == "link" && symlink(rest.c_str(), "/tmp/test-report") != 0) return fail(rest);
  if (word == "swap" &&
      (rename(rest.c_str(), (rest + ".old").c_str()) != 0 || symlink("/", rest.c_str()) != 0))
    return fail(rest);
  if (word == "fill") {
    std::ofstream file(rest);
    while (file << std::string(65536, 'x') << std::flush) {
    }
  }
  if (word == "exit") return std::atoi(rest.c_str());
  if (word == "abort") std::abort();
  while (word == "wait") pause();
  return -1;
}

}  // namespace

int main(int argc, char** argv) {
  const bool check = argc > 1 && strcmp(argv[1], "--check") == 0;
  const bool compile = argc > 3 && strcmp(argv[1], "--compile") == 0;
  const int first = check || compile ? 2 : 1;
  if (argc <= first) return 2;
  std::ifstream file(argv[first]);
  if (!file) return fail(argv[first]);
  std::ofstream compiled;
  if (compile) compiled.open(std::string(argv[3]) + "/main.toy");
  if (compile && !compiled) return fail(argv[3]);
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (compile) compiled << line << "\n";
    const bool is_compilers = line.starts_with("compile ");
    if (is_compilers && compile) line.erase(0, strlen("compile "));
    const std::size_t blank = line.find(' ');
    const std::string word = line.substr(0, blank);
    if (word.empty()) continue;
    if (!is_word(word)) {
      std::cerr << argv[first] << ":" << number << ": unknown word '" << word << "'\n";
      return 1;
    }
    if (check || is_compilers != compile) continue;
    const std::string rest = blank == std::string::npos ? "" : line.substr(blank + 1);
    const int status = perform(word, rest, argc - first - 1, argv + first + 1);
    std::cout.flush();
    if (status >= 0) return status;
  }
  return 0;
}
