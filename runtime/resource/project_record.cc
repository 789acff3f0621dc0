#include "resource/project_record.h"

#include <fcntl.h>

#include <charconv>
#include <sstream>

#include "os/file.h"

namespace sbx {
namespace {

constexpr std::size_t kMostText = 256;
// Far above what others that use project ids count from (xfs_quota(8), container engines).
constexpr std::uint32_t kFirstQuotaId = 0x53425800;

std::string number_text(std::optional<std::uint64_t> number) {
  return number ? std::to_string(*number) : "none";
}

// False when it is neither a number nor "none".
bool read_number(std::istream& text, std::optional<std::uint64_t>& number) {
  std::string word;
  text >> word;
  if (word == "none") return true;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size() || value == 0) return false;
  number = value;
  return true;
}

Result<void> parse_storage(const std::string& line, ProjectRecord& record) {
  std::istringstream text(line);
  std::string kind;
  text >> kind;
  std::optional<std::uint64_t> id;
  bool good = kind == "directory";
  if (kind == "image" || kind == "quota") {
    record.storage = kind == "image" ? ProjectStorage::image : ProjectStorage::quota;
    good = read_number(text, record.limits.bytes) && read_number(text, record.limits.inodes) &&
           record.limits.bytes;
    if (kind == "quota") good = good && read_number(text, id) && id && *id <= UINT32_MAX;
    record.quota_id = static_cast<std::uint32_t>(id.value_or(0));
  }
  std::string more;
  if (good && !(text >> more)) return {};
  return fail("its storage file is none of 'directory', 'image BYTES INODES', 'quota BYTES INODES ID'");
}

}  // namespace

Result<ProjectRecord> read_project_record(const std::string& directory) {
  ProjectRecord record;
  const std::string layout = TRY(os::read_file(AT_FDCWD, directory + "/layout", kMostText));
  if (layout == "flat\n") record.layout = WorkspaceLayout::flat;
  if (layout != "flat\n" && layout != "split\n") return fail("its layout file says neither flat nor split");
  const Result<std::string> storage = os::read_file(AT_FDCWD, directory + "/storage", kMostText);
  if (!storage && storage.error().error_number == ENOENT) return record;  // made before there were limits
  if (!storage) return fail(storage.error());
  TRY(parse_storage(*storage, record));
  return record;
}

Result<void> write_project_record(const std::string& directory, const ProjectRecord& record) {
  const UniqueFd fd = TRY(os::open_at(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY));
  const std::string numbers =
      " " + number_text(record.limits.bytes) + " " + number_text(record.limits.inodes);
  std::string storage = "directory";
  if (record.storage == ProjectStorage::image) storage = "image" + numbers;
  if (record.storage == ProjectStorage::quota)
    storage = "quota" + numbers + " " + std::to_string(record.quota_id);
  TRY(os::replace_file(fd.get(), "storage", storage + "\n", 0600));
  const bool flat = record.layout == WorkspaceLayout::flat;
  return os::replace_file(fd.get(), "layout", flat ? "flat\n" : "split\n", 0600);
}

Result<std::uint32_t> next_quota_id(const std::string& projects) {
  const UniqueFd directory = TRY(os::open_at(AT_FDCWD, projects, O_RDONLY | O_DIRECTORY));
  constexpr const char* kFile = ".next_quota_id";
  std::uint32_t next = kFirstQuotaId;
  const Result<std::string> text = os::read_file(directory.get(), kFile, kMostText);
  if (text) (void)std::from_chars(text->data(), text->data() + text->size(), next);
  if (!text && text.error().error_number != ENOENT) return fail(text.error());
  TRY(os::replace_file(directory.get(), kFile, std::to_string(next + 1) + "\n", 0600));
  return next;
}

}  // namespace sbx
