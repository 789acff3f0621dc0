#include "resource/bind_contents.h"

#include <dirent.h>

#include <memory>

namespace sbx {
namespace {

constexpr unsigned kMostEntries = 4096;  // enough to warn; a run does not wait for more

struct CloseDirectory {
  void operator()(DIR* directory) const { (void)closedir(directory); }
};

// "the socket 'x'"; empty: none was seen.
std::string usable_entry(const std::string& path) {
  const std::unique_ptr<DIR, CloseDirectory> directory(opendir(path.c_str()));
  if (!directory) return {};
  for (unsigned seen = 0; seen < kMostEntries; ++seen) {
    const dirent* entry = readdir(directory.get());
    if (entry == nullptr) break;
    if (entry->d_type == DT_SOCK) return "the socket '" + std::string(entry->d_name) + "'";
    if (entry->d_type == DT_FIFO) return "the FIFO '" + std::string(entry->d_name) + "'";
  }
  return {};
}

}  // namespace

std::vector<std::string> bind_warnings(const RunRequest& request) {
  std::vector<std::string> warnings;
  const auto look_at = [&warnings](const BindRequest& bind, const char* way_out) {
    if (bind.mode != BindMode::read_only) return;
    const std::string entry = usable_entry(bind.host);
    if (entry.empty()) return;
    warnings.push_back("'" + bind.host + "' is shown read-only, but the program can use " + entry +
                       " in it; " + way_out + " prevents that");
  };
  if (request.here) look_at(*request.here, "--here=cow");
  for (const BindRequest& bind : request.binds) look_at(bind, "--bind HOST:INSIDE:cow");
  return warnings;
}

}  // namespace sbx
