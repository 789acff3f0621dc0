#include "workbench.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

#include "os/file.h"

namespace sbx::bench {
namespace {

constexpr std::array kMountPoints{"/dev", "/etc", "/home/sandbox", "/mnt",      "/proc",
                                  "/tmp", "/usr", "/var/tmp",      "/workspace"};

// A link of a merged /usr, as the host has it; a host without the name gives none.
Result<void> copy_link(const std::string& host_path, const std::string& copy) {
  std::array<char, PATH_MAX> target{};
  const ssize_t length = readlink(host_path.c_str(), target.data(), target.size() - 1);
  if (length < 0 && errno == ENOENT) return {};
  if (length < 0)
    return fail(system_error("readlink", host_path, errno).text + "; a host with a merged /usr is needed");
  if (symlink(target.data(), copy.c_str()) != 0) return fail(system_error("symlink", copy, errno));
  return {};
}

Result<void> make_file(const std::string& path, std::string_view bytes) {
  return os::replace_file(AT_FDCWD, path, bytes, 0644);
}

}  // namespace

Result<Workbench> Workbench::create() {
  const char* parent = std::getenv("TMPDIR");
  std::string name =
      std::string(parent != nullptr && *parent == '/' ? parent : "/var/tmp") + "/sbxbench-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) return fail(system_error("mkdtemp", name, errno));
  Workbench bench(name);
  // Others may pass through but not look: a peer that has left root behind must reach the shared root.
  if (chmod(name.c_str(), 0711) != 0) return fail(system_error("chmod", name, errno));
  TRY_DOING("making the root for the peers", bench.make_root());
  return bench;
}

Workbench::Workbench(Workbench&& other) noexcept : directory_(std::exchange(other.directory_, {})) {}

Workbench::~Workbench() {
  if (directory_.empty()) return;
  // What is a mount point in our namespace is refused (EBUSY), never emptied.
  if (const auto removed = os::remove_tree(AT_FDCWD, directory_); !removed) {
    (void)std::fprintf(stderr, "sbxbench: %s\n", removed.error().text.c_str());
  }
}

Result<void> Workbench::make_root() const {
  TRY(os::make_directories(root(), 0755));
  for (const char* point : kMountPoints) TRY(os::make_directories(root() + point, 0755));
  for (const char* link : {"/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin"})
    TRY(copy_link(link, root() + link));
  TRY(make_file(root() + "/etc/passwd",
                "root:x:0:0::/root:/bin/sh\nsandbox:x:1000:1000::/workspace:/bin/sh\n"));
  TRY(make_file(root() + "/etc/group", "root:x:0:\nsandbox:x:1000:\n"));
  // Without it the dynamic loader of every program in there searches more, and the peers would look slower.
  if (const auto cache = os::read_file(AT_FDCWD, "/etc/ld.so.cache")) {
    TRY(make_file(root() + "/etc/ld.so.cache", *cache));
  }
  return {};
}

std::vector<std::string> Workbench::environment() const {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) all.emplace_back(*entry);
  for (const auto& [name, place] : {std::pair{"SBX_STATE_DIR", "/state"}, std::pair{"SBX_RUN_DIR", "/run"},
                                    std::pair{"SBX_LOG", "/monitor.jsonl"}}) {
    if (std::getenv(name) == nullptr) all.push_back(std::string(name) + "=" + directory_ + place);
  }
  return all;
}

}  // namespace sbx::bench
