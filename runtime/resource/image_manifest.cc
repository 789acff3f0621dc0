#include "resource/image_manifest.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <map>
#include <memory>

#include "base/hash.h"
#include "base/split.h"

namespace sbx {
namespace {

struct CloseArchive {
  void operator()(archive* open) const { (void)archive_free(open); }
};
using Archive = std::unique_ptr<archive, CloseArchive>;

Error archive_error(archive* from, std::string_view doing) {
  const char* text = archive_error_string(from);
  return Error{std::string(doing) + ": " + (text == nullptr ? "unknown error" : text), archive_errno(from)};
}

la_ssize_t append(archive* of, void* to, const void* bytes, std::size_t size) {
  auto& text = *static_cast<std::string*>(to);
  if (size > kManifestLimit - text.size()) {
    archive_set_error(of, E2BIG, "its files have too many and too long names");
    return -1;
  }
  text.append(static_cast<const char*>(bytes), size);
  return static_cast<la_ssize_t>(size);
}

// Calls `take` with all that the file holds, in order.
Result<void> read_content(archive* disk, const std::function<bool(std::string_view)>& take) {
  const void* bytes = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  la_int64_t done = 0;
  static constexpr std::array<char, 65536> kZeros{};
  while (true) {
    const int status = archive_read_data_block(disk, &bytes, &size, &offset);
    if (status == ARCHIVE_EOF) return {};
    if (status != ARCHIVE_OK) return fail(archive_error(disk, "reading"));
    for (; done < offset; done += std::min<la_int64_t>(offset - done, kZeros.size())) {  // a hole
      const auto gap = static_cast<std::size_t>(std::min<la_int64_t>(offset - done, kZeros.size()));
      if (!take({kZeros.data(), gap})) return fail("describing: refused");
    }
    if (!take({static_cast<const char*>(bytes), size})) return fail("describing: refused");
    done = offset + static_cast<la_int64_t>(size);
  }
}

// Of a file with several names the content is read once, and its digest described in its place: else a small
// tarball of many links to a large file would take days.
class Contents {
 public:
  Result<void> describe(archive* disk, archive_entry* entry, archive* description) {
    const auto write = [&](std::string_view part) {
      return archive_write_data(description, part.data(), part.size()) >= 0;
    };
    constexpr la_int64_t kDigestSize = 64;
    if (archive_entry_nlink(entry) < 2 || archive_entry_size(entry) < kDigestSize)
      return read_content(disk, write);
    std::string& digest = digests_[{archive_entry_dev(entry), archive_entry_ino64(entry)}];
    if (digest.empty()) {
      Sha256 hash;
      TRY(read_content(disk, [&](std::string_view part) {
        hash.update(part);
        return true;
      }));
      digest = hash.hex();
    }
    return write(digest) ? Result<void>() : fail(archive_error(description, "describing"));
  }

 private:
  std::map<std::pair<dev_t, la_int64_t>, std::string> digests_;
};

// A line of a manifest: its path, and what is said of it.
struct Line {
  std::string_view path;
  std::string_view words;
};

std::vector<Line> lines_of(std::string_view manifest) {
  std::vector<Line> lines;
  for (const std::string_view line : split(manifest, '\n')) {
    if (line.empty() || line.starts_with('#')) continue;
    const std::size_t blank = std::min(line.find(' '), line.size());
    lines.push_back({line.substr(0, blank), line.substr(blank)});
  }
  return lines;
}

// Which of the words "key=value" differ.
std::string changed_keys(std::string_view before, std::string_view now) {
  const std::vector<std::string_view> old_words = split(before, ' ');
  std::string keys;
  for (const std::string_view word : split(now, ' ')) {
    if (std::ranges::find(old_words, word) == old_words.end())
      keys += (keys.empty() ? "" : ", ") + std::string(word.substr(0, word.find('=')));
  }
  return keys;
}

std::string shown(std::string_view path) {
  return std::string(path.starts_with("./") ? path.substr(2) : path);
}

}  // namespace

Result<std::string> make_manifest(int root) {
  const Archive disk(archive_read_disk_new());
  const Archive description(archive_write_new());
  std::string text;
  if (disk == nullptr || description == nullptr) return fail(system_error("archive_new", "", ENOMEM));
  (void)archive_read_disk_set_symlink_physical(disk.get());
  (void)archive_read_disk_set_behavior(
      disk.get(), ARCHIVE_READDISK_NO_ACL | ARCHIVE_READDISK_NO_XATTR | ARCHIVE_READDISK_NO_FFLAGS);
  (void)archive_write_set_format_mtree(description.get());
  if (archive_write_set_options(description.get(),
                                "mtree:!all,mtree:type,mtree:uid,mtree:gid,mtree:mode,mtree:size,mtree:time,"
                                "mtree:link,mtree:sha256") != ARCHIVE_OK ||
      archive_write_open(description.get(), &text, nullptr, append, nullptr) != ARCHIVE_OK) {
    return fail(archive_error(description.get(), "describing"));
  }
  const std::string top = "/proc/self/fd/" + std::to_string(root) + "/.";
  if (archive_read_disk_open(disk.get(), top.c_str()) != ARCHIVE_OK)
    return fail(archive_error(disk.get(), "reading"));
  archive_entry* entry = nullptr;
  Contents contents;
  while (true) {
    const int status = archive_read_next_header(disk.get(), &entry);
    if (status == ARCHIVE_EOF) break;
    if (status != ARCHIVE_OK) return fail(archive_error(disk.get(), "reading"));
    const std::string path = archive_entry_pathname(entry);
    archive_entry_set_pathname(entry, ("." + path.substr(std::min(top.size(), path.size()))).c_str());
    if (archive_entry_filetype(entry) == AE_IFDIR) (void)archive_read_disk_descend(disk.get());
    if (archive_write_header(description.get(), entry) != ARCHIVE_OK)
      return fail(archive_error(description.get(), "describing"));
    if (archive_entry_filetype(entry) == AE_IFREG)
      TRY(contents.describe(disk.get(), entry, description.get()));
  }
  if (archive_write_close(description.get()) != ARCHIVE_OK)
    return fail(archive_error(description.get(), "describing"));
  return text;
}

std::vector<std::string> compare_manifests(std::string_view before, std::string_view now, std::size_t most) {
  std::vector<Line> old_lines = lines_of(before);
  std::vector<Line> new_lines = lines_of(now);
  std::ranges::stable_sort(old_lines, {}, &Line::path);
  std::ranges::stable_sort(new_lines, {}, &Line::path);
  std::vector<std::string> found;
  auto was = old_lines.begin();
  auto is = new_lines.begin();
  while (found.size() < most && (was != old_lines.end() || is != new_lines.end())) {
    if (is == new_lines.end() || (was != old_lines.end() && was->path < is->path)) {
      found.push_back("'" + shown((was++)->path) + "' is not there");
    } else if (was == old_lines.end() || is->path < was->path) {
      found.push_back("'" + shown((is++)->path) + "' was not there");
    } else {
      if (was->words != is->words)
        found.push_back("'" + shown(is->path) + "' is not what it was (" +
                        changed_keys(was->words, is->words) + ")");
      ++was;
      ++is;
    }
  }
  return found;
}

}  // namespace sbx
