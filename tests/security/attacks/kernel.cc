// Parts of the kernel that programs rarely need and that have had holes.
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/bpf.h>
#include <linux/fanotify.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <sys/fanotify.h>
#include <sys/socket.h>

#include <cstdint>

#include "attempts.h"

namespace sbx::attack {
namespace {

long bpf_call(int command, bpf_attr& attributes) {
  return syscall(SYS_bpf, command, &attributes, sizeof attributes);
}

long make_bpf_map() {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = 4;
  attributes.value_size = 4;
  attributes.max_entries = 1;
  return bpf_call(BPF_MAP_CREATE, attributes);
}

long load_bpf_program() {
  bpf_insn program[2] = {};
  program[0].code = BPF_ALU64 | BPF_MOV | BPF_K;  // r0 = 0
  program[1].code = BPF_JMP | BPF_EXIT;
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  attributes.insn_cnt = 2;
  attributes.insns = reinterpret_cast<std::uint64_t>(program);
  attributes.license = reinterpret_cast<std::uint64_t>("GPL");
  return bpf_call(BPF_PROG_LOAD, attributes);
}

long find_bpf_object() {
  bpf_attr attributes{};
  return bpf_call(BPF_PROG_GET_NEXT_ID, attributes);
}

long open_perf_event(bool of_machine) {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.size = sizeof attributes;
  attributes.config = PERF_COUNT_SW_CPU_CLOCK;
  attributes.exclude_kernel = of_machine ? 0 : 1;
  attributes.exclude_hv = of_machine ? 0 : 1;
  return syscall(SYS_perf_event_open, &attributes, of_machine ? -1 : 0, of_machine ? 0 : -1, -1, 0);
}

long make_ring() {
  io_uring_params parameters{};
  return syscall(SYS_io_uring_setup, 1, &parameters);
}

long register_with_ring() {
  alignas(8) char probe[sizeof(io_uring_probe) + 256 * sizeof(io_uring_probe_op)] = {};
  return syscall(SYS_io_uring_register, make_ring(), IORING_REGISTER_PROBE, probe, 256);
}

template <unsigned flags>
long watch_files() {
  return syscall(SYS_fanotify_init, flags, O_RDONLY);
}

template <unsigned flags, unsigned mark>
long watch_everything() {
  const long group = watch_files<flags>();
  return syscall(SYS_fanotify_mark, group, FAN_MARK_ADD | mark, std::uint64_t{FAN_CREATE}, AT_FDCWD, "/tmp");
}

long add_own_key() { return syscall(SYS_add_key, "user", "sbx-attack", "x", 1, KEY_SPEC_THREAD_KEYRING); }

long request_own_key() {
  (void)add_own_key();
  return syscall(SYS_request_key, "user", "sbx-attack", nullptr, 0);
}

// Somebody else's, by its number: keys have no namespaces, and their numbers are those of the machine.
long read_foreign_key() {
  char bytes[16] = {};
  const long size = syscall(SYS_keyctl, KEYCTL_READ, target_number("readable_key"), bytes, sizeof bytes);
  return size < 0 ? size : only_if(std::string(bytes) == "secret");
}

long describe_foreign_key() {
  char bytes[128] = {};
  return syscall(SYS_keyctl, KEYCTL_DESCRIBE, target_number("readable_key"), bytes, sizeof bytes);
}

long submit_requests() {
  aio_context_t context = 0;
  (void)syscall(SYS_io_setup, 1, &context);
  return syscall(SYS_io_submit, context, 0, nullptr);
}

constexpr const char* kBpf = "filter: bpf; no capability";
constexpr const char* kRing = "filter: io_uring_*";
constexpr const char* kKeys = "filter: add_key, request_key, keyctl";
constexpr const char* kRequests = "filter: io_* are not there";

constexpr const char* kLoads = "not tried: it would load one";

// What the kernel says once it has looked for a module depends on the modules that there are.
constexpr Attack autoload(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name,
          .aim = aim,
          .control = "filter: the family of socket",
          .inside = "EAFNOSUPPORT",
          .unfiltered = "ok|EAFNOSUPPORT",
          .outside = kLoads,
          .attempt = attempt};
}

constexpr Attack kAttacks[] = {
    refused("kernel.bpf_map", "keep data in the kernel's BPF machine", kBpf, make_bpf_map),
    refused("kernel.bpf_program", "load code into the kernel's BPF machine", kBpf, load_bpf_program),
    // ENOENT where no program is loaded at all.
    refused("kernel.bpf_list", "find the BPF programs of the machine", kBpf, find_bpf_object, "ok|ENOENT"),
    // EACCES: kernel.perf_event_paranoid of 3, as Debian has it.
    filtered(
        "kernel.perf", "count events of its own by perf", "filter: perf_event_open",
        [] { return open_perf_event(false); }, "ok", "ok|EACCES"),
    filtered(
        "kernel.perf_machine", "watch all of a CPU by perf", "filter: perf_event_open; no capability",
        [] { return open_perf_event(true); }, "ok", "EACCES"),
    refused("kernel.userfaultfd", "stop the kernel at a page of its memory",
            "filter: userfaultfd; vm.unprivileged_userfaultfd is 0",
            [] { return syscall(SYS_userfaultfd, 0); }),
    filtered("kernel.userfaultfd_user", "handle the faults of its own memory", "filter: userfaultfd",
             [] { return syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY); }),
    filtered("kernel.io_uring_setup", "make a ring, whose requests no filter sees", kRing, make_ring),
    filtered("kernel.io_uring_enter", "have the requests of a ring done", kRing,
             [] { return syscall(SYS_io_uring_enter, make_ring(), 0, 0, 0, nullptr, 0); }),
    filtered("kernel.io_uring_register", "register with a ring", kRing, register_with_ring),
    refused("kernel.fanotify", "watch files of everybody", "filter: fanotify_init; no capability",
            watch_files<FAN_CLASS_NOTIF>),
    filtered("kernel.fanotify_own", "watch files without a right", "filter: fanotify_init",
             watch_files<FAN_REPORT_FID>),
    refused("kernel.fanotify_file_system", "watch all of a file system",
            "filter: fanotify_init, fanotify_mark; no capability",
            watch_everything<FAN_REPORT_FID, FAN_MARK_FILESYSTEM>),
    filtered("kernel.fanotify_directory", "watch a directory", "filter: fanotify_init, fanotify_mark",
             watch_everything<FAN_REPORT_FID, FAN_MARK_INODE>),
    filtered("kernel.add_key", "put a key into a keyring of its own", kKeys, add_own_key),
    filtered("kernel.request_key", "have the kernel look for a key", kKeys, request_own_key),
    filtered("kernel.keyctl_session", "start a session keyring", kKeys,
             [] { return syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr); }),
    filtered("kernel.keyctl_keyring", "have a keyring of its own", kKeys,
             [] { return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1); }),
    filtered("kernel.keyctl_read", "read a key of the host that others may read", kKeys, read_foreign_key),
    filtered("kernel.keyctl_describe", "see a key of the host that others may see", kKeys,
             describe_foreign_key),
    {.name = "kernel.io_setup",
     .aim = "use up the machine's number of asynchronous requests",
     .control = kRequests,
     .inside = "ENOSYS",
     .unfiltered = "ok",
     .attempt =
         [] {
           aio_context_t context = 0;
           return syscall(SYS_io_setup, 1, &context);
         }},
    {.name = "kernel.io_submit",
     .aim = "hand in asynchronous requests",
     .control = kRequests,
     .inside = "ENOSYS",
     .unfiltered = "ok",
     .attempt = submit_requests},
    autoload("kernel.autoload_family", "have the module of a family of sockets loaded",
             [] { return syscall(SYS_socket, AF_APPLETALK, SOCK_DGRAM, 0); }),
    autoload("kernel.autoload_algorithm", "have the modules of algorithms loaded",
             [] { return syscall(SYS_socket, AF_ALG, SOCK_SEQPACKET, 0); }),
    refused(
        "kernel.autoload_file_system", "have the module of a file system loaded",
        "filter: fsopen; no capability", [] { return syscall(SYS_fsopen, "hfsplus", 0); }, kLoads),
};

}  // namespace

std::span<const Attack> kernel_attacks() { return kAttacks; }

}  // namespace sbx::attack
