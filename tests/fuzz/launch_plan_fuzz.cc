// Launch plans, as the spawner reads them: what is decoded and encoded again is decoded as the same.
#include "fuzz/fuzz.h"
#include "wire/spawner_protocol.h"

namespace sbx::fuzz {
namespace {

void try_launch_plan(std::string_view bytes) {
  const Result<LaunchPlan> decoded = decode_launch_plan(bytes);
  if (!decoded) return must_say(decoded.error());
  must(!decoded->id_maps.empty(), "there is a map for the sandbox itself");
  for (const MountDescriptor& mount : decoded->mounts) {
    must(mount.id_map < static_cast<std::int64_t>(decoded->id_maps.size()), "an id map is one of the plan's");
  }
  for (const MountCommand& command : decoded->commands) {
    must(command.action != MountAction::attach || command.descriptor < decoded->mounts.size(),
         "what is attached is one of the plan's");
  }
  must_round_trip(bytes, *decoded, encode_launch_plan, decode_launch_plan);
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sbx::fuzz::try_launch_plan(sbx::fuzz::text_of(data, size));
  return 0;
}
