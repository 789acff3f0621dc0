#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/printable.h"
#include "os/file.h"
#include "project_files/archive.h"
#include "project_files/names.h"
#include "tree/changes.h"
#include "tree/entries.h"
#include "tree/worker.h"

namespace sbx::project_files {
namespace {

constexpr std::size_t kPiece = 65536;
constexpr mode_t kPermissions = 0777;

struct FreeWriter {
  void operator()(archive* writer) const { (void)archive_write_free(writer); }
};
using Writer = std::unique_ptr<archive, FreeWriter>;
struct FreeEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};
using Entry = std::unique_ptr<archive_entry, FreeEntry>;

Unexpected failed(archive* writer) {
  const char* text = archive_error_string(writer);
  const int number = archive_errno(writer);
  return fail(Error{"writing the archive: " + printable(text != nullptr ? text : "unknown error"),
                    number > 0 ? number : EIO});
}

la_ssize_t write_callback(archive* writer, void* /*nothing*/, const void* bytes, std::size_t size) {
  const auto written =
      os::write_all(tree::kContentOut, {static_cast<const char*>(bytes), size}, "the archive");
  if (written) return static_cast<la_ssize_t>(size);
  archive_set_error(writer, written.error().error_number, "%s", written.error().text.c_str());
  return -1;
}

class Packer {
 public:
  explicit Packer(archive* writer) : writer_(writer), buffer_(kPiece) {}

  Result<void> folder(int directory, const std::string& path, int depth) {
    if (depth > tree::kMostDepth) return fail(Error{"'" + printable(path) + "' lies too deep", ENAMETOOLONG});
    const tree::Entries entries = TRY(tree::read_entries(directory));
    for (const auto& [name, status] : entries) {
      const std::string below = join(path, name);
      if (S_ISREG(status.st_mode)) {
        TRY(file(directory, name, below));
      } else if (S_ISLNK(status.st_mode)) {
        TRY(link(directory, name, below, status));
      } else if (S_ISDIR(status.st_mode)) {
        const Result<UniqueFd> opened = open_folder_in(directory, name, false);
        if (!opened) continue;  // it has gone, or become another thing
        TRY(header(below + "/", status, AE_IFDIR, 0));
        TRY(folder(opened->get(), below, depth + 1));
      }
    }
    return {};
  }

 private:
  Result<void> header(const std::string& path, const struct stat& status, unsigned type, std::uint64_t size,
                      const std::string& target = "") {
    const Entry entry(archive_entry_new());
    if (!entry) return fail(Error{"archive_entry_new", ENOMEM});
    archive_entry_set_pathname(entry.get(), path.c_str());
    archive_entry_set_filetype(entry.get(), type);
    archive_entry_set_perm(entry.get(), status.st_mode & kPermissions);
    archive_entry_set_mtime(entry.get(), status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(size));
    if (!target.empty()) archive_entry_set_symlink(entry.get(), target.c_str());
    if (archive_write_header(writer_, entry.get()) < ARCHIVE_WARN) return failed(writer_);
    return {};
  }

  Result<void> link(int directory, const std::string& name, const std::string& path,
                    const struct stat& status) {
    const Result<std::string> target = tree::read_link(directory, name);
    if (!target) return {};  // as above
    return header(path, status, AE_IFLNK, 0, *target);
  }

  // As long as it is when it is opened: what it loses meanwhile is zeros, what it gains is left out.
  Result<void> file(int directory, const std::string& name, const std::string& path) {
    const Result<UniqueFd> opened = open_file(directory, name, path);
    if (!opened) return {};  // as above
    const struct stat status = TRY(os::stat_fd(opened->get(), path));
    auto left = static_cast<std::uint64_t>(status.st_size);
    TRY(header(path, status, AE_IFREG, left));
    while (left > 0) {
      const ssize_t count =
          ::read(opened->get(), buffer_.data(), std::min<std::uint64_t>(left, buffer_.size()));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return fail(system_error("read", path, errno));
      if (count == 0) {
        std::ranges::fill(buffer_, '\0');
      }
      const std::uint64_t size =
          count > 0 ? static_cast<std::uint64_t>(count) : std::min<std::uint64_t>(left, buffer_.size());
      if (archive_write_data(writer_, buffer_.data(), size) < 0) return failed(writer_);
      left -= size;
    }
    return {};
  }

  archive* writer_;
  std::vector<char> buffer_;
};

}  // namespace

Result<void> pack(const std::string& folder, ArchiveFormat format, bool framed) {
  const UniqueFd top = TRY(open_folder(folder, false));
  if (framed) TRY(send_answer({}));
  const Writer writer(archive_write_new());
  if (!writer) return fail(Error{"archive_write_new", ENOMEM});
  const int known = format == ArchiveFormat::tar ? archive_write_set_format_pax_restricted(writer.get())
                                                 : archive_write_set_format_zip(writer.get());
  if (known != ARCHIVE_OK || archive_write_set_bytes_in_last_block(writer.get(), 1) != ARCHIVE_OK ||
      archive_write_open(writer.get(), nullptr, nullptr, write_callback, nullptr) != ARCHIVE_OK)
    return failed(writer.get());
  TRY(Packer(writer.get()).folder(top.get(), name_of(folder), 0));
  if (archive_write_close(writer.get()) != ARCHIVE_OK) return failed(writer.get());
  return {};
}

Utf8Names::Utf8Names() : mine_(newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)), before_(nullptr) {
  if (mine_ != nullptr) before_ = uselocale(mine_);
}

Utf8Names::~Utf8Names() {
  if (mine_ == nullptr) return;
  (void)uselocale(before_);
  freelocale(mine_);
}

}  // namespace sbx::project_files
