// What the tests of policies and filters share.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "base/result.h"

namespace sbx::testing {

class TempDirectory {
 public:
  TempDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "sbx-policy-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::string& path() const { return path_; }

  // Writes a file below the directory, with what leads to it, and gives its path.
  [[nodiscard]] std::string write(const std::string& name, const std::string& text) const {
    const std::filesystem::path path = std::filesystem::path(path_) / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    std::filesystem::permissions(path, std::filesystem::perms(0644));
    return path.string();
  }

 private:
  std::string path_;
};

inline std::string read_text(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// policies/ of the checkout that the tests run in: at or above the working directory.
inline std::string shipped_policies() {
  std::filesystem::path place = std::filesystem::current_path();
  while (!std::filesystem::exists(place / "policies" / "seccomp" / "default.yaml")) {
    REQUIRE_MESSAGE(place != place.parent_path(), "the tests must run below the checkout");
    place = place.parent_path();
  }
  return (place / "policies").string();
}

inline constexpr const char* kShippedNames[] = {"strict", "default", "permissive"};

template <class T>
std::string error_of(const Result<T>& result) {
  return result ? "(no error)" : result.error().text;
}

// A policy with nothing but what must be there.
inline std::string small_policy(const std::string& name = "small") {
  return "name: " + name +
         "\n"
         "description: a test\n"
         "limits:\n"
         "  memory: 512M\n"
         "  cpus: 1\n"
         "  pids: 256\n"
         "  wall-time: 60s\n"
         "  cpu-time: none\n"
         "  nofile: 1024\n"
         "  fsize: none\n"
         "  tmp: 256M\n"
         "  disk: 1G\n"
         "  inodes: 100000\n"
         "  output-limit: 8M\n"
         "seccomp: default\n";
}

// `text` with the first `from` replaced.
inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace sbx::testing
