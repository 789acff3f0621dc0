#include "resource/code_place.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "os/file.h"

namespace sbx {
namespace {

// All that is below is the sandbox's as soon as the top is: nothing here follows what it may have put there.
constexpr std::uint64_t kInside = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;

Result<void> give(int fd, std::uint32_t owner, const std::string& name) {
  if (fchown(fd, owner, owner) != 0) return fail(system_error("fchown", name, errno));
  return {};
}

Result<UniqueFd> make_directory(int parent, const std::string& name) {
  if (mkdirat(parent, name.c_str(), 0755) != 0 && errno != EEXIST)
    return fail(system_error("mkdir", name, errno));
  return os::open_resolved(parent, name, O_RDONLY | O_DIRECTORY, kInside);
}

Result<void> put(int code, const SourceFile& file, std::uint32_t owner) {
  for (std::size_t at = file.name.find('/'); at != std::string::npos; at = file.name.find('/', at + 1)) {
    const std::string parent = file.name.substr(0, at);
    const UniqueFd made = TRY(make_directory(code, parent));
    TRY(give(made.get(), owner, parent));
  }
  const UniqueFd fd = TRY(os::open_at(code, file.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
  TRY(os::write_all(fd.get(), file.content, file.name));
  return give(fd.get(), owner, file.name);
}

Result<void> fill(int top, const std::vector<SourceFile>& files, std::uint32_t owner) {
  const UniqueFd code = TRY(make_directory(top, "code"));
  for (const SourceFile& file : files) TRY(put(code.get(), file, owner));
  TRY(give(code.get(), owner, "code"));
  const UniqueFd build = TRY(make_directory(top, "build"));
  TRY(give(build.get(), owner, "build"));
  if (fchmod(top, 0755) != 0) return fail(system_error("fchmod", "code", errno));
  return give(top, owner, "code");
}

}  // namespace

Result<CodePlace> CodePlace::make(const std::vector<StorageUse>& uses, const std::string& name,
                                  const std::vector<SourceFile>& files, std::uint32_t owner) {
  const auto use = std::ranges::find(uses, "tmp_bytes", &StorageUse::limit);
  if (use == uses.end()) return fail("the sandbox has no /tmp");
  UniqueFd tmp = TRY(os::open_resolved(use->place.get(), "tmp", O_RDONLY | O_DIRECTORY, kInside));
  if (mkdirat(tmp.get(), name.c_str(), 0700) != 0) return fail(system_error("mkdir", path_of(name), errno));
  CodePlace place(std::move(tmp), name);
  const UniqueFd top = TRY(os::open_resolved(place.tmp_.get(), name, O_RDONLY | O_DIRECTORY, kInside));
  TRY_DOING("putting the code into the sandbox's /tmp", fill(top.get(), files, owner));
  return place;
}

CodePlace::~CodePlace() {
  if (tmp_.valid()) (void)os::remove_tree(tmp_.get(), name_);  // else the sandbox's end does
}

}  // namespace sbx
