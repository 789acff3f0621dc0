#include "wire/spawner_protocol.h"

namespace sbx {
namespace {

void put(wire::Writer& out, const std::vector<IdMapLine>& lines) {
  out.put(static_cast<std::uint32_t>(lines.size()));
  for (const IdMapLine& line : lines) {
    out.put(line.first_inside);
    out.put(line.first_outside);
    out.put(line.count);
  }
}

std::vector<IdMapLine> get_id_lines(wire::Reader& in) {
  std::vector<IdMapLine> lines(in.get_count());
  for (IdMapLine& line : lines) {
    line.first_inside = in.get<std::uint32_t>();
    line.first_outside = in.get<std::uint32_t>();
    line.count = in.get<std::uint32_t>();
  }
  return lines;
}

}  // namespace

std::string encode_launch_plan(const LaunchPlan& plan) {
  wire::Writer out;
  out.put(kSpawnerProtocolVersion);
  out.put(plan.stage);
  out.put(static_cast<std::uint32_t>(plan.id_maps.size()));
  for (const IdMap& map : plan.id_maps) {
    put(out, map.uids);
    put(out, map.gids);
  }
  out.put(static_cast<std::uint32_t>(plan.mounts.size()));
  for (const MountDescriptor& mount : plan.mounts) out.put(mount.id_map);
  out.put(static_cast<std::uint32_t>(plan.commands.size()));
  for (const MountCommand& command : plan.commands) {
    out.put(command.action);
    out.put(command.descriptor);
    out.put(command.attributes);
    out.put(command.source);
    out.put(command.upper);
    out.put(command.target);
  }
  out.put(static_cast<std::uint32_t>(plan.resource_limits.size()));
  for (const ResourceLimit& limit : plan.resource_limits) {
    out.put(limit.resource);
    out.put(limit.soft);
    out.put(limit.hard);
  }
  out.put(plan.hostname);
  out.put(plan.init_uid);
  out.put(plan.init_gid);
  out.put(plan.filter);
  out.put(plan.report_denials);
  out.put(plan.into_cgroup);
  out.put(plan.cgroup_namespace);
  out.put(plan.task_files);
  return std::move(out).take();
}

Result<LaunchPlan> decode_launch_plan(std::string_view bytes) {
  wire::Reader in(bytes);
  LaunchPlan plan;
  if (in.get<std::uint32_t>() != kSpawnerProtocolVersion) {
    return fail("launch plan: another protocol version; install sbx-direct and sbx-spawner from one build");
  }
  plan.stage = in.get_string();
  plan.id_maps.resize(in.get_count());
  for (IdMap& map : plan.id_maps) {
    map.uids = get_id_lines(in);
    map.gids = get_id_lines(in);
  }
  plan.mounts.resize(in.get_count());
  for (MountDescriptor& mount : plan.mounts) {
    mount.id_map = in.get<std::int32_t>();
    if (mount.id_map >= static_cast<std::int32_t>(plan.id_maps.size())) in.mark_failed();
  }
  plan.commands.resize(in.get_count());
  for (MountCommand& command : plan.commands) {
    command.action = in.get_enum(MountAction::user_overlay);
    command.descriptor = in.get<std::uint32_t>();
    command.attributes = in.get<std::uint64_t>();
    command.source = in.get_string();
    command.upper = in.get_string();
    command.target = in.get_string();
    if (command.action == MountAction::attach && command.descriptor >= plan.mounts.size()) in.mark_failed();
  }
  plan.resource_limits.resize(in.get_count());
  for (ResourceLimit& limit : plan.resource_limits) {
    limit.resource = in.get<std::uint32_t>();
    limit.soft = in.get<std::uint64_t>();
    limit.hard = in.get<std::uint64_t>();
  }
  plan.hostname = in.get_string();
  plan.init_uid = in.get<std::uint32_t>();
  plan.init_gid = in.get<std::uint32_t>();
  plan.filter = in.get_string();
  plan.report_denials = in.get<std::uint8_t>();
  plan.into_cgroup = in.get<std::uint8_t>();
  plan.cgroup_namespace = in.get<std::uint8_t>();
  plan.task_files = in.get<std::uint32_t>();
  if (plan.id_maps.empty() || plan.into_cgroup > 1 || plan.cgroup_namespace > 1 || plan.report_denials > 1)
    in.mark_failed();
  TRY(in.finish("launch plan"));
  return plan;
}

}  // namespace sbx
