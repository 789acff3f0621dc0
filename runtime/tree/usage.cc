#include "tree/usage.h"

#include <cerrno>
#include <set>
#include <utility>

#include "tree/changes.h"
#include "tree/entries.h"

namespace sbx::tree {
namespace {

constexpr std::uint64_t kBlock = 512;  // st_blocks, inode(7)

class Measure {
 public:
  Result<void> walk(int directory, int depth) {
    if (depth > kMostDepth) return fail(system_error("openat", "a directory too deep below", ENAMETOOLONG));
    const Entries entries = TRY(read_entries(directory));
    for (const auto& [name, status] : entries) {
      if (status.st_nlink > 1 && !S_ISDIR(status.st_mode) &&
          !counted_.emplace(status.st_dev, status.st_ino).second)
        continue;
      usage_.bytes += static_cast<std::uint64_t>(status.st_blocks) * kBlock;
      ++usage_.inodes;
      if (!S_ISDIR(status.st_mode)) continue;
      const Result<UniqueFd> below = open_directory(directory, name);
      if (!below && below.error().error_number == ENOENT) continue;  // a program removed it just now
      if (!below) return fail(below.error());
      TRY(walk(below->get(), depth + 1));
    }
    return {};
  }

  [[nodiscard]] const Usage& usage() const { return usage_; }

 private:
  Usage usage_;
  std::set<std::pair<dev_t, ino_t>> counted_;
};

}  // namespace

Result<Usage> measure(int top) {
  Measure measure;
  TRY(measure.walk(top, 0));
  return measure.usage();
}

}  // namespace sbx::tree
