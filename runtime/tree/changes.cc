#include "tree/changes.h"

#include <unistd.h>

#include <algorithm>
#include <climits>
#include <vector>

#include "tree/entries.h"

namespace sbx::tree {
namespace {

constexpr std::size_t kBlock = 65536;

std::optional<EntryState> state_of(const struct stat& status) {
  return EntryState{status.st_mode, S_ISREG(status.st_mode) ? static_cast<std::uint64_t>(status.st_size) : 0};
}

Result<std::size_t> read_block(int fd, std::vector<char>& block) {
  std::size_t filled = 0;
  while (filled < block.size()) {
    const ssize_t count = read(fd, block.data() + filled, block.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(system_error("read", "", errno));
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  return filled;
}

Result<bool> same_bytes(int first, int second) {
  std::vector<char> a(kBlock);
  std::vector<char> b(kBlock);
  while (true) {
    const std::size_t of_a = TRY(read_block(first, a));
    const std::size_t of_b = TRY(read_block(second, b));
    if (of_a != of_b || !std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(of_a), b.begin()))
      return false;
    if (of_a < kBlock) return true;
  }
}

class Comparison {
 public:
  Comparison(After kind, const std::function<Result<void>(Change)>& each) : kind_(kind), each_(each) {}

  // `hides`: what is only in `before` was deleted.
  Result<void> directories(int before, int after, const std::string& path, bool hides) {
    const Deeper deeper(*this);
    TRY(check_depth(path));
    const Entries old = TRY(read_entries(before));
    const Entries now = TRY(read_entries(after));
    auto gone = old.begin();
    const auto pass_gone = [&](const std::string* until) -> Result<void> {
      for (; gone != old.end() && (until == nullptr || gone->first < *until); ++gone) {
        if (hides) TRY(deleted(before, gone->first, gone->second, path));
      }
      return {};
    };
    for (const auto& [name, status] : now) {
      TRY(pass_gone(&name));
      const struct stat* former = nullptr;
      if (gone != old.end() && gone->first == name) former = &(gone++)->second;
      TRY(entry({before, after, name, path}, former, status));
    }
    return pass_gone(nullptr);
  }

 private:
  struct Place {
    int before;
    int after;
    const std::string& name;
    const std::string& path;
  };

  struct Deeper {
    explicit Deeper(Comparison& comparison) : comparison_(comparison) { ++comparison_.depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;
    ~Deeper() { --comparison_.depth_; }
    Comparison& comparison_;
  };

  [[nodiscard]] Result<void> check_depth(const std::string& path) const {
    if (depth_ > kMostDepth || path.size() >= PATH_MAX)
      return fail(Error{"its directories lie too deep in each other, below '" + path.substr(0, 100) + "…'",
                        ENAMETOOLONG});
    return {};
  }

  Result<void> entry(const Place& place, const struct stat* former, const struct stat& status) {
    const auto [before, after, name, path] = place;
    const std::string here = join(path, name);
    if (kind_ == After::layer && is_whiteout(status))
      return former == nullptr ? Result<void>() : deleted(before, name, *former, path);
    if (former == nullptr) return added(after, name, status, path);
    if (S_ISDIR(former->st_mode) && S_ISDIR(status.st_mode)) {
      if (((former->st_mode ^ status.st_mode) & 07777) != 0)
        TRY(each_({here, state_of(*former), state_of(status), false}));
      const UniqueFd old = TRY(open_directory(before, name));
      const UniqueFd now = TRY(open_directory(after, name));
      return directories(old.get(), now.get(), here, kind_ == After::whole || is_opaque(now.get()));
    }
    bool content = ((former->st_mode ^ status.st_mode) & S_IFMT) != 0;
    if (content && S_ISDIR(former->st_mode)) TRY(inside_deleted(before, name, here));
    if (!content) content = !TRY(is_same(place, *former, status));
    if (content || former->st_mode != status.st_mode)
      TRY(each_({here, state_of(*former), state_of(status), content}));
    return S_ISDIR(status.st_mode) ? inside_added(after, name, here) : Result<void>();
  }

  static Result<bool> is_same(const Place& place, const struct stat& former, const struct stat& status) {
    if (former.st_dev == status.st_dev && former.st_ino == status.st_ino) return true;
    if (former.st_size != status.st_size || former.st_rdev != status.st_rdev) return false;
    return same_content(place.before, place.after, place.name);
  }

  Result<void> added(int directory, const std::string& name, const struct stat& status,
                     const std::string& path) {
    const std::string here = join(path, name);
    TRY(each_({here, std::nullopt, state_of(status), true}));
    return S_ISDIR(status.st_mode) ? inside_added(directory, name, here) : Result<void>();
  }

  Result<void> inside_added(int directory, const std::string& name, const std::string& here) {
    const Deeper deeper(*this);
    TRY(check_depth(here));
    const UniqueFd opened = TRY(open_directory(directory, name));
    for (const auto& [child, status] : TRY(read_entries(opened.get()))) {
      if (kind_ == After::layer && is_whiteout(status)) continue;
      TRY(added(opened.get(), child, status, here));
    }
    return {};
  }

  Result<void> deleted(int directory, const std::string& name, const struct stat& status,
                       const std::string& path) {
    const std::string here = join(path, name);
    if (S_ISDIR(status.st_mode)) TRY(inside_deleted(directory, name, here));
    return each_({here, state_of(status), std::nullopt, true});
  }

  Result<void> inside_deleted(int directory, const std::string& name, const std::string& here) {
    const Deeper deeper(*this);
    TRY(check_depth(here));
    const UniqueFd opened = TRY(open_directory(directory, name));
    for (const auto& [child, status] : TRY(read_entries(opened.get())))
      TRY(deleted(opened.get(), child, status, here));
    return {};
  }

  After kind_;
  const std::function<Result<void>(Change)>& each_;
  int depth_ = 0;
};

}  // namespace

Result<bool> same_content(int first, int second, const std::string& name) {
  const std::optional<struct stat> a = TRY(stat_entry(first, name));
  const std::optional<struct stat> b = TRY(stat_entry(second, name));
  if (!a || !b || ((a->st_mode ^ b->st_mode) & S_IFMT) != 0) return false;
  if (S_ISLNK(a->st_mode)) return TRY(read_link(first, name)) == TRY(read_link(second, name));
  if (!S_ISREG(a->st_mode)) return a->st_rdev == b->st_rdev;
  if (a->st_size != b->st_size) return false;
  const UniqueFd of_a = TRY(open_regular(first, name));
  const UniqueFd of_b = TRY(open_regular(second, name));
  return same_bytes(of_a.get(), of_b.get());
}

Result<void> compare(int before, int after, After kind, const std::function<Result<void>(Change)>& each) {
  return Comparison(kind, each).directories(before, after, "", kind == After::whole || is_opaque(after));
}

}  // namespace sbx::tree
