#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "base/printable.h"
#include "base/scope_exit.h"
#include "files/draft.h"
#include "os/file.h"
#include "project_files/archive.h"
#include "project_files/content_in.h"
#include "project_files/names.h"
#include "tree/worker.h"

namespace sbx::project_files {
namespace {

constexpr std::size_t kPiece = 65536;
constexpr std::size_t kMostTold = 1000;  // of the refused members
constexpr std::uint64_t kFreeBytes = 1U << 20U;
constexpr mode_t kFolderMode = 0755;
constexpr mode_t kFileMode = 0644;
constexpr mode_t kProgramMode = 0755;
constexpr mode_t kOwnerMayExecute = 0100;
constexpr unsigned kMostNumber = 999;

struct FreeArchive {
  void operator()(archive* reader) const { (void)archive_read_free(reader); }
};
using Archive = std::unique_ptr<archive, FreeArchive>;

Unexpected damaged(archive* reader) {
  const char* text = archive_error_string(reader);
  return fail(Error{"the archive cannot be read (tar, tar.gz, tar.bz2, tar.xz, tar.zst and zip can): " +
                        printable(text != nullptr ? text : "unknown error"),
                    EBADMSG});
}

Unexpected beyond(const std::string& what) { return fail(Error{"the archive " + what, E2BIG}); }

// kContentIn, for libarchive. It can neither seek nor skip: what is read is what comes.
class Source {
 public:
  explicit Source(bool framed) : content_(framed), buffer_(kPiece) {}

  static la_ssize_t read_callback(archive* reader, void* self, const void** block) {
    auto* source = static_cast<Source*>(self);
    const ssize_t count = source->next();
    if (count < 0) archive_set_error(reader, errno, "reading it: %s", errno_text(errno).c_str());
    *block = source->buffer_.data();
    return count;
  }

  // What is behind the last member. Of a zip the list of members is: one that is cut short has no end of it.
  Result<void> finish(bool is_zip) {
    ssize_t count = 0;
    while ((count = next()) > 0) {
    }
    if (count < 0) return fail(system_error("read", "the archive", errno));
    if (is_zip && !has_end_of_zip())
      return fail(Error{
          "the archive is cut short or goes on behind its end: the list of its members is not the last of it",
          EBADMSG});
    return {};
  }

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  // The record behind the list of members, whose comment is the last of all (APPNOTE.TXT, section 4.3.16).
  [[nodiscard]] bool has_end_of_zip() const {
    constexpr std::size_t kSize = 22;
    constexpr unsigned kByte = 8;
    const std::size_t at = tail_.rfind(std::string_view("PK\x05\x06", 4));
    if (at == std::string::npos || tail_.size() - at < kSize) return false;
    const auto byte = [&](std::size_t back) { return static_cast<unsigned char>(tail_[at + kSize - back]); };
    const std::size_t comment = byte(2) | static_cast<std::size_t>(byte(1)) << kByte;
    return tail_.size() - at == kSize + comment;
  }

  ssize_t next() {
    constexpr std::size_t kTail = kPiece + 64;  // the longest comment and what is before it
    const ssize_t count = content_.read(buffer_);
    if (count <= 0) return count;
    bytes_ += static_cast<std::uint64_t>(count);
    tail_.append(buffer_.data(), static_cast<std::size_t>(count));
    if (tail_.size() > kTail) tail_.erase(0, tail_.size() - kTail);
    return count;
  }

  ContentIn content_;
  std::vector<char> buffer_;
  std::string tail_;
  std::uint64_t bytes_ = 0;
};

// An error of one member, and of nothing else.
bool is_of_member(const Error& error) {
  static constexpr std::array<int, 7> kNumbers{EINVAL, EEXIST,      ENOTDIR,     EISDIR,
                                               EFBIG,  EMEDIUMTYPE, ENAMETOOLONG};
  return std::ranges::find(kNumbers, error.error_number) != kNumbers.end();
}

class Unpacker {
 public:
  Unpacker(const UnpackRules& rules, const ContentTypes& types, archive* reader, Source& source, int top)
      : rules_(rules), types_(types), reader_(reader), source_(source), top_(top) {}

  Result<void> run() {
    archive_entry* entry = nullptr;
    while (true) {
      const int status = archive_read_next_header(reader_, &entry);
      if (status == ARCHIVE_EOF) break;
      if (status != ARCHIVE_OK && status != ARCHIVE_WARN) return damaged(reader_);
      if (++entries_ > rules_.entries)
        return beyond("has more than " + std::to_string(rules_.entries) + " members");
      TRY(check_ratio());
      TRY(take(entry));
    }
    if (entries_ == 0) return fail(Error{"there is nothing in the archive", EBADMSG});
    return source_.finish((archive_format(reader_) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_ZIP);
  }

  Unpacked& done() { return done_; }

 private:
  Result<void> take(archive_entry* entry) {
    const char* name = archive_entry_pathname(entry);
    const std::string told = printable(name != nullptr ? name : "");
    const Result<void> added = add(entry, name != nullptr ? name : "");
    if (added) return {};
    const Error& error = added.error();
    if (!is_of_member(error)) return fail(Error(error).while_doing("member '" + told + "'"));
    if (rules_.on_refused == OnRefused::fail)
      return fail(Error{"member '" + told + "' is refused: " + error.text, EPERM});
    ++done_.refused_count;
    if (done_.refused.size() < kMostTold) done_.refused.push_back({told, error.text});
    return {};
  }

  Result<void> add(archive_entry* entry, std::string path) {
    if (archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr)
      return fail(Error{"it is a link", EINVAL});
    const auto type = archive_entry_filetype(entry);
    if (type != AE_IFREG && type != AE_IFDIR) return fail(Error{"it is neither a file nor a folder", EINVAL});
    while (path.starts_with("./")) path.erase(0, 2);
    if (type == AE_IFDIR && (path.empty() || path == ".")) return {};
    if (type == AE_IFREG && path.ends_with('/'))
      return fail(Error{"it is a file with the name of a folder", EINVAL});
    path = TRY(check_new_path(path));
    if (static_cast<std::size_t>(std::ranges::count(path, '/')) >= rules_.depth)
      return fail(Error{"it lies in more than " + std::to_string(rules_.depth) + " folders", EINVAL});
    if (type == AE_IFREG) return add_file(entry, path);
    (void)TRY(open_folder_in(top_, path, true));
    return {};
  }

  Result<void> add_file(archive_entry* entry, const std::string& path) {
    const UniqueFd folder = TRY(open_folder_in(top_, folder_of(path), true));
    const std::string name = name_of(path);
    const Result<UniqueFd> file =
        os::open_at(folder.get(), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (!file && file.error().error_number == EEXIST) return fail(Error{"it comes twice", EEXIST});
    if (!file) return fail(file.error());
    ScopeExit forget([&] { (void)unlinkat(folder.get(), name.c_str(), 0); });
    FileFacts facts = TRY(take_content(file->get()));
    const bool may_execute = (archive_entry_perm(entry) & kOwnerMayExecute) != 0;
    if (fchmod(file->get(), may_execute ? kProgramMode : kFileMode) != 0)
      return fail(system_error("fchmod", path, errno));
    facts.path = path;
    facts.changed_ns = TRY(changed_ns(file->get()));
    done_.files.push_back(std::move(facts));
    forget.dismiss();
    return {};
  }

  Result<FileFacts> take_content(int file) {
    Intake intake(file, rules_.content, types_);
    std::vector<char> buffer(kPiece);
    while (true) {
      const la_ssize_t count = archive_read_data(reader_, buffer.data(), buffer.size());
      if (count < 0) return damaged(reader_);
      if (count == 0) return intake.finish(false);
      bytes_ += static_cast<std::uint64_t>(count);
      if (bytes_ > rules_.total_bytes)
        return beyond("has more than " + std::to_string(rules_.total_bytes) + " bytes in it");
      TRY(check_ratio());
      TRY(intake.take({buffer.data(), static_cast<std::size_t>(count)}));
    }
  }

  // Of what was unpacked, headers included, to what came.
  Result<void> check_ratio() const {
    const auto unpacked = std::max(bytes_, static_cast<std::uint64_t>(archive_filter_bytes(reader_, 0)));
    if (unpacked <= kFreeBytes || (unpacked - kFreeBytes) / rules_.ratio <= source_.bytes()) return {};
    return beyond("unpacks to more than " + std::to_string(rules_.ratio) + " times its size");
  }

  const UnpackRules& rules_;
  const ContentTypes& types_;
  archive* reader_;
  Source& source_;
  int top_;
  std::uint64_t entries_ = 0;
  std::uint64_t bytes_ = 0;
  Unpacked done_;
};

Result<Archive> open_archive(Source& source) {
  Archive reader(archive_read_new());
  if (!reader) return fail(Error{"archive_read_new", ENOMEM});
  archive* raw = reader.get();
  // Concatenated ones, too: else what is behind the last member is not unpacked, and a cut there not seen.
  const bool ready = archive_read_support_format_tar(raw) == ARCHIVE_OK &&
                     archive_read_support_format_zip_streamable(raw) == ARCHIVE_OK &&
                     archive_read_support_filter_gzip(raw) == ARCHIVE_OK &&
                     archive_read_support_filter_bzip2(raw) == ARCHIVE_OK &&
                     archive_read_support_filter_xz(raw) == ARCHIVE_OK &&
                     archive_read_support_filter_zstd(raw) == ARCHIVE_OK &&
                     archive_read_set_option(raw, "tar", "read_concatenated_archives", "1") == ARCHIVE_OK;
  if (!ready) return fail("this libarchive lacks a format: " + printable(archive_error_string(raw)));
  if (archive_read_open(raw, &source, nullptr, Source::read_callback, nullptr) != ARCHIVE_OK)
    return damaged(raw);
  return reader;
}

// Under a name that is free.
Result<std::string> place(int folder, const std::string& hidden, const std::string& wanted) {
  TRY(lock_names());
  for (unsigned number = 0; number <= kMostNumber; ++number) {
    std::string name = number == 0 ? wanted : numbered_name(wanted, number);
    if (renameat2(folder, hidden.c_str(), folder, name.c_str(), RENAME_NOREPLACE) == 0) return name;
    if (errno != EEXIST) return fail(system_error("rename", name, errno));
  }
  return fail(Error{"'" + wanted + "' is there, and so are those of its name with numbers", EEXIST});
}

}  // namespace

Result<Unpacked> unpack(const UnpackOrder& order, const ContentTypes& types) {
  const UniqueFd above = TRY(open_folder(order.folder, true));
  const auto hidden = order.draft.empty() ? files::random_draft_name() : order.draft;
  if (!hidden) return fail(error_of(hidden.error(), order.name));
  if (mkdirat(above.get(), hidden->c_str(), kFolderMode) != 0)
    return fail(system_error("mkdir", join(order.folder, order.name), errno));
  ScopeExit forget([&] { (void)os::remove_tree(above.get(), *hidden); });
  const UniqueFd top = TRY(open_folder_in(above.get(), *hidden, false));
  Source source(order.framed);
  const Archive reader = TRY(open_archive(source));
  Unpacker unpacker(order.rules, types, reader.get(), source, top.get());
  TRY(unpacker.run());
  if (syncfs(top.get()) != 0) return fail(system_error("syncfs", "the project's file system", errno));
  Unpacked done = std::move(unpacker.done());
  const std::string name = TRY(place(above.get(), *hidden, order.name));
  forget.dismiss();
  if (fsync(above.get()) != 0) return fail(system_error("fsync", order.folder, errno));
  done.folder = join(order.folder, name);
  for (FileFacts& facts : done.files) facts.path = join(done.folder, facts.path);
  return done;
}

}  // namespace sbx::project_files
