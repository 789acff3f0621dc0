// An image of one static program, which takes no time to make: tests/probes/toy.cc is its interpreter.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "isolation.h"

namespace sbx::test {

inline ProgramResult sbxctl(const Sandbox& sandbox, const std::vector<std::string>& arguments,
                            ProgramOptions options = {}) {
  std::vector<std::string> all{program_directory() + "/sbxctl", "--state-dir", sandbox.state_dir(), "--log",
                               sandbox.log()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run_program(all, std::move(options));
}

// Into the tree that images are made of: a program of this host, with what it is linked to.
inline void add_program(const Sandbox& sandbox, const std::string& program, const std::string& place) {
  namespace fs = std::filesystem;
  const std::string tree = sandbox.directory() + "/tree";
  const auto put = [&](const std::string& from, const std::string& to) {
    fs::create_directories(fs::path(tree + to).parent_path());
    fs::copy_file(from, tree + to, fs::copy_options::overwrite_existing);
  };
  put(program, place);
  std::istringstream lines(run_program({"/usr/bin/ldd", program}).out);
  for (std::string word; lines >> word;) {
    if (word.starts_with('/')) put(word, word);
  }
}

// DIRECTORY/NAME.tar.zst (not compressed) and its sidecar; the path of the tarball.
inline std::string make_toy(const Sandbox& sandbox, const std::string& directory, const std::string& name,
                            const std::string& runner) {
  namespace fs = std::filesystem;
  const std::string tree = sandbox.directory() + "/tree";
  if (!fs::exists(tree + "/var")) {
    fs::create_directories(tree + "/bin");
    fs::create_directories(tree + "/var/cache/toy");
    fs::copy_file(probe_directory() + "/toy", tree + "/bin/toy");
    write_file(tree + "/var/cache/toy/old", "old\n");
    for (const char* path : {"/var/cache/toy", "/var/cache/toy/old"})
      REQUIRE(chown((tree + path).c_str(), 1000, 1000) == 0);
  }
  std::size_t entries = 1;
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(tree)) {
    ++entries;
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  const std::string tarball = directory + "/" + name + ".tar.zst";
  REQUIRE(run_program({"/usr/bin/tar", "--numeric-owner", "-C", tree, "-cf", tarball, "."}).exit_status == 0);
  const std::string sum = run_program({"/usr/bin/sha256sum", tarball}).out;
  const nlohmann::json sidecar{{"schema", 1},
                               {"name", name},
                               {"digest", "sha256:" + sum.substr(0, 64)},
                               {"tarball_bytes", fs::file_size(tarball)},
                               {"unpacked_bytes", bytes},
                               {"entries", entries},
                               {"architecture", "amd64"},
                               {"os", "linux"},
                               {"language", "toy"},
                               {"versions", {{"toy", "1.0"}}},
                               {"built_at", "2026-11-22T10:00:00Z"},
                               {"runner", runner}};
  std::string description = directory + "/" + name + ".json";
  write_file(description, sidecar.dump());
  return tarball;
}

// The least that makes it a language's image.
inline constexpr const char* kPlainToy =
    "languages: [{name: toy, file: main.toy, actions: {run: [/bin/toy, \"{file}\"]}}]\n";

inline void import_toy(const Sandbox& sandbox, const std::string& name, const std::string& runner) {
  const ProgramResult imported =
      sbxctl(sandbox, {"images", "import", make_toy(sandbox, sandbox.directory(), name, runner)});
  REQUIRE_MESSAGE(imported.exit_status == 0, imported.err);
}

}  // namespace sbx::test
