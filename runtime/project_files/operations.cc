#include "project_files/operations.h"

#include <linux/openat2.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/printable.h"
#include "base/scope_exit.h"
#include "files/draft.h"
#include "os/file.h"
#include "project_files/content_in.h"
#include "project_files/names.h"
#include "tree/changes.h"
#include "tree/entries.h"
#include "tree/worker.h"

namespace sbx::project_files {
namespace {

constexpr std::uint64_t kNoLinks = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
constexpr mode_t kFolderMode = 0755;
constexpr mode_t kFileMode = 0644;
constexpr mode_t kPermissions = 0777;
constexpr unsigned kMostNumber = 999;
constexpr std::size_t kPiece = 65536;
constexpr std::int64_t kSecond = 1'000'000'000;

std::string quoted(const std::string& path) { return "'" + printable(path.empty() ? "." : path) + "'"; }

Error with_path(const Error& error, const std::string& path) {
  if (error.error_number == ELOOP || error.error_number == EXDEV)
    return {quoted(path) + " is a symbolic link or leads through one, and none is followed", ELOOP};
  return {quoted(path) + ": " + errno_text(error.error_number) + " (" + errno_name(error.error_number) + ")",
          error.error_number};
}

Result<UniqueFd> open_below(int directory, const std::string& path, int flags) {
  return os::open_resolved(directory, path, flags | O_NONBLOCK | O_NOCTTY, kNoLinks);
}

// Each as it is missing; what is there stays as it is.
Result<UniqueFd> make_folders(int directory, const std::string& folder) {
  UniqueFd at = TRY(open_below(directory, ".", O_RDONLY | O_DIRECTORY));
  std::string_view rest = folder;
  while (!rest.empty()) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string part(rest.substr(0, slash));
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    if (mkdirat(at.get(), part.c_str(), kFolderMode) != 0 && errno != EEXIST)
      return fail(system_error("mkdir", part, errno));
    at = TRY(open_below(at.get(), part, O_RDONLY | O_DIRECTORY));
  }
  return at;
}

Error not_ours(const std::string& folder) {
  return {"the folder " + quoted(folder) +
              " is not for its user to change; in a split project new files go to "
              "project_files, agent_workspace or outputs",
          EACCES};
}

template <class T>
Result<T> told(files::Done<T> done, const std::string& path) {
  if (!done) return fail(error_of(done.error(), path));
  if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    return *std::move(done);
  }
}

std::int64_t in_ns(const timespec& time) { return time.tv_sec * kSecond + time.tv_nsec; }

Result<FileFacts> take_content(int file, const WriteOrder& order, const ContentTypes& types) {
  Intake intake(file, order.rules, types);
  ContentIn content(order.framed);
  std::vector<char> buffer(kPiece);
  while (true) {
    const ssize_t count = content.read(buffer);
    if (count < 0) return fail(system_error("read", "the content", errno));
    if (count == 0) return intake.finish();
    TRY(intake.take({buffer.data(), static_cast<std::size_t>(count)}));
  }
}

// A new file that has its content and looks for its name.
class Placing {
 public:
  Placing(const WriteOrder& order, int directory, files::Draft& draft, Written& written)
      : order_(order), directory_(directory), draft_(draft), written_(written) {}

  Result<void> place() {
    TRY(lock_names());
    const auto old = TRY(tree::stat_entry(directory_, order_.name));
    if (order_.existing || (old && order_.taken == Taken::replace)) return replace(old);
    if (order_.taken != Taken::rename) return place_fresh(order_.name);
    for (unsigned number = 0; number <= kMostNumber; ++number) {
      const std::string name = number == 0 ? order_.name : numbered_name(order_.name, number);
      Result<void> placed = place_fresh(name);
      if (placed || placed.error().error_number != EEXIST) return placed;
      if (!has_same_content(name)) continue;
      written_.file.path = join(order_.folder, name);
      written_.deduplicated = true;
      return {};
    }
    return fail(Error{path() + " is there, and so are those of its name with numbers", EEXIST});
  }

 private:
  [[nodiscard]] std::string path() const { return quoted(join(order_.folder, order_.name)); }

  Result<void> set_mode(mode_t mode) const {
    if (fchmod(draft_.fd.get(), mode) != 0) return fail(system_error("fchmod", order_.name, errno));
    return {};
  }

  Result<void> place_fresh(const std::string& name) {
    TRY(set_mode(kFileMode));
    const auto placed = files::put_in_place(draft_, directory_, name, false, true);
    if (!placed && placed.error().error_number == EEXIST)
      return fail(Error{path() + " is there already", EEXIST});
    TRY(told(placed, join(order_.folder, name)));
    written_.file.path = join(order_.folder, name);
    written_.created = true;
    return {};
  }

  Result<void> replace(const std::optional<struct stat>& old) {
    if (!old) return fail(Error{"there is no file " + path(), ENOENT});
    if (S_ISDIR(old->st_mode)) return fail(Error{path() + " is a folder", EISDIR});
    if (S_ISLNK(old->st_mode))
      return fail(Error{path() + " is a symbolic link, and none is followed", ELOOP});
    if (!S_ISREG(old->st_mode)) return fail(Error{path() + " is no regular file", EINVAL});
    TRY(set_mode(old->st_mode & kPermissions));
    if (!order_.expected.empty()) {
      const auto same = files::check_old(directory_, order_.name, order_.expected);
      if (!same && same.error().error_number == ESTALE)
        return fail(Error{path() + " has changed: its content is not the one expected", ESTALE});
      TRY(told(same, join(order_.folder, order_.name)));
    }
    const auto placed = files::put_in_place(draft_, directory_, order_.name, true, false);
    written_.file.path = join(order_.folder, order_.name);
    return told(placed, written_.file.path);
  }

  [[nodiscard]] bool has_same_content(const std::string& name) const {
    const auto there = tree::stat_entry(directory_, name);
    if (!there || !*there || !S_ISREG((*there)->st_mode)) return false;
    if (static_cast<std::uint64_t>((*there)->st_size) != written_.file.size) return false;
    return files::check_old(directory_, name, written_.file.sha256).has_value();
  }

  const WriteOrder& order_;
  int directory_;
  files::Draft& draft_;
  Written& written_;
};

Result<void> send(int from, std::uint64_t left) {
  std::vector<char> buffer(kPiece);
  while (left > 0) {
    const ssize_t count = ::read(from, buffer.data(), std::min<std::uint64_t>(left, buffer.size()));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(system_error("read", "the file", errno));
    if (count == 0) return fail(Error{"the file became shorter while it was read", EIO});
    const auto size = static_cast<std::size_t>(count);
    TRY(os::write_all(tree::kContentOut, {buffer.data(), size}, "the content"));
    left -= size;
  }
  return {};
}

class Walk {
 public:
  explicit Walk(std::size_t most) : most_(most) {}

  Result<void> go(int directory, const std::string& path, int depth) {
    if (depth > tree::kMostDepth) walked_.more = true;
    if (walked_.more) return {};
    const tree::Entries entries = TRY(tree::read_entries(directory));
    for (const auto& [name, status] : entries) {
      if (walked_.entries.size() == most_) walked_.more = true;
      if (walked_.more) return {};
      const std::string below = join(path, name);
      auto stat = files::stat_at(directory, name, false);
      if (!stat) continue;  // it was there a moment ago
      walked_.entries.push_back({below, std::move(*stat), in_ns(status.st_ctim)});
      if (walked_.entries.back().stat.type != FileType::directory) continue;
      const Result<UniqueFd> opened = open_below(directory, name, O_RDONLY | O_DIRECTORY);
      if (opened) TRY(go(opened->get(), below, depth + 1));  // else it has gone, or become another thing
    }
    return {};
  }

  [[nodiscard]] Walked take() && { return std::move(walked_); }

 private:
  std::size_t most_;
  Walked walked_;
};

Result<FileFacts> facts_of(const std::string& path, const ContentTypes& types) {
  const UniqueFd directory = TRY(open_folder(folder_of(path), false));
  const UniqueFd file = TRY(open_file(directory.get(), name_of(path), path));
  FileFacts facts;
  facts.path = path;
  facts.changed_ns = TRY(changed_ns(file.get()));
  std::string head(kTypeBytes, '\0');
  const ssize_t filled = pread(file.get(), head.data(), head.size(), 0);
  if (filled < 0) return fail(with_path({"", errno}, path));
  head.resize(static_cast<std::size_t>(filled));
  facts.mime = types.of(head);
  Sha256 hash;
  std::vector<char> buffer(kPiece);
  while (true) {
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(with_path({"", errno}, path));
    if (count == 0) break;
    facts.size += static_cast<std::uint64_t>(count);
    hash.update({buffer.data(), static_cast<std::size_t>(count)});
  }
  facts.sha256 = hash.hex();
  return facts;
}

}  // namespace

Result<void> lock_names() {
  while (flock(tree::kLock, LOCK_EX) != 0) {
    if (errno == EBADF) return {};  // none was given
    if (errno != EINTR) return fail(system_error("flock", "the project's files", errno));
  }
  return {};
}

Error error_of(const files::Failure& failure, const std::string& path) {
  return with_path({"", failure.error_number}, path);
}

Result<UniqueFd> open_folder(const std::string& folder, bool parents) {
  return open_folder_in(AT_FDCWD, folder, parents);
}

Result<UniqueFd> open_folder_in(int directory, const std::string& folder, bool parents) {
  Result<UniqueFd> opened = open_below(directory, folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
  if (!opened && parents && opened.error().error_number == ENOENT) opened = make_folders(directory, folder);
  if (opened) return opened;
  if (opened.error().error_number == EACCES) return fail(not_ours(folder));
  return fail(with_path(opened.error(), folder).while_doing("the folder"));
}

Result<UniqueFd> open_file(int directory, const std::string& name, const std::string& path) {
  Result<UniqueFd> opened = open_below(directory, name, O_RDONLY);
  const int error = opened ? 0 : opened.error().error_number;
  if (error == ENXIO || error == ENODEV) return fail(Error{quoted(path) + " is no regular file", EINVAL});
  if (!opened) return fail(with_path(opened.error(), path));
  const struct stat status = TRY(os::stat_fd(opened->get(), path));
  if (S_ISDIR(status.st_mode)) return fail(Error{quoted(path) + " is a folder", EISDIR});
  if (!S_ISREG(status.st_mode)) return fail(Error{quoted(path) + " is no regular file", EINVAL});
  return opened;
}

Result<std::int64_t> changed_ns(int file) {
  const struct stat status = TRY(os::stat_fd(file, "a file"));
  return in_ns(status.st_ctim);
}

Result<void> Intake::take(std::string_view bytes) {
  if (rules_.most_bytes && bytes.size() > *rules_.most_bytes - std::min(size_, *rules_.most_bytes))
    return fail(Error{
        "it has more than the " + std::to_string(*rules_.most_bytes) + " bytes that a file may have", EFBIG});
  size_ += bytes.size();
  hash_.update(bytes);
  if (type_.empty()) {
    head_.append(bytes.substr(0, kTypeBytes - head_.size()));
    if (head_.size() == kTypeBytes) TRY(judge());
  }
  return os::write_all(file_, bytes, "the file");
}

Result<void> Intake::judge() {
  type_ = types_.of(head_);
  head_.clear();
  if (type_is_allowed(type_, rules_.types)) return {};
  return fail(
      Error{"its content is of the type '" + type_ + "', which the policy does not allow", EMEDIUMTYPE});
}

Result<FileFacts> Intake::finish(bool sync) {
  if (type_.empty()) TRY(judge());
  if (sync && fsync(file_) != 0) return fail(system_error("fsync", "the file", errno));
  return FileFacts{"", size_, hash_.hex(), type_, 0};
}

Result<Written> write(const WriteOrder& order, const ContentTypes& types) {
  const UniqueFd directory = TRY(open_folder(order.folder, order.parents));
  files::Done<files::Draft> made = files::make_draft(directory.get(), order.draft);
  if (!made && made.error().error_number == EACCES) return fail(not_ours(order.folder));
  files::Draft draft = TRY(told(std::move(made), join(order.folder, order.name)));
  const ScopeExit clean([&] { files::forget(draft, directory.get()); });
  Written written;
  written.file = TRY_DOING(quoted(order.name), take_content(draft.fd.get(), order, types));
  TRY(Placing(order, directory.get(), draft, written).place());
  if (fsync(directory.get()) != 0) return fail(system_error("fsync", order.folder, errno));
  if (!written.deduplicated) {
    written.file.changed_ns = TRY(changed_ns(draft.fd.get()));
    return written;
  }
  const UniqueFd there = TRY(open_file(directory.get(), name_of(written.file.path), written.file.path));
  written.file.changed_ns = TRY(changed_ns(there.get()));
  return written;
}

Result<void> send_answer(const FileAnswer& answer) {
  return os::write_all(tree::kContentOut, file_frame(encode_file_answer(answer)), "the answer");
}

Result<files::Part> read(const FileRequest& request, bool framed, const std::optional<FileFacts>& known) {
  const UniqueFd directory = TRY(open_folder(folder_of(request.path), false));
  const std::string name = name_of(request.path);
  const UniqueFd file = TRY(open_file(directory.get(), name.empty() ? "." : name, request.path));
  FileAnswer answer;
  answer.stat = TRY(told(files::stat_at(directory.get(), name, false), request.path));
  const struct stat status = TRY(os::stat_fd(file.get(), request.path));
  answer.stat.size = static_cast<std::uint64_t>(status.st_size);
  const std::optional<files::Part> part = files::part_of(answer.stat.size, request);
  if (!part && framed) {
    answer.failed = FileStep::range;
    answer.error_number = ERANGE;
    TRY(send_answer(answer));
  }
  if (!part)
    return fail(Error{quoted(request.path) + " has " + std::to_string(answer.stat.size) +
                          " bytes, and none of those asked for",
                      ERANGE});
  if (lseek(file.get(), static_cast<off_t>(part->from), SEEK_SET) < 0)
    return fail(system_error("lseek", request.path, errno));
  answer.from = part->from;
  answer.follow = part->size;
  answer.name = name;
  if (known && known->changed_ns == in_ns(status.st_ctim)) {
    answer.sha256 = known->sha256;
    if (is_media_type(known->mime)) answer.mime = known->mime;
  }
  if (framed) TRY(send_answer(answer));
  TRY(send(file.get(), part->size));
  return *part;
}

Result<void> remove(const FileRequest& request) {
  const UniqueFd directory = TRY(open_folder(folder_of(request.path), false));
  const std::string name = name_of(request.path);
  const FileStat stat = TRY(told(files::stat_at(directory.get(), name, false), request.path));
  const bool is_folder = stat.type == FileType::directory;
  if (is_folder && request.recursive) {
    const Result<void> removed = os::remove_tree(directory.get(), name);
    if (!removed) return fail(with_path(removed.error(), request.path));
  } else if (unlinkat(directory.get(), name.c_str(), is_folder ? AT_REMOVEDIR : 0) != 0) {
    return fail(with_path({"", errno}, request.path));
  }
  if (fsync(directory.get()) != 0) return fail(system_error("fsync", request.path, errno));
  return {};
}

Result<FileStat> move(const FileRequest& request) {
  const UniqueFd from = TRY(open_folder(folder_of(request.path), false));
  const UniqueFd to = TRY(open_folder(folder_of(request.to), request.parents));
  const std::string name = name_of(request.to);
  const unsigned flags = request.replace ? 0 : RENAME_NOREPLACE;
  if (renameat2(from.get(), name_of(request.path).c_str(), to.get(), name.c_str(), flags) != 0) {
    if (errno == EEXIST) return fail(Error{quoted(request.to) + " is there already", EEXIST});
    return fail(with_path({"", errno}, errno == ENOENT ? request.path : request.to));
  }
  if (fsync(to.get()) != 0 || fsync(from.get()) != 0) return fail(system_error("fsync", request.to, errno));
  return told(files::stat_at(to.get(), name, false), request.to);
}

Result<FileStat> make_folder(const FileRequest& request) {
  const UniqueFd above = TRY(open_folder(folder_of(request.path), request.parents));
  const std::string name = name_of(request.path);
  if (mkdirat(above.get(), name.c_str(), kFolderMode) != 0 && !(errno == EEXIST && request.parents))
    return fail(with_path({"", errno}, request.path));
  const FileStat stat = TRY(told(files::stat_at(above.get(), name, false), request.path));
  if (stat.type != FileType::directory)
    return fail(Error{quoted(request.path) + " is there already", EEXIST});
  return stat;
}

Result<FileAnswer> list(const FileRequest& request) {
  const UniqueFd folder = TRY(open_folder(request.path, false));
  return told(files::list_in(folder.get(), request), request.path);
}

Result<FileStat> look(const std::string& path) {
  const UniqueFd directory = TRY(open_folder(folder_of(path), false));
  const std::string name = name_of(path);
  return told(files::stat_at(directory.get(), name.empty() ? "." : name, false), path);
}

Result<Walked> walk(const std::string& folder, std::size_t most) {
  const UniqueFd top = TRY(open_folder(folder, false));
  Walk walk(most);
  TRY(walk.go(top.get(), folder, 0));
  return std::move(walk).take();
}

Result<std::vector<FileFacts>> identify(const std::vector<std::string>& paths, const ContentTypes& types) {
  std::vector<FileFacts> found;
  for (const std::string& path : paths) {
    Result<FileFacts> facts = facts_of(path, types);
    if (facts) found.push_back(std::move(*facts));
  }
  return found;
}

void put(wire::Writer& out, const FileFacts& facts) {
  out.put(facts.path);
  out.put(facts.size);
  out.put(facts.sha256);
  out.put(facts.mime);
  out.put(facts.changed_ns);
}

FileFacts get_facts(wire::Reader& in) {
  FileFacts facts;
  facts.path = in.get_string();
  facts.size = in.get<std::uint64_t>();
  facts.sha256 = in.get_string();
  facts.mime = in.get_string();
  facts.changed_ns = in.get<std::int64_t>();
  constexpr std::size_t kMostType = 255;
  if (!check_path(facts.path) || facts.size > INT64_MAX || !is_sha256_hex(facts.sha256) ||
      facts.mime.size() > kMostType)
    in.mark_failed();
  return facts;
}

}  // namespace sbx::project_files
