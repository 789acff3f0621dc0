// A temporary directory of a fuzzer, below TMPDIR (tools/dev fuzz gives one in memory, and removes it).
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "fuzz/fuzz.h"

namespace sbx::fuzz {

class Place {
 public:
  Place() {
    path_ = std::filesystem::temp_directory_path() / "sbx-fuzz-XXXXXX";
    must(mkdtemp(path_.data()) != nullptr, "a temporary directory can be made", path_);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    std::error_code ignored;  // the directory that it is in is removed as well
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
  void write(const std::string& name, std::string_view text) const {
    std::ofstream stream(file(name), std::ios::binary | std::ios::trunc);
    stream << text;
    stream.close();
    must(stream.good(), "a file can be written", name);
  }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream stream(file(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

 private:
  std::string path_;
};

}  // namespace sbx::fuzz
