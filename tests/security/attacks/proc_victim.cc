// The files of a process that is not one's own: init, the only one there is inside.
#include <sys/syscall.h>

#include <cstdint>

#include "file_attempts.h"

namespace sbx::attack {

// Where it is in all processes of this program, the victim outside among them.
char victims_word[8] = "untouch";

namespace {

std::string of_victim(const char* name) { return "/proc/" + target("victim") + "/" + name; }

template <Text name, int flags = O_RDONLY>
long opens_of_victim() {
  return open_it(of_victim(name.text), flags);
}

template <Text name>
long reads_of_victim() {
  return read_it(of_victim(name.text));
}

template <Text name>
long lists_of_victim() {
  return list_it(of_victim(name.text));
}

template <Text name, Text text>
long writes_to_victim() {
  const long fd = open_it(of_victim(name.text), O_WRONLY);
  return fd < 0 ? fd : write(static_cast<int>(fd), text.text, sizeof text.text - 1);
}

long read_memory() {
  const long fd = open_it(of_victim("mem"), O_RDONLY);
  char word[8];
  return fd < 0
             ? fd
             : pread(static_cast<int>(fd), word, sizeof word, reinterpret_cast<std::intptr_t>(victims_word));
}

long write_memory() {
  const long fd = open_it(of_victim("mem"), O_RDWR);
  return fd < 0 ? fd
                : pwrite(static_cast<int>(fd), "forged", 7, reinterpret_cast<std::intptr_t>(victims_word));
}

long follow(const char* name) {
  std::array<char, 256> path{};
  return readlink(of_victim(name).c_str(), path.data(), path.size());
}

constexpr const char* kHidden = "hidepid=invisible; init is not dumpable";
constexpr const char* kUnseen = "hidepid=invisible";
constexpr const char* kOthers = "hidepid=invisible; the file is init's user's";

constexpr Attack victims(std::string_view name, std::string_view aim, long (*attempt)(),
                         std::string_view control = kHidden) {
  return {.name = name, .aim = aim, .control = control, .inside = "ENOENT", .attempt = attempt};
}

constexpr Attack kAttacks[] = {
    victims("proc.init_mem_read", "read init's memory", read_memory),
    victims("proc.init_mem_write", "change init's memory, and what it tells of the end", write_memory),
    victims("proc.init_environ", "read init's environment", reads_of_victim<"environ">),
    victims("proc.init_auxv", "read where init's code is", reads_of_victim<"auxv">),
    victims("proc.init_maps", "read init's memory map", reads_of_victim<"maps">),
    victims("proc.init_smaps", "read init's memory use", reads_of_victim<"smaps">),
    victims("proc.init_smaps_rollup", "read the sum of it", reads_of_victim<"smaps_rollup">),
    victims("proc.init_numa_maps", "read where in the machine its memory is", reads_of_victim<"numa_maps">),
    victims("proc.init_pagemap", "read which pages init has", reads_of_victim<"pagemap">),
    victims("proc.init_map_files", "list the files that init has mapped", lists_of_victim<"map_files">),
    victims("proc.init_stack", "read init's kernel stack", reads_of_victim<"stack">),
    victims("proc.init_syscall", "read what init is doing, with addresses", reads_of_victim<"syscall">),
    victims("proc.init_io", "read how much init has read and written", reads_of_victim<"io">),
    victims("proc.init_personality", "read init's personality", reads_of_victim<"personality">),
    victims("proc.init_wchan", "read where init sleeps", reads_of_victim<"wchan">, kUnseen),
    victims("proc.init_stat", "read init's addresses and times", reads_of_victim<"stat">, kUnseen),
    victims("proc.init_status", "read init's ids and signal masks", reads_of_victim<"status">, kUnseen),
    victims("proc.init_cmdline", "read init's arguments", reads_of_victim<"cmdline">, kUnseen),
    victims("proc.init_comm", "read init's name", reads_of_victim<"comm">, kUnseen),
    victims("proc.init_limits", "read init's limits", reads_of_victim<"limits">, kUnseen),
    victims("proc.init_cgroup", "read init's cgroup", reads_of_victim<"cgroup">, kUnseen),
    victims("proc.init_mountinfo", "read init's mounts", reads_of_victim<"mountinfo">, kUnseen),
    victims("proc.init_net", "read init's network", lists_of_victim<"net">, kUnseen),
    victims("proc.init_uid_map", "read init's id map", reads_of_victim<"uid_map">, kUnseen),
    victims("proc.init_task", "list init's threads", lists_of_victim<"task">, kUnseen),
    victims("proc.init_task_mem", "open init's memory by its thread",
            [] { return open_it(of_victim("task/") + target("victim") + "/mem", O_RDWR); }),
    victims("proc.init_fd", "list init's descriptors", lists_of_victim<"fd">),
    victims("proc.init_fdinfo", "list what they are", lists_of_victim<"fdinfo">),
    victims("proc.init_fd_open", "open one of init's descriptors anew", opens_of_victim<"fd/0">),
    victims("proc.init_fd_socket", "see where init's socket to the supervisor is",
            [] { return follow("fd/3"); }),
    victims("proc.init_cwd", "enter init's directory", opens_of_victim<"cwd", O_DIRECTORY>),
    victims("proc.init_root", "enter init's root", opens_of_victim<"root", O_DIRECTORY>),
    victims("proc.init_root_secret", "read a file of the host below init's root",
            [] { return read_secret(of_victim("root") + target("secret")); }),
    victims("proc.init_exe", "read init's program", opens_of_victim<"exe">),
    {.name = "proc.init_exe_write",
     .aim = "overwrite init's program (CVE-2019-5736)",
     .control = "hidepid=invisible; a sealed memfd",
     .inside = "ENOENT",
     // It is being run, and cannot be written at the moment. The CVE waited until it was not.
     // The second from a file system that is read-only.
     .outside = "ETXTBSY|EROFS",
     .attempt = opens_of_victim<"exe", O_RDWR>},
    victims("proc.init_ns_net", "get hold of init's network namespace", opens_of_victim<"ns/net">),
    victims("proc.init_ns_mnt", "get hold of init's mount namespace", opens_of_victim<"ns/mnt">),
    victims("proc.init_ns_user", "get hold of init's user namespace", opens_of_victim<"ns/user">),
    victims("proc.init_oom", "have init killed first when memory is short",
            writes_to_victim<"oom_score_adj", "1000">, kOthers),
    victims("proc.init_oom_adj", "the same by the old file", writes_to_victim<"oom_adj", "15">, kOthers),
    victims("proc.init_clear_refs", "clear the marks of use of init's pages",
            writes_to_victim<"clear_refs", "1">, kOthers),
    victims("proc.init_coredump_filter", "choose what a core dump of init holds",
            writes_to_victim<"coredump_filter", "1">, kOthers),
    victims("proc.init_autogroup", "lower init's share of the CPU", writes_to_victim<"autogroup", "19">,
            kOthers),
    victims("proc.init_timerslack", "have init wake up late", writes_to_victim<"timerslack_ns", "1000000000">,
            "hidepid=invisible; no capability"),
    victims("proc.init_timers", "read init's timers", opens_of_victim<"timers">),
    {.name = "proc.init_rename",
     .aim = "give init another name",
     .control = kOthers,
     .inside = "ENOENT",
     // Only a thread of the same process may (proc(5), comm).
     .outside = "EINVAL",
     .attempt = writes_to_victim<"comm", "x">},
};

}  // namespace

std::span<const Attack> proc_victim_attacks() { return kAttacks; }

}  // namespace sbx::attack
