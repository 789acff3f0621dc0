// Archives of a project's files, in a worker as operations.h has it (libarchive): tar, plain or packed by
// gzip, bzip2, xz or zstd, and zip. What comes in is hostile.
#pragma once

#include <clocale>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "project_files/operations.h"

namespace sbx::project_files {

using sbx::ArchiveFormat;
using sbx::OnRefused;

struct UnpackRules {
  OnRefused on_refused = OnRefused::fail;
  ContentRules content;             // of each member
  std::uint64_t entries = 100'000;  // more is no archive but an attack, or for a run to unpack
  std::uint64_t total_bytes =
      64ULL << 30U;            // of all content together; the project's own room is another limit
  std::uint64_t ratio = 1100;  // unpacked to packed, beyond the first MiB: deflate comes to 1032
  std::size_t depth = 64;      // folders in folders
};

struct RefusedMember {
  std::string name;  // as printable text
  std::string why;
};

struct UnpackOrder {
  std::string folder;  // where the new folder is made
  std::string name;    // of it; with a number where it is taken
  std::string draft;   // what it is called until then; empty: a random name
  bool framed = false;
  UnpackRules rules;
};

struct Unpacked {
  std::string folder;
  std::vector<FileFacts> files;
  std::vector<RefusedMember> refused;  // the first of them
  std::uint64_t refused_count = 0;
};

// The archive is what kContentIn gives until its end. Regular files (0644, or 0755 where the owner may
// execute them) and folders are made; all else is refused: links, devices, fifos, sockets, names that
// check_new_path refuses, a name that comes twice or lies below a file. The new folder is there when all of
// it is, and has another name until then. Errors beside those of `write`: EBADMSG, it is no archive or is
// damaged; E2BIG, beyond a limit; EPERM, a member was refused.
Result<Unpacked> unpack(const UnpackOrder& order, const ContentTypes& types);

// A folder to kContentOut, with links as links; what is neither file, folder nor link is left out. `framed`:
// behind a frame as `read` has it, which says that there is such a folder.
Result<void> pack(const std::string& folder, ArchiveFormat format, bool framed = false);

// Characters of names are UTF-8 in archives, whatever the process's own locale is. To be made before a worker
// is confined.
class Utf8Names {
 public:
  Utf8Names();
  Utf8Names(const Utf8Names&) = delete;
  Utf8Names& operator=(const Utf8Names&) = delete;
  ~Utf8Names();

 private:
  locale_t mine_;
  locale_t before_;
};

}  // namespace sbx::project_files
