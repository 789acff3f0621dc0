#include "project_files/upload_note.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "files/draft.h"
#include "os/file.h"

namespace sbx::project_files {
namespace {

constexpr std::size_t kMostFolder = 4096;

std::string notes_of(const std::string& directory) { return directory + "/uploads"; }

}  // namespace

Result<UploadNote> UploadNote::make(const std::string& directory, const std::string& folder) {
  const std::string notes = notes_of(directory);
  if (mkdir(notes.c_str(), 0700) != 0 && errno != EEXIST) return fail(system_error("mkdir", notes, errno));
  const auto name = files::random_draft_name();
  if (!name) return fail(system_error("getrandom", "", name.error().error_number));
  const std::string path = notes + "/" + *name;
  while (true) {
    std::optional<UniqueFd> lock = TRY(os::lock_file(AT_FDCWD, path, true));
    const struct stat status = TRY(os::stat_fd(lock->get(), path));
    if (status.st_nlink == 0) continue;  // who looks for abandoned ones was quicker
    UploadNote note(path, *name, folder, std::move(*lock), false);
    TRY(os::write_all(note.lock_.get(), folder, path));
    return note;
  }
}

UploadNote::~UploadNote() {
  if (lock_.valid() && !stays_) (void)unlink(path_.c_str());
}

Result<std::vector<UploadNote>> UploadNote::abandoned(const std::string& directory) {
  const std::string notes = notes_of(directory);
  std::vector<UploadNote> found;
  const Result<std::vector<std::string>> names = os::list_directory(AT_FDCWD, notes);
  if (!names && names.error().error_number == ENOENT) return found;
  if (!names) return fail(names.error());
  for (const std::string& name : *names) {
    const std::string path = notes + "/" + name;
    std::optional<UniqueFd> lock = TRY(os::lock_file(AT_FDCWD, path, false));
    if (!lock) continue;  // it goes on
    std::string folder = TRY(os::read_all(lock->get(), path, kMostFolder));
    found.push_back(UploadNote(path, name, std::move(folder), std::move(*lock), true));
  }
  return found;
}

}  // namespace sbx::project_files
