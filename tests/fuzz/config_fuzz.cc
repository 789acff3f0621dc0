// The configuration file: an error names its place, and what is read is within bounds.
#include "fuzz/fuzz.h"
#include "plan/sandbox_plan.h"
#include "run/load_config.h"

namespace sbx::fuzz {
namespace {

constexpr std::string_view kName = "config.yaml";

void try_config(std::string_view text) {
  Settings settings;
  const Result<void> read = parse_config(kName, text, settings);
  if (!read) return must_name_place(read.error(), kName, text);
  for (const std::string& path : {settings.state_dir, settings.run_dir}) {
    must(path.starts_with('/'), "a directory is absolute", path);
  }
  must(settings.cgroup_parent.empty() || settings.cgroup_parent.starts_with('/'), "a group is absolute",
       settings.cgroup_parent);
  const IdPool& ids = settings.ids;
  must(ids.first % kIdsPerSandbox == 0 && ids.first >= kIdsPerSandbox && ids.ranges >= 2,
       "the pool is whole ranges above the host's own ids");
  must(ids.first + std::uint64_t{ids.ranges} * kIdsPerSandbox <= UINT32_MAX, "the pool ends before -1");
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sbx::fuzz::try_config(sbx::fuzz::text_of(data, size));
  return 0;
}
