#include "editor.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <vector>

#include "base/hash.h"
#include "os/file.h"

namespace sbx {
namespace {

constexpr std::size_t kPiece = 65536;
constexpr int kNotFound = 127;

Result<std::string> hash_of(int file) {
  Sha256 hash;
  std::vector<char> buffer(kPiece);
  off_t at = 0;
  while (true) {
    const ssize_t count = pread(file, buffer.data(), buffer.size(), at);
    if (count < 0) return fail(system_error("read", "the copy", errno));
    if (count == 0) return hash.hex();
    hash.update({buffer.data(), static_cast<std::size_t>(count)});
    at += count;
  }
}

std::string editor() {
  for (const char* variable : {"VISUAL", "EDITOR"}) {
    const char* value = std::getenv(variable);
    if (value != nullptr && *value != '\0') return value;
  }
  return "vi";
}

// It may be a command with arguments, as a shell reads it.
Result<void> run_editor(const std::string& path) {
  const std::string command = editor() + " \"$1\"";
  const pid_t child = fork();
  if (child < 0) return fail(system_error("fork", "the editor", errno));
  if (child == 0) {
    (void)execl("/bin/sh", "sh", "-c", command.c_str(), "sh", path.c_str(), nullptr);
    _exit(kNotFound);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return fail(system_error("waitpid", "the editor", errno));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail("the editor '" + editor() + "' did not end well; nothing was changed");
}

}  // namespace

PrivateCopy::~PrivateCopy() {
  if (!directory_.empty()) (void)os::remove_tree(AT_FDCWD, directory_);
}

Result<int> PrivateCopy::make(const std::string& name) {
  std::string directory = "/tmp/sbxctl-edit.XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) return fail(system_error("mkdtemp", directory, errno));
  directory_ = directory;
  path_ = directory_ + "/" + name;
  file_ = TRY(os::open_at(AT_FDCWD, path_, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  return file_.get();
}

Result<EditedCopy> PrivateCopy::edit() {
  EditedCopy edited;
  edited.before = TRY(hash_of(file_.get()));
  TRY(run_editor(path_));
  // An editor may have put another file in its place.
  file_ = TRY(os::open_at(AT_FDCWD, path_, O_RDONLY | O_NOFOLLOW));
  edited.changed = TRY(hash_of(file_.get())) != edited.before;
  edited.file = file_.get();
  return edited;
}

}  // namespace sbx
