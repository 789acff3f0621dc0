// What is done with the files of a project, in a worker whose working directory is the top of the workspace
// and which is the owner of its files (tree/worker.h). Everything is found by directory descriptors and
// openat2(2); no symbolic link is followed, wherever it is. Programs may change all of it meanwhile.
//
// Numbers of errors: ENOENT, ENOTDIR, EISDIR, EACCES, ENOSPC, EDQUOT as file systems have them; ELOOP, the
// path is a link or leads through one; EINVAL, it is no regular file; EEXIST, the name is taken; ESTALE, the
// content is not the one expected; EFBIG, more than may be; EMEDIUMTYPE, content of a type that may not be;
// ERANGE, a part that the file does not have; EPIPE, the content came to an end that is none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "files/operations.h"
#include "project_files/content_type.h"
#include "wire/files_protocol.h"
#include "wire/project_protocol.h"
#include "wire/wire.h"

namespace sbx::project_files {

using sbx::Taken;

// What content must be.
struct ContentRules {
  std::optional<std::uint64_t> most_bytes;
  std::vector<std::string> types{"*/*"};
};

struct WriteOrder {
  std::string folder;  // "" is the top
  std::string name;
  std::string draft;      // what it is called until then, where it needs a name; empty: a random one
  bool parents = false;   // makes the folder where it is missing
  bool existing = false;  // only onto a file that is there, whose permissions stay
  Taken taken = Taken::rename;
  std::string expected;  // SHA-256 of what is replaced; empty: any
  bool framed = false;   // the content (content_in.h)
  ContentRules rules;
};

// What a regular file is found to be.
struct FileFacts {
  std::string path;
  std::uint64_t size = 0;
  std::string sha256;
  std::string mime;
  std::int64_t changed_ns = 0;  // st_ctim, which no program can set

  bool operator==(const FileFacts&) const = default;
};

struct Written {
  FileFacts file;
  bool created = false;
  bool deduplicated = false;  // the same content was there under this name
};

// The content is what kContentIn gives until its end. The file is there whole, or not at all. kLock is locked
// before it gets its name.
Result<Written> write(const WriteOrder& order, const ContentTypes& types);

// `framed`: a frame with a FileAnswer first (wire/files_protocol.h), which has hash and type of `known` where
// the file has not changed since. `request`: its path and part of it.
Result<files::Part> read(const FileRequest& request, bool framed,
                         const std::optional<FileFacts>& known = std::nullopt);
// That frame.
Result<void> send_answer(const FileAnswer& answer);

// As FileRequest says it: `remove` with `recursive`; `move` with `parents` and `replace`; `list`.
Result<void> remove(const FileRequest& request);
Result<FileStat> move(const FileRequest& request);
Result<FileStat> make_folder(const FileRequest& request);
Result<FileAnswer> list(const FileRequest& request);
// What is there; "" is the top.
Result<FileStat> look(const std::string& path);

struct TreeEntry {
  std::string path;
  FileStat stat;
  std::int64_t changed_ns = 0;
};
// Everything below a folder, in order; `more`: there is more than `most`, or deeper than tree::kMostDepth.
struct Walked {
  std::vector<TreeEntry> entries;
  bool more = false;
};
Result<Walked> walk(const std::string& folder, std::size_t most);

// Of those that are regular files now.
Result<std::vector<FileFacts>> identify(const std::vector<std::string>& paths, const ContentTypes& types);

// --- for others that work there ---

// "" is the top. `parents`: it is made where it is missing.
Result<UniqueFd> open_folder(const std::string& folder, bool parents);
// The same below a directory that is no working directory.
Result<UniqueFd> open_folder_in(int directory, const std::string& folder, bool parents);
// A regular file. Never waits.
Result<UniqueFd> open_file(int directory, const std::string& name, const std::string& path);
Result<std::int64_t> changed_ns(int file);
// Locks kLock, where there is one.
Result<void> lock_names();
Error error_of(const files::Failure& failure, const std::string& path);

// Content on its way into a file: counted, hashed, and looked at once there is enough of it.
class Intake {
 public:
  Intake(int file, const ContentRules& rules, const ContentTypes& types)
      : file_(file), rules_(rules), types_(types) {}
  Result<void> take(std::string_view bytes);
  // There is no more. `sync`: it is on the disk.
  Result<FileFacts> finish(bool sync = true);

 private:
  Result<void> judge();

  int file_;
  const ContentRules& rules_;
  const ContentTypes& types_;
  Sha256 hash_;
  std::string head_;
  std::string type_;
  std::uint64_t size_ = 0;
};

void put(wire::Writer& out, const FileFacts& facts);
FileFacts get_facts(wire::Reader& in);

}  // namespace sbx::project_files
