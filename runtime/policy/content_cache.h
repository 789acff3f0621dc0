// Files that hold what was made from some content, named by a hash of that content: never stale, and a miss
// costs time and nothing else.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sbx {

class ContentCache {
 public:
  // Files DIRECTORY/KEY.KIND of at most `max_bytes`. An empty directory: nothing is ever found or stored.
  ContentCache(std::string directory, std::string kind, std::size_t max_bytes)
      : directory_(std::move(directory)), kind_(std::move(kind)), max_bytes_(max_bytes) {}

  // What was stored under `key`. Missing, foreign (not ours, writable by others), torn, unreadable: all the
  // same, nothing. Against a writer of our own uid it is no protection.
  [[nodiscard]] std::optional<std::string> read(std::string_view key) const;
  // Atomic; a cache that cannot be written is no error.
  void store(std::string_view key, std::string_view bytes) const;

 private:
  [[nodiscard]] std::string path_of(std::string_view key) const;

  std::string directory_;
  std::string kind_;
  std::size_t max_bytes_;
};

}  // namespace sbx
