#include "api/sandbox_name.h"

#include <algorithm>

#include "base/hash.h"
#include "base/names.h"

namespace sbx::api {
namespace {

constexpr std::size_t kMost = 63;
constexpr std::size_t kDigits = 12;

bool is_of_host_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

}  // namespace

std::string sandbox_name(const std::string& project, const std::string& task,
                         const std::function<bool(const std::string&)>& taken) {
  if (project.empty() && task.empty()) return {};
  std::string name = "sbx";
  for (const std::string& part : {project, task}) name += part.empty() ? "" : "-" + part;
  const bool plain = std::ranges::all_of(name, is_of_host_name) && name.back() != '-';
  const bool clear = project.empty() || project.find('-') == std::string::npos;
  if (plain && clear && name.size() <= kMost && !taken(name)) return name;
  std::ranges::replace_if(
      name, [](char c) { return !is_of_host_name(c); }, '-');
  for (std::string seed = project + "\n" + task;; seed += "\n") {
    std::string hashed = marked_name(name, sha256_hex(seed).substr(0, kDigits));
    if (!taken(hashed)) return hashed;
  }
}

}  // namespace sbx::api
