#include <linux/filter.h>
#include <seccomp.h>

#include <optional>

#include "base/hash.h"
#include "policy/content_cache.h"
#include "policy/seccomp_profile.h"
#include "policy/trusted_file.h"
#include "policy/yaml_reader.h"

namespace sbx {
namespace {

// To be raised with every change of what compile_seccomp makes of the same profile.
constexpr std::string_view kFormat = "sbx seccomp filter 1";
constexpr std::size_t kMaxProgramBytes = BPF_MAXINSNS * sizeof(sock_filter);

std::string cache_key(std::string_view digest) {
  const scmp_version* version = seccomp_version();
  return blake2b_hex(std::string(kFormat) + "\nlibseccomp " + std::to_string(version->major) + "." +
                     std::to_string(version->minor) + "." + std::to_string(version->micro) + "\nabi " +
                     std::to_string(seccomp_arch_native()) + "\n" + std::string(digest));
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
    profile_digest = blake2b_hex(*profile);
  }
  const std::string key = cache_key(profile_digest);
  const ContentCache cache(cache_dir, "bpf", kMaxProgramBytes);
  std::optional<std::string> cached = cache.read(key);
  if (cached && cached->size() % sizeof(sock_filter) == 0) return *std::move(cached);

  if (!profile) {
    profile = TRY(read_profile(profile_path));
    if (blake2b_hex(*profile) != digest) {
      return fail("'" + profile_path + "' was changed after the policy was read: run again");
    }
  }
  const SeccompProfile parsed = TRY(parse_seccomp_profile(profile_path, *profile));
  std::string program = TRY(compile_seccomp(parsed));
  cache.store(key, program);
  return program;
}

}  // namespace sbx
