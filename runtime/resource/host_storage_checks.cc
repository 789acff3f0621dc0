// File systems, the state directory, and programs.
#include "resource/host_check_list.h"

namespace sbx {
namespace {

constexpr std::uint64_t kFewBytes = 1ULL << 30U;
constexpr std::uint64_t kTooFewBytes = 64ULL << 20U;
constexpr std::uint64_t kFewInodes = 50'000;
constexpr std::uint64_t kTooFewInodes = 2'000;

std::string rough_bytes(std::uint64_t bytes) {
  return bytes >= 10ULL << 30U ? std::to_string(bytes >> 30U) + "G" : std::to_string(bytes >> 20U) + "M";
}

CheckState level_of(std::uint64_t value, std::uint64_t few, std::uint64_t too_few) {
  if (value < too_few) return CheckState::missing;
  return value < few ? CheckState::degraded : CheckState::ok;
}

void check_id_map(CheckList& list, const IdMapFacts& place) {
  const std::string name = "idmapped_mounts";
  const std::string where = place.path + " is on " + place.file_system;
  if (!place.attempt.tried) {
    list.add_untried(name).found += ": " + where;
  } else if (place.attempt.worked() || place.attempt.error_number != EINVAL) {
    list.add_attempt(name, place.attempt, where, HostNeed::id_mapped_mounts);
  } else if (list.may_be_missing(name)) {
    HostCheck& check = list.add(name, CheckState::degraded, where);
    check.effect = "its files are shown as nobody's, as the policy allows, and the result says so";
  } else {
    HostCheck& check = list.add(name, CheckState::missing, where);
    const std::string text = id_map_refusal(place.path, place.file_system);
    const std::size_t end = text.find("; ");
    check.effect = text.substr(0, end);
    check.fix = text.substr(end + 2);
  }
}

// For information: nothing that runs needs it.
void check_tool(CheckList& list, const char* name, const std::vector<std::string>& any_of, const char* effect,
                const char* fix) {
  for (const std::string& program : any_of) {
    if (!contains(list.facts().tools, program)) continue;
    list.add(name, CheckState::ok, program).required = false;
    return;
  }
  HostCheck& check = list.add(name, CheckState::missing, "no " + join(any_of));
  check.required = false;
  check.effect = effect;
  check.fix = fix;
}

// Nothing but projects needs it.
void check_project_disk(CheckList& list) {
  const StateFacts& state = list.facts().state;
  const bool image = state.loop_devices.worked() && state.mke2fs;
  const char* name = "project_disk";
  if (!state.loop_devices.tried) {
    list.add_untried(name).required = false;
  } else if (state.project_quota || image) {
    list.add(name, CheckState::ok, state.project_quota ? "by project quota" : "by a file system in a file")
        .required = false;
  } else {
    const char* found =
        state.mke2fs ? "neither project quota nor loop devices" : "neither project quota nor mke2fs";
    const CheckState level = list.may_be_missing("disk") ? CheckState::degraded : CheckState::missing;
    list.add(name, level, found, HostNeed::project_disk).required = false;
  }
}

}  // namespace

void check_file_systems(CheckList& list) {
  list.begin("file systems");
  const HostFacts& facts = list.facts();
  for (const IdMapFacts& place : facts.id_maps) check_id_map(list, place);
  list.add_attempt("overlay", facts.overlay, "can be mounted", HostNeed::overlay);
  list.add_attempt("overlay_idmapped", facts.overlay_id_mapped, "can be mounted over id-mapped layers",
                   HostNeed::overlay);
  list.add_attempt("procfs", facts.procfs, "can be mounted", HostNeed::procfs);
  list.add_attempt("devpts", facts.devpts, "can be mounted", HostNeed::small_file_systems);
  list.add_attempt("mqueue", facts.mqueue, "can be mounted", HostNeed::small_file_systems);
  list.add_attempt("devices", facts.devices, "can be made and opened", HostNeed::devices);
}

void check_state(CheckList& list) {
  list.begin("state");
  const StateFacts& state = list.facts().state;
  const CheckState space = level_of(state.free_bytes, kFewBytes, kTooFewBytes);
  HostCheck& bytes =
      list.add("disk_space", space, rough_bytes(state.free_bytes) + " free at " + state.probed);
  if (space != CheckState::ok) {
    bytes.effect = "images do not fit and projects cannot grow; the image 'host' needs some megabytes";
    bytes.fix = "free space, or move the state directory (--state-dir, state_dir in the configuration)";
  }
  if (state.free_inodes) {
    const CheckState level = level_of(*state.free_inodes, kFewInodes, kTooFewInodes);
    HostCheck& inodes = list.add("disk_inodes", level, std::to_string(*state.free_inodes) + " free");
    if (level != CheckState::ok) {
      inodes.effect = "an image has tens of thousands of files, and the image 'host' more than a thousand";
      inodes.fix = "remove files, or make the file system with more inodes";
    }
  }
  check_project_disk(list);
  if (!state.read_only && !state.no_exec) return;
  HostCheck& flags = list.add("state_dir", state.read_only ? CheckState::missing : CheckState::degraded,
                              state.probed + " is mounted " + (state.read_only ? "read-only" : "noexec"));
  flags.effect = state.read_only ? "nothing can be stored; only what is there already can be used"
                                 : "programs of images cannot be executed";
  flags.fix = "remount it, or move the state directory";
}

void check_programs(CheckList& list) {
  list.begin("programs");
  const HostFacts& facts = list.facts();
  if (facts.missing_programs.empty()) {
    list.add("sbx", CheckState::ok, "sbx-direct, sbx-spawner and sbx-init are there");
  } else {
    list.add("sbx", CheckState::missing, "without " + join(facts.missing_programs), HostNeed::programs);
  }
  HostCheck& host = list.add("image_host", facts.merged_usr ? CheckState::ok : CheckState::degraded,
                             facts.merged_usr ? "/bin is a link into /usr" : "/bin is not a link into /usr");
  host.required = false;
  if (!facts.merged_usr) {
    host.effect = words_of(HostNeed::merged_usr).effect;
    host.fix = words_of(HostNeed::merged_usr).fix;
  }
  check_tool(list, "build_images", {"buildah", "podman", "docker"},
             "images cannot be built here, only imported", "apt-get install buildah");
  check_tool(list, "test_machine", {"qemu-system-x86_64"}, "the tests in a virtual machine are skipped",
             "apt-get install qemu-system-x86");
}

}  // namespace sbx
