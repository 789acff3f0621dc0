// /proc/self/cgroup, a NUL, /proc/self/mountinfo; and both as files of "key number" lines.
#include "fuzz/fuzz.h"
#include "resource/cgroup.h"

namespace sbx::fuzz {
namespace {

void try_membership(std::string_view own, std::string_view mounts) {
  const CgroupMembership membership = parse_cgroup_membership(own, mounts);
  for (const CgroupMembership::Entry& entry : membership.entries) {
    must(own.find(entry.path) != std::string_view::npos, "a path is what the kernel said", entry.path);
    must(entry.directory.empty() || entry.directory.starts_with(entry.mount_point),
         "our group lies below its mount, or out of sight", entry.directory);
    must(mounts.find(entry.mount_point) != std::string_view::npos, "a mount is one of the kernel's");
    const Result<std::string> found = path_in_hierarchies(membership, entry.directory);
    if (!found) must_say(found.error());
  }
}

void try_numbers(std::string_view text) {
  for (const std::string_view key : {"oom_kill", "usage_usec", "max", "nr_throttled"}) {
    const auto number = find_keyed_number(text, key);
    if (!number) continue;
    // The number is there, after its key, but for zeros before it.
    must(text.find(std::to_string(*number)) != std::string_view::npos, "a number is one of the file's");
    must(text.find(std::string(key) + " ") != std::string_view::npos, "a key is one of the file's");
  }
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = sbx::fuzz::text_of(data, size);
  const std::size_t nul = text.find('\0');
  sbx::fuzz::try_membership(text.substr(0, nul), nul == std::string_view::npos ? "" : text.substr(nul + 1));
  sbx::fuzz::try_numbers(text);
  return 0;
}
