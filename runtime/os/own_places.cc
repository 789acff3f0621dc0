#include "os/own_places.h"

#include <unistd.h>

#include <array>
#include <cerrno>

namespace sbx::os {
namespace {

// Below the prefix; meson.build has them from its options.
constexpr std::string_view kPrograms = "/" SBX_BINDIR;
constexpr std::string_view kHelpers = "/" SBX_LIBEXECDIR "/sbx";
constexpr std::string_view kPolicies = "/" SBX_DATADIR "/sbx/policies";
constexpr std::string_view kRootfs = "/" SBX_DATADIR "/sbx/rootfs";

OwnPlaces installed(std::string_view directory, std::string_view ending) {
  const std::string prefix(directory.substr(0, directory.size() - ending.size()));
  return {prefix + std::string(kPrograms), prefix + std::string(kHelpers), prefix + std::string(kPolicies),
          prefix + std::string(kRootfs)};
}

}  // namespace

Result<std::string> own_directory() {
  static constexpr const char* kSelf = "/proc/self/exe";
  std::array<char, 4096> path{};
  const ssize_t size = readlink(kSelf, path.data(), path.size());
  if (size < 0) return fail(system_error("readlink", kSelf, errno));
  const std::string text(path.data(), static_cast<std::size_t>(size));
  return text.substr(0, text.find_last_of('/'));
}

OwnPlaces own_places(std::string_view own_directory) {
  const std::string directory(own_directory);
  if (directory.ends_with(kHelpers)) return installed(directory, kHelpers);
  // A checkout's build/bin looks the same but for what is in it.
  const bool together = access((directory + "/sbx-direct").c_str(), F_OK) == 0;
  if (directory.ends_with(kPrograms) && !together) return installed(directory, kPrograms);
  return {directory, directory, directory + "/../../policies", directory + "/../../rootfs"};
}

}  // namespace sbx::os
