#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "base/hash.h"
#include "base/scope_exit.h"
#include "files/operations.h"
#include "os/file.h"

namespace sbx::files {
namespace {

constexpr mode_t kMode = 0644;

// The name that open(2) would come to: a link is followed, also one that leads to nothing yet.
Done<std::string> behind_links(std::string path) {
  constexpr int kMostLinks = 40;  // path_resolution(7)
  for (int i = 0; i < kMostLinks; ++i) {
    const auto stat = stat_at(AT_FDCWD, path, false);
    if (!stat && stat.error().error_number != ENOENT)
      return failed(FileStep::open, stat.error().error_number);
    if (!stat || stat->type != FileType::link) return path;
    const std::size_t slash = path.find_last_of('/');
    const bool whole = stat->target.starts_with('/') || slash == std::string::npos;
    path = (whole ? "" : path.substr(0, slash + 1)) + stat->target;
  }
  return failed(FileStep::open, ELOOP);
}

Done<std::string> random_name() {
  std::array<unsigned char, 8> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) < 0) return failed(FileStep::open, errno);
  std::string name = ".sbx-upload-";
  for (const unsigned char byte : bytes) {
    name += "0123456789abcdef"[byte >> 4U];
    name += "0123456789abcdef"[byte & 15U];
  }
  return name;
}

// A file without a name, where the file system can have one: whatever happens, nothing is left of it.
struct Draft {
  UniqueFd fd;
  std::string name;  // empty: none
};

Done<Draft> make_draft(int directory) {
  Draft draft;
  draft.fd = UniqueFd(openat(directory, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
  if (draft.fd.valid()) return draft;
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL) return failed(FileStep::open, errno);
  draft.name = TRY(random_name());
  draft.fd = UniqueFd(
      openat(directory, draft.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!draft.fd.valid()) return failed(FileStep::open, errno);
  return draft;
}

// Returns its hash.
Done<std::string> take_content(int fd) {
  Sha256 hash;
  while (true) {
    const Result<std::string> piece = read_frame(kMostFilePiece);
    if (!piece) return failed(FileStep::input, EPIPE);
    if (piece->empty()) return hash.hex();
    hash.update(*piece);
    if (const auto written = os::write_all(fd, *piece, ""); !written)
      return failed(FileStep::write, written.error().error_number);
  }
}

// Gives a draft without a name one.
Done<void> link_draft(const Draft& draft, int directory, const std::string& name) {
  const std::string path = "/proc/self/fd/" + std::to_string(draft.fd.get());
  if (linkat(AT_FDCWD, path.c_str(), directory, name.c_str(), AT_SYMLINK_FOLLOW) != 0)
    return failed(FileStep::rename, errno);
  return {};
}

// Whether what is there is what was expected.
Done<void> check_old(int directory, const std::string& name, const std::string& expected) {
  const UniqueFd old(openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!old.valid()) return failed(errno == ENOENT ? FileStep::condition : FileStep::open, errno);
  const std::string hash = TRY(hash_of(old.get()));
  if (hash != expected) return failed(FileStep::condition, ESTALE);
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

Done<void> put_in_place(Draft& draft, int directory, const std::string& name, bool there, bool fresh) {
  if (draft.name.empty() && !there) {
    auto linked = link_draft(draft, directory, name);
    if (linked || linked.error().error_number != EEXIST) return linked;
  }
  if (fresh) return place_fresh(draft, directory, name);
  if (draft.name.empty()) {
    const std::string other = TRY(random_name());
    TRY(link_draft(draft, directory, other));
    draft.name = other;
  }
  if (renameat(directory, draft.name.c_str(), directory, name.c_str()) != 0)
    return failed(FileStep::rename, errno);
  draft.name.clear();
  return {};
}

// Whether the file may be replaced, and with which mode. Nothing: there is none.
Done<std::optional<mode_t>> mode_of_old(int directory, const std::string& name) {
  const auto old = stat_at(directory, name, false);
  if (!old && old.error().error_number == ENOENT) return std::optional<mode_t>();
  if (!old) return failed(FileStep::open, old.error().error_number);
  if (old->type == FileType::directory) return failed(FileStep::open, EISDIR);
  if (old->type != FileType::file) return failed(FileStep::type, EINVAL, *old);
  // To replace it asks for rights over the directory only; who may not write to it is not to do that either.
  if (faccessat(directory, name.c_str(), W_OK, 0) != 0) return failed(FileStep::open, errno);
  return std::optional<mode_t>(old->mode & 0777);
}

}  // namespace

Done<FileAnswer> write(const FileRequest& request) {
  if (request.parents) TRY(make_parents(request.path));
  const std::string path = TRY(behind_links(request.path));
  const std::size_t slash = path.find_last_of('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (name.empty() || name == "." || name == "..") return failed(FileStep::open, EISDIR);
  const std::string above = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const UniqueFd directory(open(above.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return failed(FileStep::open, errno);
  const std::optional<mode_t> old = TRY(mode_of_old(directory.get(), name));
  if (old ? request.fresh : !request.expected.empty())
    return failed(FileStep::condition, old ? EEXIST : ENOENT);
  Draft draft = TRY(make_draft(directory.get()));
  const ScopeExit forget([&] {
    if (!draft.name.empty()) (void)unlinkat(directory.get(), draft.name.c_str(), 0);
  });
  FileAnswer answer;
  answer.sha256 = TRY(take_content(draft.fd.get()));
  const mode_t mode = request.mode ? static_cast<mode_t>(*request.mode) : old.value_or(kMode);
  if (fchmod(draft.fd.get(), mode) != 0) return failed(FileStep::write, errno);
  if (!request.expected.empty()) TRY(check_old(directory.get(), name, request.expected));
  TRY(put_in_place(draft, directory.get(), name, old.has_value(), request.fresh));
  answer.created = !old;
  answer.stat = TRY(stat_at(directory.get(), name, false));
  return answer;
}

}  // namespace sbx::files
