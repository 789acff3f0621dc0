#include "resource/project_store.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <functional>
#include <sstream>

#include "base/names.h"
#include "os/file.h"

namespace sbx {
namespace {

constexpr std::size_t kMostText = 1024;
constexpr const char* kHead = "head";
constexpr const char* kNextHead = "head.next";
constexpr const char* kBranches = "branches";
constexpr const char* kSnapshots = "snapshots";

Result<UniqueFd> open_directory(const std::string& path) {
  return os::open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Result<void> sync_file(int fd, const std::string& what) {
  return fsync(fd) == 0 ? Result<void>() : fail(system_error("fsync", what, errno));
}

Result<void> write_new(int directory, const std::string& name, const std::string& text) {
  const UniqueFd file = TRY(os::open_at(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
  TRY(os::write_all(file.get(), text, name));
  return sync_file(file.get(), name);
}

// Its directory is made where it is missing.
Result<void> write_record(const std::string& parent, const char* kind, const std::string& name,
                          const std::string& text) {
  const std::string path = parent + "/" + kind;
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail(system_error("mkdir", path, errno));
  const UniqueFd directory = TRY(open_directory(path));
  const std::string fresh = "." + name;  // no name begins so
  TRY(write_new(directory.get(), fresh, text));
  if (renameat(directory.get(), fresh.c_str(), directory.get(), name.c_str()) != 0)
    return fail(system_error("rename", path + "/" + name, errno));
  TRY(sync_file(directory.get(), path));
  const UniqueFd above = TRY(open_directory(parent));
  return sync_file(above.get(), parent);
}

Result<void> remove_record(const std::string& path, const std::string& name) {
  const UniqueFd directory = TRY(open_directory(path));
  if (unlinkat(directory.get(), name.c_str(), 0) != 0)
    return fail(system_error("unlink", path + "/" + name, errno));
  return sync_file(directory.get(), path);
}

// The names of records; a directory that is not there has none.
Result<std::vector<std::string>> names_in(const std::string& path) {
  Result<std::vector<std::string>> names = os::list_directory(AT_FDCWD, path);
  if (!names && names.error().error_number == ENOENT) return std::vector<std::string>();
  if (!names) return names;
  std::erase_if(*names, [](const std::string& name) { return name.starts_with('.'); });
  return names;
}

class Words {
 public:
  explicit Words(const std::string& text) : text_(text) {}

  std::string word() {
    std::string word;
    good_ = good_ && static_cast<bool>(text_ >> word);
    return word == "-" ? "" : word;
  }
  std::uint64_t number() {
    const std::string digits = word();
    std::uint64_t value = 0;
    const char* end = digits.data() + digits.size();
    const auto [next, error] = std::from_chars(digits.data(), end, value);
    good_ = good_ && error == std::errc() && next == end;
    return value;
  }
  bool finished() {
    std::string more;
    return good_ && !(text_ >> more);
  }

 private:
  std::istringstream text_;
  bool good_ = true;
};

std::string or_dash(const std::string& word) { return word.empty() ? "-" : word; }

Result<std::string> read_record(const std::string& path) { return os::read_file(AT_FDCWD, path, kMostText); }

template <class Record>
Result<std::vector<Record>> read_all_records(const std::vector<std::string>& names,
                                             const std::function<Result<Record>(const std::string&)>& read) {
  std::vector<Record> records;
  for (const std::string& name : names) {
    Result<Record> record = read(name);
    if (!record && record.error().error_number == ENOENT) continue;  // gone meanwhile
    if (!record) return fail(record.error());
    records.push_back(std::move(*record));
  }
  return records;
}

}  // namespace

Result<std::optional<Head>> ProjectStore::head() const {
  const Result<std::string> text = read_record(directory_ + "/" + kHead);
  if (!text && text.error().error_number == ENOENT) return std::optional<Head>();
  if (!text) return fail(text.error());
  Words words(*text);
  Head head;
  head.generation = words.number();
  const std::string kind = words.word();
  head.apart = kind == "apart";
  if (!words.finished() || head.generation == 0 || (!head.apart && kind != "shared"))
    return fail("its head file is not 'NUMBER apart' or 'NUMBER shared'");
  return std::optional(head);
}

Result<void> ProjectStore::set_head(const Head& head) const {
  const UniqueFd directory = TRY(open_directory(directory_));
  TRY(write_new(directory.get(), kNextHead,
                std::to_string(head.generation) + (head.apart ? " apart\n" : " shared\n")));
  TRY(sync_file(directory.get(), directory_));
  const auto rename = [&](unsigned flags) {
    return renameat2(directory.get(), kNextHead, directory.get(), kHead, flags) == 0;
  };
  const bool exchanged = rename(RENAME_EXCHANGE);
  if (!exchanged && (errno != ENOENT || !rename(0))) return fail(system_error("renameat2", kHead, errno));
  TRY(sync_file(directory.get(), directory_));
  (void)unlinkat(directory.get(), kNextHead, 0);  // the old one, or nothing; remove_unfinished() tells
  return {};
}

Result<BranchRecord> ProjectStore::branch(const std::string& id) const {
  TRY(check_name("transaction", id));
  Result<std::string> text = read_record(directory_ + "/" + kBranches + "/" + id);
  if (!text && text.error().error_number == ENOENT)
    return fail(Error{"there is no transaction '" + id + "' (sbxctl tx list)", ENOENT});
  if (!text) return fail(text.error());
  Words words(*text);
  BranchRecord record{id, words.number(), words.word(), words.word(), words.number()};
  if (!words.finished() || record.base == 0)
    return fail("the record of transaction '" + id + "' is not 'BASE CREATED TASK BECOMES'");
  return record;
}

Result<std::vector<BranchRecord>> ProjectStore::branches() const {
  const std::vector<std::string> names = TRY(names_in(directory_ + "/" + kBranches));
  return read_all_records<BranchRecord>(names, [this](const std::string& id) { return branch(id); });
}

Result<void> ProjectStore::write_branch(const BranchRecord& record) const {
  return write_record(directory_, kBranches, record.id,
                      std::to_string(record.base) + " " + or_dash(record.created) + " " +
                          or_dash(record.task) + " " + std::to_string(record.becomes) + "\n");
}

Result<void> ProjectStore::remove_branch(const std::string& id) const {
  return remove_record(directory_ + "/" + kBranches, id);
}

Result<SnapshotRecord> ProjectStore::snapshot(const std::string& name) const {
  TRY(check_name("snapshot", name));
  Result<std::string> text = read_record(directory_ + "/" + kSnapshots + "/" + name);
  if (!text && text.error().error_number == ENOENT)
    return fail(Error{"there is no snapshot '" + name + "' (sbxctl snapshots list)", ENOENT});
  if (!text) return fail(text.error());
  Words words(*text);
  SnapshotRecord record{name, words.number(), words.word()};
  if (!words.finished() || record.generation == 0)
    return fail("the record of snapshot '" + name + "' is not 'GENERATION CREATED'");
  return record;
}

Result<std::vector<SnapshotRecord>> ProjectStore::snapshots() const {
  const std::vector<std::string> names = TRY(names_in(directory_ + "/" + kSnapshots));
  return read_all_records<SnapshotRecord>(names, [this](const std::string& name) { return snapshot(name); });
}

Result<void> ProjectStore::write_snapshot(const SnapshotRecord& record) const {
  return write_record(directory_, kSnapshots, record.name,
                      std::to_string(record.generation) + " " + or_dash(record.created) + "\n");
}

Result<void> ProjectStore::remove_snapshot(const std::string& name) const {
  return remove_record(directory_ + "/" + kSnapshots, name);
}

Result<void> ProjectStore::remove_unfinished() const {
  const std::string next = directory_ + "/" + kNextHead;
  if (unlink(next.c_str()) != 0 && errno != ENOENT) return fail(system_error("unlink", next, errno));
  for (const char* kind : {kBranches, kSnapshots}) {
    const std::string path = directory_ + "/" + kind;
    const Result<std::vector<std::string>> names = os::list_directory(AT_FDCWD, path);
    if (!names && names.error().error_number == ENOENT) continue;
    if (!names) return fail(names.error());
    for (const std::string& name : *names) {
      if (name.starts_with('.') && unlink((path + "/" + name).c_str()) != 0)
        return fail(system_error("unlink", path + "/" + name, errno));
    }
  }
  return {};
}

}  // namespace sbx
