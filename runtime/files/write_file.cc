#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "base/hash.h"
#include "base/scope_exit.h"
#include "files/draft.h"
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
  const ScopeExit clean([&] { forget(draft, directory.get()); });
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
