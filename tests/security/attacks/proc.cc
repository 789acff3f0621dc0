// /proc: what it tells of the machine, what of it takes writes, and its paths to elsewhere.
#include <sys/mount.h>
#include <sys/syscall.h>

#include <cstdlib>

#include "file_attempts.h"

namespace sbx::attack {
namespace {

bool is_number(const char* name) { return name[0] >= '0' && name[0] <= '9'; }

long see_another_process() {
  DIR* proc = opendir("/proc");
  if (proc == nullptr) return -1;
  while (const dirent* entry = readdir(proc)) {
    const long pid = is_number(entry->d_name) ? std::atol(entry->d_name) : 0;
    if (pid != 0 && pid != getpid() && pid != getppid()) return pid;
  }
  return in_vain();
}

long map_files_own() {
  const std::string directory = "/proc/self/map_files/";
  DIR* files = opendir(directory.c_str());
  if (files == nullptr) return -1;
  while (const dirent* entry = readdir(files)) {
    if (entry->d_name[0] != '.') return open((directory + entry->d_name).c_str(), O_RDONLY);
  }
  return in_vain();
}

long lower_own_score() {
  const long now = std::atol(content_of("/proc/self/oom_score_adj").c_str());
  const std::string wanted = std::to_string(now - 1);
  const long fd = open_it("/proc/self/oom_score_adj", O_WRONLY);
  return fd < 0 ? fd : write(static_cast<int>(fd), wanted.data(), wanted.size());
}

template <Text path, Text text>
long writes() {
  const long fd = open_it(path.text, O_WRONLY);
  return fd < 0 ? fd : write(static_cast<int>(fd), text.text, sizeof text.text - 1);
}

long foreign_lock() { return content_of("/proc/locks").empty() ? in_vain() : 0; }

// A path there begins where its file system does: the last two parts will do.
long host_path_in_mounts() {
  const std::string& place = target("place");
  const std::string end = place.substr(place.rfind('/', place.rfind('/') - 1));
  return only_if(content_of("/proc/self/mountinfo").find(end) != std::string::npos);
}

// A second /proc, which shows everybody, on top of a directory of one's own.
long mount_own_proc() {
  (void)mkdir("own_proc", 0755);
  return mount("proc", "own_proc", "proc", 0, "hidepid=0");
}

std::string many_up() { return "/../../../../../../../../../../../.."; }

constexpr const char* kMasked = "masked by /dev/null";
constexpr const char* kEmpty = "masked by an empty directory";
constexpr const char* kNoDevice = "host root's, and nobody inside maps to him; read-only mount";

// What tells, masked; not every kernel has each.
constexpr Attack masked(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name,
          .aim = aim,
          .control = kMasked,
          .inside = "in vain|ENOENT",
          .outside = "ok|ENOENT",
          .attempt = attempt};
}

constexpr Attack masked_directory(std::string_view name, std::string_view aim, long (*attempt)()) {
  Attack attack = masked(name, aim, attempt);
  attack.control = kEmpty;
  attack.outside = "ok|ENOENT|in vain";  // without such hardware
  return attack;
}

// What cannot be written.
constexpr Attack fixed(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name,
          .aim = aim,
          .control = kNoDevice,
          .inside = "EACCES|ENOENT",
          .outside = "ok|ENOENT",
          .attempt = attempt};
}

// A path that would lead out.
constexpr Attack way_out(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name,
          .aim = aim,
          .control = "the old root is detached; a pid namespace with a /proc of its own",
          .inside = "ENOENT",
          .attempt = attempt};
}

// docs/threat-model.md, known weaknesses: got by everybody inside, and of no use for more.
constexpr Attack told(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name, .aim = aim, .control = "none: a known weakness", .inside = "ok", .attempt = attempt};
}

constexpr Attack kAttacks[] = {
    masked("proc.kcore", "read the kernel's memory", opens<"/proc/kcore">),
    masked("proc.kmsg", "take the kernel's log", opens<"/proc/kmsg">),
    masked("proc.kallsyms", "read the kernel's addresses", reads<"/proc/kallsyms">),
    masked("proc.keys", "list keys of others", opens<"/proc/keys">),
    masked("proc.key_users", "list who has keys", reads<"/proc/key-users">),
    masked("proc.timer_list", "list the machine's timers and their owners", reads<"/proc/timer_list">),
    masked("proc.timer_stats", "count them", opens<"/proc/timer_stats">),
    masked("proc.sched_debug", "list the processes of all", reads<"/proc/sched_debug">),
    masked("proc.latency_stats", "see what waits", opens<"/proc/latency_stats">),
    masked("proc.interrupts", "count interrupts, keys pressed among them", reads<"/proc/interrupts">),
    masked("proc.slabinfo", "watch the kernel's allocator", reads<"/proc/slabinfo">),
    masked("proc.vmallocinfo", "see where the kernel has its memory", reads<"/proc/vmallocinfo">),
    masked("proc.pagetypeinfo", "see how pages are laid out", reads<"/proc/pagetypeinfo">),
    masked("proc.kpagecount", "see which pages are shared", opens<"/proc/kpagecount">),
    masked("proc.kpageflags", "see what each page is", opens<"/proc/kpageflags">),
    masked("proc.kpagecgroup", "see whose each page is", opens<"/proc/kpagecgroup">),
    masked("proc.config", "read how the kernel was built", reads<"/proc/config.gz">),
    masked("proc.sysrq_trigger", "reboot or crash the machine by a letter",
           opens_for_writing<"/proc/sysrq-trigger">),
    masked_directory("proc.acpi", "reach the firmware's switches", lists<"/proc/acpi">),
    masked_directory("proc.scsi", "add and remove disks", lists<"/proc/scsi">),
    masked_directory("proc.asound", "reach sound devices", lists<"/proc/asound">),
    fixed("proc.irq", "send interrupts to another CPU", writes_back<"/proc/irq/default_smp_affinity">),
    fixed("proc.mtrr", "change how memory is cached", opens_for_writing<"/proc/mtrr">),
    fixed("proc.pci", "write to the PCI bus", opens_for_writing<"/proc/bus/pci/00/00.0">),
    {.name = "proc.pressure",
     .aim = "have the kernel watch for pressure on his behalf",
     .control = "read-only mount",
     .inside = "EROFS|ENOENT",
     .outside = "ok|ENOENT|EOPNOTSUPP",  // where it is off
     .attempt = opens<"/proc/pressure/memory", O_RDWR>},
    {.name = "proc.make_file",
     .aim = "make a file in /proc",
     .control = "no file system would take it",
     .inside = "ENOENT",
     .outside = "ENOENT",  // nor there
     .attempt = opens<"/proc/new", O_WRONLY | O_CREAT>},

    {.name = "proc.own_score",
     .aim = "be spared by the OOM killer",
     .control = "no capability",
     .inside = "EACCES",
     .outside = "ok|EACCES",  // where root lacks CAP_SYS_RESOURCE
     .attempt = lower_own_score},
    {.name = "proc.own_uid_map",
     .aim = "map himself to host root",
     .control = "written once, by the supervisor; no capability",
     .inside = "EPERM",
     .outside = "EPERM",  // written once there, too
     .attempt = writes<"/proc/self/uid_map", "0 0 1">},
    {.name = "proc.own_gid_map",
     .aim = "map himself to the group of host root",
     .control = "written once, by the supervisor; no capability",
     .inside = "EPERM",
     .outside = "EPERM",
     .attempt = writes<"/proc/self/gid_map", "0 0 1">},
    {.name = "proc.own_setgroups",
     .aim = "forbid or allow groups",
     .control = "decided when the map was written; no capability",
     .inside = "EACCES",
     .outside = "EPERM",
     .attempt = writes<"/proc/self/setgroups", "deny">},
    {.name = "proc.own_exe_write",
     .aim = "overwrite the program that he is",
     .control = "it is being run",
     .inside = "ETXTBSY|EROFS",  // the second from a file system that is read-only itself
     .outside = "ETXTBSY|EROFS",
     .attempt = opens<"/proc/self/exe", O_RDWR>},
    {.name = "proc.map_files",
     .aim = "open mapped files by their addresses",
     .control = "no capability",
     .inside = "EPERM",
     .attempt = map_files_own},

    way_out("proc.secret", "read a file of the host by its path",
            [] { return read_secret(target("secret")); }),
    way_out("proc.root", "climb above /proc/self/root",
            [] { return read_secret("/proc/self/root" + many_up() + target("secret")); }),
    way_out("proc.cwd", "climb above /proc/self/cwd",
            [] { return read_secret("/proc/self/cwd" + many_up() + target("secret")); }),
    way_out("proc.task_root", "climb above the root of his thread",
            [] { return read_secret("/proc/thread-self/root" + many_up() + target("secret")); }),
    way_out("proc.task_cwd", "climb above the directory of his thread",
            [] {
              return read_secret("/proc/self/task/" + std::to_string(getpid()) + "/cwd" + many_up() +
                                 target("secret"));
            }),
    way_out("proc.parent_root", "climb above the root of his parent",
            [] {
              return read_secret("/proc/" + std::to_string(getppid()) + "/root" + many_up() +
                                 target("secret"));
            }),
    way_out("proc.host_process", "read a file of a host process by its number there",
            [] { return read_it("/proc/" + target("foreign") + "/status"); }),
    {.name = "proc.others",
     .aim = "see a process that is not his",
     .control = "a pid namespace; hidepid=invisible",
     .inside = "in vain",
     .attempt = see_another_process},
    {.name = "proc.locks",
     .aim = "see who holds locks on which files",
     .control = kMasked,
     .inside = "in vain",
     .attempt = foreign_lock},
    {.name = "proc.mount_own",
     .aim = "mount a /proc that hides nothing",
     .control = "filter: mount; no capability",
     .inside = "EPERM",
     .attempt = mount_own_proc},
    {.name = "proc.remount",
     .aim = "take hidepid off /proc",
     .control = "filter: mount; no capability",
     .inside = "EPERM",
     .outside = "not tried: it would change the host's",
     .attempt = [] { return long{mount("proc", "/proc", "proc", MS_REMOUNT, "hidepid=0")}; }},
    {.name = "proc.remount_sys",
     .aim = "make /proc/sys writable",
     .control = "filter: mount; no capability",
     .inside = "EPERM",
     .attempt =
         [] {
           (void)mount("/proc/sys", "/proc/sys", nullptr, MS_BIND, nullptr);
           return long{mount(nullptr, "/proc/sys", nullptr, MS_REMOUNT | MS_BIND, nullptr)};
         }},
    told("proc.mount_paths", "read paths of the host in his mount table", host_path_in_mounts),
    told("proc.boot_id", "know the machine again", reads<"/proc/sys/kernel/random/boot_id">),
    told("proc.load", "see how busy the machine is", reads<"/proc/loadavg">),
    told("proc.command_line", "read the kernel's command line", reads<"/proc/cmdline">),
};

}  // namespace

std::span<const Attack> proc_attacks() { return kAttacks; }

}  // namespace sbx::attack
