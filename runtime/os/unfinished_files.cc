#include "os/unfinished_files.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string>
#include <string_view>

#include "os/file.h"

namespace sbx::os {
namespace {

// Of a name that replace_file gives: NAME.new.PID; else 0.
pid_t maker_of(const std::string& name) {
  constexpr std::string_view kMark = ".new.";
  const std::size_t at = name.rfind(kMark);
  if (at == std::string::npos) return 0;
  const char* end = name.data() + name.size();
  pid_t pid = 0;
  const auto [next, error] = std::from_chars(name.data() + at + kMark.size(), end, pid);
  return error == std::errc{} && next == end && pid > 0 ? pid : 0;
}

}  // namespace

Result<std::size_t> remove_unfinished_files(int directory) {
  std::size_t removed = 0;
  for (const std::string& name : TRY(list_directory(directory, "."))) {
    const pid_t maker = maker_of(name);
    if (maker == 0 || kill(maker, 0) == 0 || errno != ESRCH) continue;
    if (unlinkat(directory, name.c_str(), 0) == 0) ++removed;
  }
  return removed;
}

}  // namespace sbx::os
