#include "resource/image_unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "base/hash.h"
#include "base/scope_exit.h"
#include "resource/image_tree.h"

namespace sbx {
namespace {

constexpr std::size_t kReadBytes = 256U << 10U;
constexpr std::int64_t kMaxHeaderBytes = 4096;  // per member, on the average

struct FreeArchive {
  void operator()(archive* reader) const { (void)archive_read_free(reader); }
};
using Archive = std::unique_ptr<archive, FreeArchive>;

// What libarchive says may hold a member's name.
Unexpected archive_failure(archive* reader) {
  const char* text = archive_error_string(reader);
  return fail("the archive is damaged: " + printable_name(text != nullptr ? text : "unknown error"));
}

// Hands the tarball to libarchive. It offers neither seeking nor skipping, so every byte passes the hash.
class HashingSource {
 public:
  HashingSource(int fd, std::uint64_t total, const std::function<void(const ImportProgress&)>& progress)
      : fd_(fd), buffer_(kReadBytes), report_(progress) {
    progress_.total_bytes = total;
  }

  static la_ssize_t read_callback(archive* reader, void* self, const void** block) {
    auto* source = static_cast<HashingSource*>(self);
    const ssize_t count = source->next();
    if (count < 0) archive_set_error(reader, errno, "reading the tarball: %s", errno_text(errno).c_str());
    *block = source->buffer_.data();
    return count;
  }

  // Reads what libarchive had no use for: the digest is that of the whole file.
  Result<std::string> finish() {
    ssize_t count = 0;
    while ((count = next()) > 0) {
    }
    if (count < 0) return fail(system_error("read", "the tarball", errno));
    if (progress_.done_bytes != progress_.total_bytes) {
      return fail("the tarball changed its length while it was read");
    }
    return hash_.hex();
  }

  ImportProgress& progress() { return progress_; }

 private:
  ssize_t next() {
    ssize_t count = 0;
    do {
      count = read(fd_, buffer_.data(), buffer_.size());
    } while (count < 0 && errno == EINTR);
    if (count <= 0) return count;
    hash_.update({buffer_.data(), static_cast<std::size_t>(count)});
    progress_.done_bytes += static_cast<std::uint64_t>(count);
    if (progress_.done_bytes > progress_.total_bytes) {
      errno = EFBIG;  // it grows under us; without this it could be endless
      return -1;
    }
    if (report_) report_(progress_);
    return count;
  }

  int fd_;
  std::vector<char> buffer_;
  Sha256 hash_;
  ImportProgress progress_;
  const std::function<void(const ImportProgress&)>& report_;
};

class Unpacker {
 public:
  Unpacker(archive* reader, int root, const ImportLimits& limits, ImportProgress& progress)
      : reader_(reader),
        tree_(root, limits.depth),
        limits_(limits),
        most_blocks_(static_cast<std::int64_t>(limits.unpacked_bytes / kMaxHeaderBytes + limits.entries)),
        progress_(progress) {}

  Result<void> run() {
    archive_entry* entry = nullptr;
    int status = ARCHIVE_OK;
    while ((status = archive_read_next_header(reader_, &entry)) != ARCHIVE_EOF) {
      const bool usable = status == ARCHIVE_OK || (status == ARCHIVE_WARN && is_about_charset());
      if (!usable) return archive_failure(reader_);
      const char* name = archive_entry_pathname(entry);
      if (name == nullptr) return fail("a member has no name");
      if (++progress_.entries > limits_.entries) {
        return fail("the archive has more than the " + std::to_string(limits_.entries) +
                    " entries that its sidecar says");
      }
      // What no member accounts for (headers, padding) is bounded too: it compresses a thousandfold.
      if (archive_filter_bytes(reader_, 0) / kMaxHeaderBytes > most_blocks_) {
        return fail("the archive is mostly headers");
      }
      TRY_DOING("member '" + printable_name(name) + "'", add(entry, name));
    }
    if (progress_.entries == 0) return fail("the archive is empty");
    return tree_.finish();
  }

 private:
  // In the C locale every name with a byte above 127 is reported, and then given to us as it is: what we
  // want.
  [[nodiscard]] bool is_about_charset() const {
    const char* text = archive_error_string(reader_);
    return text != nullptr && strstr(text, "can't be converted from UTF-8") != nullptr;
  }

  static MemberMetadata metadata_of(archive_entry* entry) {
    MemberMetadata metadata;
    metadata.uid = archive_entry_uid(entry);
    metadata.gid = archive_entry_gid(entry);
    metadata.mode = archive_entry_perm(entry);
    metadata.modified = {archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)};
    if (metadata.modified.tv_nsec < 0 || metadata.modified.tv_nsec > 999'999'999)
      metadata.modified.tv_nsec = 0;
    return metadata;
  }

  // File capabilities mean nothing under no_new_privs, and labels and ACLs nothing to our one user; all are
  // left out. The kernel's own namespace (trusted.overlay.*) could only be meant to steer the overlay:
  // refused.
  Result<void> check_attributes(archive_entry* entry) {
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    (void)archive_entry_xattr_reset(entry);
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
      const std::string_view attribute = name != nullptr ? name : "";
      if (!attribute.starts_with("security.") && !attribute.starts_with("user.") &&
          !attribute.starts_with("system.")) {
        return fail("the extended attribute '" + printable_name(attribute) + "' is not allowed");
      }
    }
    constexpr int kAnyAcl = ARCHIVE_ENTRY_ACL_TYPE_POSIX1E | ARCHIVE_ENTRY_ACL_TYPE_NFS4;
    if (archive_entry_xattr_count(entry) > 0 || archive_entry_acl_count(entry, kAnyAcl) > 0) {
      ++progress_.without_attributes;
    }
    return {};
  }

  Result<void> add(archive_entry* entry, const char* name) {
    const MemberMetadata metadata = metadata_of(entry);
    const la_int64_t size = archive_entry_size_is_set(entry) != 0 ? archive_entry_size(entry) : 0;
    TRY(check_attributes(entry));
    if (const char* target = archive_entry_hardlink(entry)) {
      if (size > 0) return fail("a hard link with content");
      return tree_.add_hard_link(name, target);
    }
    const auto type = archive_entry_filetype(entry);
    // libarchive would skip such content, however long it is when unpacked.
    if (type != AE_IFREG && size > 0) return fail("has content but is no regular file");
    switch (type) {
    case AE_IFREG: return add_file(entry, name, metadata, size);
    case AE_IFDIR: return tree_.add_directory(name, metadata);
    case AE_IFLNK: {
      const char* target = archive_entry_symlink(entry);
      return tree_.add_symlink(name, target != nullptr ? target : "", metadata);
    }
    case AE_IFCHR:
    case AE_IFBLK: return fail("device nodes are not allowed");
    case AE_IFIFO: return fail("FIFOs are not allowed");
    case AE_IFSOCK: return fail("sockets are not allowed");
    default: return fail("is of an unknown kind");
    }
  }

  Result<void> add_file(archive_entry* entry, const char* name, const MemberMetadata& metadata,
                        la_int64_t size) {
    // Holes count: what reads the file later sees its whole length.
    if (size < 0 || static_cast<std::uint64_t>(size) > limits_.unpacked_bytes - unpacked_) {
      return fail("the archive unpacks to more than the " + std::to_string(limits_.unpacked_bytes) +
                  " bytes that its sidecar says");
    }
    unpacked_ += static_cast<std::uint64_t>(size);
    const UniqueFd fd = TRY(tree_.add_file(name, metadata));
    TRY(write_content(fd.get(), size, archive_entry_sparse_count(entry) > 0));
    return tree_.finish_file(fd.get(), metadata);
  }

  Result<void> write_content(int fd, la_int64_t size, bool sparse) {
    la_int64_t end = 0;
    while (true) {
      const void* block = nullptr;
      std::size_t count = 0;
      la_int64_t offset = 0;
      const int status = archive_read_data_block(reader_, &block, &count, &offset);
      if (status == ARCHIVE_EOF) break;
      if (status != ARCHIVE_OK) return archive_failure(reader_);
      if (count == 0) continue;
      if (offset < end || (offset != end && !sparse) || offset > size ||
          count > static_cast<std::uint64_t>(size - offset)) {
        return fail("its content does not fit its declared size of " + std::to_string(size) + " bytes");
      }
      TRY(write_at(fd, static_cast<const char*>(block), count, offset));
      end = offset + static_cast<la_int64_t>(count);
    }
    if (end == size) return {};
    if (!sparse)
      return fail("its content is shorter than its declared size of " + std::to_string(size) + " bytes");
    if (ftruncate(fd, size) != 0) return fail(system_error("ftruncate", "", errno));
    return {};
  }

  static Result<void> write_at(int fd, const char* bytes, std::size_t count, la_int64_t offset) {
    while (count > 0) {
      const ssize_t written = pwrite(fd, bytes, count, offset);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return fail(system_error("write", "", errno));
      bytes += written;
      count -= static_cast<std::size_t>(written);
      offset += written;
    }
    return {};
  }

  archive* reader_;
  TreeWriter tree_;
  const ImportLimits& limits_;
  std::int64_t most_blocks_;
  ImportProgress& progress_;
  std::uint64_t unpacked_ = 0;
};

}  // namespace

Result<std::string> unpack_tarball(int tarball, std::uint64_t tarball_bytes, int root,
                                   const ImportLimits& limits,
                                   const std::function<void(const ImportProgress&)>& progress) {
  // In a UTF-8 locale libarchive brings names into normal form C. A file name is bytes.
  locale_t plain = newlocale(LC_ALL_MASK, "C", nullptr);
  if (plain == nullptr) return fail(system_error("newlocale", "C", errno));
  locale_t before = uselocale(plain);
  const ScopeExit restore([&] {
    (void)uselocale(before);
    freelocale(plain);
  });

  const Archive reader(archive_read_new());
  if (!reader) return fail("not enough memory to unpack");
  HashingSource source(tarball, tarball_bytes, progress);
  if (archive_read_support_format_tar(reader.get()) != ARCHIVE_OK ||
      archive_read_support_filter_zstd(reader.get()) != ARCHIVE_OK) {
    return fail("libarchive was built without tar or zstd");
  }
  if (archive_read_open(reader.get(), &source, nullptr, HashingSource::read_callback, nullptr) !=
      ARCHIVE_OK) {
    return archive_failure(reader.get());
  }
  TRY(Unpacker(reader.get(), root, limits, source.progress()).run());
  std::string digest = TRY(source.finish());
  if (progress) progress(source.progress());
  return digest;
}

}  // namespace sbx
