#include <fcntl.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>

#include "base/hash.h"
#include "os/file.h"
#include "policy/seccomp_profile.h"
#include "policy/trusted_file.h"
#include "policy/yaml_reader.h"

// A cache file is the magic, the SHA-256 (hex) of key and program, and the program. The hash makes a torn
// file, one of another key and one of something else a miss; against a writer of our own uid it is no
// protection.
namespace sbx {
namespace {

// To be raised with every change of what compile_seccomp makes of the same profile.
constexpr std::string_view kFormat = "sbx seccomp filter 1";
constexpr std::string_view kMagic = "SBX-BPF1";
constexpr std::size_t kHeaderBytes = kMagic.size() + 64;
constexpr std::size_t kMaxProgramBytes = BPF_MAXINSNS * sizeof(sock_filter);

std::string cache_key(std::string_view digest) {
  const scmp_version* version = seccomp_version();
  return sha256_hex(std::string(kFormat) + "\nlibseccomp " + std::to_string(version->major) + "." +
                    std::to_string(version->minor) + "." + std::to_string(version->micro) + "\nabi " +
                    std::to_string(seccomp_arch_native()) + "\n" + std::string(digest));
}

std::string header_of(std::string_view key, std::string_view program) {
  Sha256 hash;
  hash.update(key);
  hash.update(program);
  return std::string(kMagic) + hash.hex();
}

// Missing, foreign, torn, unreadable: all the same, it is compiled again.
std::optional<std::string> read_cached(const std::string& path, std::string_view key) {
  const Result<UniqueFd> fd = os::open_at(AT_FDCWD, path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
  if (!fd) return std::nullopt;
  const Result<struct stat> status = os::stat_fd(fd->get(), path);
  if (!status || !S_ISREG(status->st_mode) || status->st_uid != geteuid() ||
      (status->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return std::nullopt;
  }
  Result<std::string> bytes = os::read_all(fd->get(), path, kHeaderBytes + kMaxProgramBytes);
  if (!bytes || bytes->size() <= kHeaderBytes) return std::nullopt;
  std::string program = bytes->substr(kHeaderBytes);
  if (program.size() % sizeof(sock_filter) != 0) return std::nullopt;
  if (std::string_view(*bytes).substr(0, kHeaderBytes) != header_of(key, program)) return std::nullopt;
  return program;
}

void store(const std::string& directory, const std::string& path, std::string_view key,
           std::string_view program) {
  // A cache that cannot be written costs time and nothing else.
  if (!os::make_directories(directory, 0700)) return;
  (void)os::replace_file(AT_FDCWD, path, header_of(key, program) + std::string(program), 0600);
}

Result<std::string> read_profile(const std::string& path) {
  std::optional<std::string> bytes = TRY(read_trusted_file(path, yaml::kMaxBytes));
  if (!bytes) return fail(system_error("open", path, ENOENT));
  return *std::move(bytes);
}

}  // namespace

Result<std::string> load_seccomp_filter(const std::string& profile_path, const std::string& cache_dir,
                                        std::string_view digest) {
  std::optional<std::string> profile;
  std::string profile_digest(digest);
  if (digest.empty()) {
    profile = TRY(read_profile(profile_path));
    profile_digest = sha256_hex(*profile);
  }
  const std::string key = cache_key(profile_digest);
  const std::string path = cache_dir + "/" + key + ".bpf";
  std::optional<std::string> cached = read_cached(path, key);
  if (cached) return *std::move(cached);

  if (!profile) {
    profile = TRY(read_profile(profile_path));
    if (sha256_hex(*profile) != digest) {
      return fail("'" + profile_path + "' was changed after the policy was read: run again");
    }
  }
  const SeccompProfile parsed = TRY(parse_seccomp_profile(profile_path, *profile));
  std::string program = TRY(compile_seccomp(parsed));
  store(cache_dir, path, key, program);
  return program;
}

}  // namespace sbx
