#include <linux/mount.h>

#include <array>

#include "base/units.h"
#include "plan/make_plan.h"

namespace sbx {
namespace {

std::string attributes_text(std::uint64_t attributes) {
  struct Known {
    std::uint64_t bit;
    const char* name;
  };
  static constexpr std::array<Known, 4> kKnown{{{MOUNT_ATTR_RDONLY, "ro"},
                                                {MOUNT_ATTR_NOSUID, "nosuid"},
                                                {MOUNT_ATTR_NODEV, "nodev"},
                                                {MOUNT_ATTR_NOEXEC, "noexec"}}};
  std::string text;
  for (const Known& known : kKnown) {
    if ((attributes & known.bit) == 0) continue;
    if (!text.empty()) text += ",";
    text += known.name;
  }
  return text;
}

std::string source_text(const MountSource& source) {
  switch (source.kind) {
  case MountSource::Kind::devices: return "devices (null zero full random urandom tty)";
  case MountSource::Kind::scratch: {
    std::string text = "tmpfs";
    if (source.size_bytes) text += " size=" + format_bytes(*source.size_bytes);
    if (source.inodes) text += " inodes=" + std::to_string(*source.inodes);
    return text;
  }
  case MountSource::Kind::tree: break;
  }
  static constexpr std::array<const char*, 5> kIdMaps{"", " (id-mapped: image)", " (id-mapped: host)",
                                                      " (id-mapped: owner is the sandbox user)",
                                                      " (id-mapped: project)"};
  return source.path + kIdMaps[static_cast<std::size_t>(source.id_map)];
}

std::string shown_target(const std::string& target) {
  return target.starts_with('/') ? "stage:" + target : "/" + target;
}

std::string command_text(const MountCommand& command, const std::vector<MountSource>& sources) {
  const std::string attributes = attributes_text(command.attributes);
  const std::string suffix = attributes.empty() ? "" : " " + attributes;
  const std::string target = shown_target(command.target);
  switch (command.action) {
  case MountAction::attach: {
    const MountSource& source = sources[command.descriptor];
    return "attach     " + target + " <- " + source_text(source) + " " + attributes_text(source.attributes);
  }
  case MountAction::bind: return "bind       " + target + " <- stage:" + command.source + suffix;
  case MountAction::overlay: {
    const std::string upper = command.upper.empty() ? "" : " upper stage:" + command.upper;
    return "overlay    " + target + " <- lower stage:" + command.source + upper + suffix;
  }
  case MountAction::proc: return "proc       " + target + " hidepid=invisible" + suffix;
  case MountAction::devpts: return "devpts     " + target + suffix;
  case MountAction::mqueue: return "mqueue     " + target + suffix;
  case MountAction::mask_file: return "mask       " + target;
  case MountAction::mask_directory: return "mask       " + target + "/";
  case MountAction::read_only: return "read-only  " + target;
  case MountAction::enter_root: return "root is    stage:" + command.source;
  }
  return "";
}

std::string limits_text(const LimitSet& limits) {
  std::string text;
  for (const LimitField& field : kLimits) {
    const auto value = limits.*field.member;
    text += "  " + std::string(field.key) + ": " + (value ? format_limit(field, *value) : "none") + "\n";
  }
  return text;
}

std::string limit_or_none(const LimitSet& limits, std::string_view key) {
  const LimitField* field = find_limit(key);
  const auto value = limits.*field->member;
  return value ? format_limit(*field, *value) : "no limit";
}

}  // namespace

std::string describe_plan(const SandboxPlan& plan, const Policy& policy) {
  std::string text = "policy " + policy.name + " (" + policy.path + ")\n";
  text += "fingerprint " + policy.fingerprint + "\n";
  text += "namespaces: user mount pid net ipc uts cgroup\nhostname " + plan.hostname + "\n";
  text += "seccomp profile " + plan.seccomp + "\nlimits:\n" + limits_text(plan.limits);
  text += "mounts:\n";
  for (const MountCommand& command : plan.commands) text += "  " + command_text(command, plan.sources) + "\n";
  text += "ids: workload " + std::to_string(kWorkloadId) + ", init " + std::to_string(kInitId) +
          ", mapped to a host range of its own\ncapabilities: none, bounding set empty, no_new_privs\n";
  text += "cwd " + plan.exec.cwd + (plan.exec.tty ? " (on a pty)" : "") + "\nenvironment:\n";
  for (const std::string& entry : plan.exec.environment) {
    text += "  " + entry.substr(0, entry.find('=')) + "\n";  // names only: values may be secret
  }
  text += "command:";
  for (const std::string& argument : plan.exec.command) text += " '" + argument + "'";
  return text + "\n";
}

std::string explain_plan(const SandboxPlan& plan, const Policy& policy, const RunRequest& request) {
  std::string text = "Under policy '" + policy.name + "' the program";
  text += " runs as user 'sandbox' (uid 1000 inside, an unused uid outside) without any capability.\n";
  text += "It sees image '" + request.image + "' as its file system, ";
  text += policy.writable_root ? "writable; changes are thrown away.\n" : "read-only.\n";
  text += "It may write to its home, /tmp, /var/tmp and /dev/shm (" + limit_or_none(plan.limits, "tmp") +
          " together, thrown away) and to /workspace (";
  if (request.project.empty()) {
    text += limit_or_none(plan.limits, "disk") + ", thrown away).\n";
  } else {
    text += "project '" + request.project + "', ";
    text += request.workspace_mode == WorkspaceMode::ephemeral ? "changes are thrown away" : "kept";
    text += policy.workspace_layout == WorkspaceLayout::split ? "; project_files is read-only).\n" : ").\n";
  }
  const auto host_path = [&](const BindRequest& bind, const std::string& inside) {
    static constexpr std::array<const char*, 3> kModes{"may read", "MAY CHANGE",
                                                       "may change a thrown-away copy of"};
    text += "It " + std::string(kModes[static_cast<std::size_t>(bind.mode)]) + " the host's '" + bind.host +
            "' at " + inside + ".\n";
  };
  if (request.here) host_path(*request.here, "/workspace/project_files");
  for (const BindRequest& bind : request.binds) host_path(bind, bind.inside);
  text +=
      "It sees no other file, process, network or device of the host: only loopback inside its own "
      "network.\n";
  text += "System calls are limited to the allowlist '" + plan.seccomp + "'.\n";
  text += "It is ended after " + limit_or_none(plan.limits, "wall-time") + " of wall time or " +
          limit_or_none(plan.limits, "cpu-time") + " of CPU time; or above " +
          limit_or_none(plan.limits, "memory") + " of memory (no swap).\n";
  text += "It may use " + limit_or_none(plan.limits, "cpus") + " CPU(s), " +
          limit_or_none(plan.limits, "pids") + " processes and " + limit_or_none(plan.limits, "nofile") +
          " open files per process.\n";
  if (!policy.allow_degraded.empty()) {
    text += "The policy allows these controls to be missing where the host lacks them:";
    for (const std::string& name : policy.allow_degraded) text += " " + name;
    text += ".\n";
  }
  text += "Nothing of it is left when it ends" +
          std::string(request.project.empty() ? "" : ", but the project") + ".\n";
  return text;
}

}  // namespace sbx
