#include <linux/mount.h>

#include <algorithm>
#include <array>

#include "base/printable.h"
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
    return text + " (memory, thrown away)";
  }
  case MountSource::Kind::build: return "tmpfs (memory, what the compile step leaves)";
  case MountSource::Kind::tree:
  case MountSource::Kind::workspace: break;
  }
  static constexpr std::array<const char*, 6> kIdMaps{"",
                                                      " (id-mapped: image)",
                                                      " (id-mapped: host)",
                                                      " (id-mapped: owner is the sandbox user)",
                                                      " (id-mapped: who asked is the sandbox user)",
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
  case MountAction::user_overlay:
  case MountAction::overlay: {
    const std::string upper = command.upper.empty() ? "" : " upper stage:" + command.upper + "/upper";
    return "overlay    " + target + " <- lower stage:" + command.source + upper + suffix;
  }
  case MountAction::proc: return "proc       " + target + " hidepid=invisible" + suffix;
  case MountAction::devpts: return "devpts     " + target + suffix;
  case MountAction::mqueue: return "mqueue     " + target + suffix;
  case MountAction::mask_file: return "mask       " + target;
  case MountAction::mask_directory: return "mask       " + target + "/";
  case MountAction::read_only: return "read-only  " + target;
  case MountAction::enter_root: break;
  }
  return "root is    stage:" + command.source;
}

std::string limits_text(const LimitSet& limits) {
  std::string text;
  for (const LimitField& field : kLimits) {
    const auto value = limits.*field.member;
    text += "  " + std::string(field.key) + ": " +
            (value ? format_limit(field, *value) : std::string(unlimited_word(field))) + "\n";
  }
  return text;
}

std::string project_text(const std::string& project, const PlanFacts& facts) {
  static constexpr std::array<const char*, 3> kStates{
      "", " (not there yet: a run makes it)", " (as a new one: only root can see whether it is there)"};
  return "project " + project + ", layout " + (facts.workspace_flat ? "flat" : "split") +
         kStates[static_cast<std::size_t>(facts.project)] + "\n";
}

std::string files_text(const LanguageCommand& language) {
  std::string text;
  for (const SourceFile& file : language.files) {
    text += "file " + language.directory + "/" + file.name + ", " + std::to_string(file.content.size()) +
            " bytes\n";
  }
  return text;
}

}  // namespace

std::string describe_plan(const SandboxPlan& plan, const Policy& policy, const RunRequest& request,
                          const PlanFacts& facts) {
  std::string text = "policy " + policy.name + " (" + policy.path + ")\n";
  text += "fingerprint " + policy.fingerprint + "\n";
  text += "namespaces: user mount pid net ipc uts cgroup\nhostname " + plan.hostname + "\n";
  text += "seccomp profile " + plan.seccomp + (plan.report_denials ? ", denials counted" : "");
  text += "\nlimits:\n" + limits_text(plan.limits);
  if (!request.project.empty()) text += project_text(request.project, facts);
  text += "mounts:\n";
  for (const MountCommand& command : plan.commands) text += "  " + command_text(command, plan.sources) + "\n";
  text += "ids: workload " + std::to_string(kWorkloadId) + ", init " + std::to_string(kInitId) +
          ", mapped to a host range of its own\ncapabilities: none, bounding set empty, no_new_privs\n";
  text += "cwd " + plan.exec.cwd + (plan.exec.tty ? " (on a pty)" : "") + "\nenvironment:\n";
  for (const std::string& entry : plan.exec.environment) {
    // Of the caller's and the image's only names: values may be secret.
    const bool shown = facts.language && std::ranges::find(facts.language->environment, entry) !=
                                             facts.language->environment.end();
    text += "  " + (shown ? printable(entry) : entry.substr(0, entry.find('='))) + "\n";
  }
  if (facts.language) text += files_text(*facts.language);
  text += "command:";
  // The caller's own words as they are, an image's not.
  for (const std::string& argument : plan.exec.command)
    text += " '" + (facts.language ? printable(argument) : argument) + "'";
  return text + "\n";
}

}  // namespace sbx
