// What is known of a project's files beside what they are: STATE/projects/ID/files.sqlite, the host's root's.
// The files are the truth: a row may be behind them (project_files.h, check).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "os/database.h"
#include "project_files/operations.h"

namespace sbx::project_files {

struct StoredFile {
  std::string id;             // UUIDv7; stays when the file is moved or edited
  std::string original_name;  // as it was called when it came
  FileFacts file;
  std::int64_t created_ms = 0;  // since 1970, UTC
  std::int64_t updated_ms = 0;
  std::string by;        // who brought its content; empty: a program
  bool missing = false;  // it was not there when it was looked for

  bool operator==(const StoredFile&) const = default;
};

class FileIndex {
 public:
  // `directory`: STATE/projects/ID. Made where it is missing. Errors: EUCLEAN, it is broken or of a newer
  // sbx.
  static Result<FileIndex> open(const std::string& directory);

  [[nodiscard]] Result<std::optional<StoredFile>> by_id(const std::string& id) const;
  [[nodiscard]] Result<std::optional<StoredFile>> by_path(const std::string& path) const;
  // Of all files in a folder and below it, in the order of their paths; "" is the top.
  [[nodiscard]] Result<std::vector<StoredFile>> below(const std::string& folder) const;

  // One of that id is replaced; another one at its path is forgotten.
  [[nodiscard]] Result<void> write(const StoredFile& file) const;
  [[nodiscard]] Result<void> write_all(const std::vector<StoredFile>& files) const;
  // A file, or a folder with all below it.
  [[nodiscard]] Result<void> forget(const std::string& path) const;
  [[nodiscard]] Result<void> move(const std::string& from, const std::string& to) const;

 private:
  [[nodiscard]] Result<std::vector<StoredFile>> select(const std::string& where,
                                                       std::vector<Value> values) const;

  Database database_;
};

}  // namespace sbx::project_files
