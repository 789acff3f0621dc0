#include "files/draft.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cstdio>

namespace sbx::files {
Done<std::string> random_draft_name() {
  std::array<unsigned char, 8> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) < 0) return failed(FileStep::open, errno);
  std::string name = kDraftName;
  for (const unsigned char byte : bytes) {
    name += "0123456789abcdef"[byte >> 4U];
    name += "0123456789abcdef"[byte & 15U];
  }
  return name;
}

namespace {

Done<std::string> name_for(const Draft& draft) {
  if (!draft.wanted.empty()) return draft.wanted;
  return random_draft_name();
}

// Gives a draft without a name one.
Done<void> link_draft(const Draft& draft, int directory, const std::string& name) {
  // Without the right to do it so, or a path to it.
  if (linkat(draft.fd.get(), "", directory, name.c_str(), AT_EMPTY_PATH) == 0) return {};
  if (errno != ENOENT) return failed(FileStep::rename, errno);
  const std::string path = "/proc/self/fd/" + std::to_string(draft.fd.get());
  if (linkat(AT_FDCWD, path.c_str(), directory, name.c_str(), AT_SYMLINK_FOLLOW) != 0)
    return failed(FileStep::rename, errno);
  return {};
}

// Only where nothing is.
Done<void> place_fresh(Draft& draft, int directory, const std::string& name) {
  if (draft.name.empty()) return failed(FileStep::condition, EEXIST);
  if (renameat2(directory, draft.name.c_str(), directory, name.c_str(), RENAME_NOREPLACE) != 0)
    return failed(errno == EEXIST ? FileStep::condition : FileStep::rename, errno);
  draft.name.clear();
  return {};
}

}  // namespace

Done<Draft> make_draft(int directory, const std::string& wanted) {
  Draft draft;
  draft.wanted = wanted;
  draft.fd = UniqueFd(openat(directory, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
  if (draft.fd.valid()) return draft;
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL) return failed(FileStep::open, errno);
  draft.name = TRY(name_for(draft));
  draft.fd = UniqueFd(
      openat(directory, draft.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!draft.fd.valid()) return failed(FileStep::open, errno);
  return draft;
}

void forget(const Draft& draft, int directory) {
  if (!draft.name.empty()) (void)unlinkat(directory, draft.name.c_str(), 0);
}

Done<void> check_old(int directory, const std::string& name, const std::string& expected) {
  const UniqueFd old(openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!old.valid()) return failed(errno == ENOENT ? FileStep::condition : FileStep::open, errno);
  const std::string hash = TRY(hash_of(old.get()));
  if (hash != expected) return failed(FileStep::condition, ESTALE);
  return {};
}

Done<void> put_in_place(Draft& draft, int directory, const std::string& name, bool there, bool fresh) {
  if (draft.name.empty() && !there) {
    auto linked = link_draft(draft, directory, name);
    if (linked || linked.error().error_number != EEXIST) return linked;
  }
  if (fresh) return place_fresh(draft, directory, name);
  if (draft.name.empty()) {
    const std::string other = TRY(name_for(draft));
    TRY(link_draft(draft, directory, other));
    draft.name = other;
  }
  if (renameat2(directory, draft.name.c_str(), directory, name.c_str(), 0) != 0)
    return failed(FileStep::rename, errno);
  draft.name.clear();
  return {};
}

}  // namespace sbx::files
