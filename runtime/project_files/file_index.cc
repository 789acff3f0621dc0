#include "project_files/file_index.h"

#include <cerrno>

namespace sbx::project_files {
namespace {

constexpr std::int64_t kVersion = 1;

constexpr const char* kSchema = R"(
CREATE TABLE files (
  id TEXT PRIMARY KEY,
  path TEXT NOT NULL UNIQUE,
  original_name TEXT NOT NULL,
  size INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  mime TEXT NOT NULL,
  changed_ns INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  by TEXT NOT NULL,
  missing INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 1;
)";

constexpr const char* kColumns =
    "SELECT id, path, original_name, size, sha256, mime, changed_ns, created_ms, updated_ms, by, missing "
    "FROM files ";

StoredFile row_of(const Rows& rows) {
  int column = 0;
  StoredFile file;
  file.id = rows.text(column++);
  file.file.path = rows.text(column++);
  file.original_name = rows.text(column++);
  file.file.size = static_cast<std::uint64_t>(rows.integer(column++));
  file.file.sha256 = rows.text(column++);
  file.file.mime = rows.text(column++);
  file.file.changed_ns = rows.integer(column++);
  file.created_ms = rows.integer(column++);
  file.updated_ms = rows.integer(column++);
  file.by = rows.text(column++);
  file.missing = rows.integer(column) != 0;
  return file;
}

// Of the paths below a folder, in the order of their bytes: '0' is the character behind '/'.
std::vector<Value> bounds_of(const std::string& folder) { return {folder + "/", folder + "0"}; }

}  // namespace

Result<FileIndex> FileIndex::open(const std::string& directory) {
  FileIndex index;
  index.database_ = TRY(Database::open(directory + "/files.sqlite", "the list of files"));
  TRY(index.database_.execute("PRAGMA busy_timeout = 10000; PRAGMA synchronous = FULL"));
  Transaction making = TRY(Transaction::begin(index.database_));
  const std::int64_t version = TRY(index.database_.number("PRAGMA user_version"));
  if (version > kVersion)
    return fail(
        Error{"the list of files: it is of a newer sbx (version " + std::to_string(version) + ")", EUCLEAN});
  if (version == 0) TRY(index.database_.execute(kSchema));
  TRY(making.commit());
  return index;
}

Result<std::vector<StoredFile>> FileIndex::select(const std::string& where, std::vector<Value> values) const {
  Statement statement = TRY(database_.prepare(kColumns + where));
  Rows rows(statement, std::move(values));
  std::vector<StoredFile> found;
  while (true) {
    const bool more = TRY(rows.next());
    if (!more) return found;
    found.push_back(row_of(rows));
  }
}

Result<std::optional<StoredFile>> FileIndex::by_id(const std::string& id) const {
  const std::vector<StoredFile> found = TRY(select("WHERE id = ?", {id}));
  return found.empty() ? std::nullopt : std::optional(found.front());
}

Result<std::optional<StoredFile>> FileIndex::by_path(const std::string& path) const {
  const std::vector<StoredFile> found = TRY(select("WHERE path = ?", {path}));
  return found.empty() ? std::nullopt : std::optional(found.front());
}

Result<std::vector<StoredFile>> FileIndex::below(const std::string& folder) const {
  if (folder.empty()) return select("ORDER BY path", {});
  return select("WHERE path > ? AND path < ? ORDER BY path", bounds_of(folder));
}

Result<void> FileIndex::write(const StoredFile& file) const { return write_all({file}); }

Result<void> FileIndex::write_all(const std::vector<StoredFile>& files) const {
  Transaction all = TRY(Transaction::begin(database_));
  Statement statement =
      TRY(database_.prepare("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  for (const StoredFile& one : files) {
    (void)TRY(database_.change(
        statement, {one.id, one.file.path, one.original_name, static_cast<std::int64_t>(one.file.size),
                    one.file.sha256, one.file.mime, one.file.changed_ns, one.created_ms, one.updated_ms,
                    one.by, static_cast<std::int64_t>(one.missing)}));
  }
  return all.commit();
}

Result<void> FileIndex::forget(const std::string& path) const {
  Transaction all = TRY(Transaction::begin(database_));
  Statement one = TRY(database_.prepare("DELETE FROM files WHERE path = ?"));
  (void)TRY(database_.change(one, {path}));
  Statement below = TRY(database_.prepare("DELETE FROM files WHERE path > ? AND path < ?"));
  (void)TRY(database_.change(below, bounds_of(path)));
  return all.commit();
}

Result<void> FileIndex::move(const std::string& from, const std::string& to) const {
  std::vector<StoredFile> moved = TRY(below(from));
  const std::optional<StoredFile> itself = TRY(by_path(from));
  if (itself) moved.push_back(*itself);
  Transaction all = TRY(Transaction::begin(database_));
  Statement away = TRY(database_.prepare("DELETE FROM files WHERE path = ?"));
  (void)TRY(database_.change(away, {to}));
  Statement change = TRY(database_.prepare("UPDATE OR REPLACE files SET path = ? WHERE id = ?"));
  for (const StoredFile& file : moved)
    (void)TRY(database_.change(change, {to + file.file.path.substr(from.size()), file.id}));
  return all.commit();
}

}  // namespace sbx::project_files
