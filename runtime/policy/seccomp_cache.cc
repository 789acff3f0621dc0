#include <linux/filter.h>
#include <seccomp.h>

#include <optional>

#include "base/hash.h"
#include "policy/content_cache.h"
#include "policy/seccomp_profile.h"

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

}  // namespace

Result<std::string> compile_seccomp_cached(std::string_view path, std::string_view text,
                                           std::string_view digest, const std::string& cache_dir) {
  const std::string key = cache_key(digest);
  const ContentCache cache(cache_dir, "bpf", kMaxProgramBytes);
  std::optional<std::string> cached = cache.read(key);
  if (cached && cached->size() % sizeof(sock_filter) == 0) return *std::move(cached);
  const SeccompProfile profile = TRY(parse_seccomp_profile(path, text));
  std::string program = TRY(compile_seccomp(profile));
  cache.store(key, program);
  return program;
}

}  // namespace sbx
