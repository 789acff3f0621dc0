#include "policy/policy_cache.h"

#include "base/hash.h"
#include "policy/content_cache.h"
#include "wire/wire.h"

namespace sbx {
namespace {

// To be raised with every change of what parse_policy accepts or makes of the same text, and of the encoding.
constexpr std::string_view kFormat = "sbx policy 5 of " SBX_VERSION "\n";
constexpr std::size_t kMaxBytes = 1U << 20U;

// The fields that parse_policy sets.
std::string encode(const Policy& policy) {
  wire::Writer writer;
  writer.put(policy.name);
  writer.put(policy.description);
  for (const LimitField& limit : kLimits) {
    writer.put(policy.limits.*limit.member);
    writer.put(policy.ceilings.*limit.member);
  }
  writer.put(static_cast<std::uint8_t>(policy.wall_time_with_tty));
  writer.put(policy.seccomp);
  writer.put(static_cast<std::uint8_t>(policy.writable_root));
  writer.put(policy.workspace_layout);
  writer.put(policy.allow_degraded);
  writer.put(static_cast<std::uint8_t>(policy.background_processes));
  writer.put(static_cast<std::uint32_t>(policy.bind_roots.size()));
  for (const BindRoot& root : policy.bind_roots) {
    writer.put(root.path);
    writer.put(static_cast<std::uint8_t>(root.writable));
    writer.put(root.users);
    writer.put(root.groups);
  }
  writer.put(static_cast<std::uint8_t>(policy.report_denials));
  writer.put(policy.uploads.file_bytes);
  writer.put(policy.uploads.types);
  return std::move(writer).take();
}

Result<Policy> decode(std::string_view bytes) {
  wire::Reader reader(bytes);
  Policy policy;
  policy.name = reader.get_string();
  policy.description = reader.get_string();
  for (const LimitField& limit : kLimits) {
    policy.limits.*limit.member = reader.get_optional();
    policy.ceilings.*limit.member = reader.get_optional();
  }
  policy.wall_time_with_tty = reader.get_bool();
  policy.seccomp = reader.get_string();
  policy.writable_root = reader.get_bool();
  policy.workspace_layout = reader.get_enum(WorkspaceLayout::flat);
  policy.allow_degraded = reader.get_strings();
  policy.background_processes = reader.get_bool();
  policy.bind_roots.resize(reader.get_count());
  for (BindRoot& root : policy.bind_roots) {
    root.path = reader.get_string();
    root.writable = reader.get_bool();
    root.users = reader.get_strings();
    root.groups = reader.get_strings();
  }
  policy.report_denials = reader.get_bool();
  policy.uploads.file_bytes = reader.get_optional();
  policy.uploads.types = reader.get_strings();
  TRY(reader.finish("cached policy"));
  return policy;
}

}  // namespace

Result<Policy> parse_policy_cached(std::string_view path, std::string_view text,
                                   const std::string& cache_dir) {
  const ContentCache cache(cache_dir, "policy", kMaxBytes);
  const std::string key = blake2b_hex(std::string(kFormat) + std::string(text));
  if (const auto bytes = cache.read(key)) {
    if (Result<Policy> policy = decode(*bytes)) return policy;
  }
  Policy policy = TRY(parse_policy(path, text));
  cache.store(key, encode(policy));
  return policy;
}

}  // namespace sbx
