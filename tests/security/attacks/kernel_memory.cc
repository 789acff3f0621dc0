// Calls on memory, on one's own process and those of other times: what they give is rare, or charged to
// nobody.
#include <asm/ldt.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <csignal>

#include "attempts.h"

namespace sbx::attack {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kHugePage = 2U << 20U;

void* new_page() {
  void* memory =
      mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  return memory;
}

void* shared_page() {
  return mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
}

long splice_memory() {
  int ends[2];
  char byte = 'x';
  const iovec part{&byte, 1};
  return pipe(ends) != 0 ? -1 : syscall(SYS_vmsplice, ends[1], &part, 1, 0);
}

long move_page() {
  void* page = new_page();
  int node = 0;
  int status = -1;
  return syscall(SYS_move_pages, 0, 1, &page, &node, &status, 0);
}

long migrate_pages() {
  const unsigned long node = 1;
  return syscall(SYS_migrate_pages, getpid(), 2, &node, &node);
}

long advise_process() {
  const iovec part{new_page(), kPage};
  return syscall(SYS_process_madvise, open_pidfd(getpid()), &part, 1, MADV_COLD, 0);
}

long bind_memory() {
  const unsigned long node = 1;
  return syscall(SYS_mbind, shared_page(), kPage, MPOL_BIND, &node, 64, 0);
}

long home_memory() {
  const unsigned long node = 1;
  void* page = shared_page();
  (void)syscall(SYS_mbind, page, kPage, MPOL_BIND, &node, 64, 0);
  return syscall(450 /* set_mempolicy_home_node */, page, kPage, 0, 0);
}

// Reserved when it is used: so it needs no page of the pool to be asked for.
long map_huge() {
  return mmap(nullptr, kHugePage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_HUGETLB, -1,
              0) == MAP_FAILED
             ? -1
             : 0;
}

long share_huge() {
  const int id = shmget(IPC_PRIVATE, kHugePage, IPC_CREAT | SHM_HUGETLB | SHM_NORESERVE | 0600);
  return id < 0 ? id : shmctl(id, IPC_RMID, nullptr);
}

long change_segment() {
  user_desc segment{};
  segment.limit = 0xfffff;
  segment.seg_32bit = 1;
  segment.limit_in_pages = 1;
  segment.useable = 1;
  // glibc's return value is an int, the kernel's is 32 bits wide
  return syscall(SYS_modify_ldt, 0x11, &segment, sizeof segment) == 0 ? 0 : -1;
}

long make_executable_by_default() {
  if (personality(READ_IMPLIES_EXEC) < 0) return -1;
  return only_if((personality(0xffffffff) & READ_IMPLIES_EXEC) != 0);
}

long stop_randomizing() {
  if (personality(ADDR_NO_RANDOMIZE) < 0) return -1;
  return only_if((personality(0xffffffff) & ADDR_NO_RANDOMIZE) != 0);
}

long stop_randomizing_high() {
  if (syscall(SYS_personality, kHighBit | ADDR_NO_RANDOMIZE) < 0) return -1;
  return only_if((personality(0xffffffff) & ADDR_NO_RANDOMIZE) != 0);
}

template <unsigned long high>
long forge_process() {
  const auto here = reinterpret_cast<unsigned long>(&kPage);
  prctl_mm_map map{};
  map.start_code = map.start_data = map.start_brk = map.start_stack = map.arg_start = map.env_start = here;
  map.end_code = map.end_data = map.brk = map.arg_end = map.env_end = here + 1;
  map.exe_fd = ~0U;
  return syscall(SYS_prctl, high | PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0);
}

long idle_the_other_thread() { return prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, 0, 0); }

long open_beneath() {
  const open_how how{O_RDONLY, 0, 0};
  return syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof how);
}

long find_file_system() {
  struct stat tmp {};
  alignas(8) char answer[64];
  return stat("/tmp", &tmp) != 0 ? -1 : syscall(SYS_ustat, tmp.st_dev, answer);
}

long offer_page() { return madvise(new_page(), kPage, MADV_MERGEABLE); }

// PR_SET_MEMORY_MERGE, for all pages from now on; taken back.
long offer_all_pages() {
  const long result = prctl(67, 1, 0, 0, 0);
  (void)prctl(67, 0, 0, 0, 0);
  return result;
}

// Where a kernel has left a call out.
constexpr const char* kOkOrNone = "ok|ENOSYS";

constexpr Attack not_there(std::string_view name, std::string_view aim, std::string_view control,
                           long (*attempt)(), std::string_view unfiltered, std::string_view outside) {
  return {.name = name,
          .aim = aim,
          .control = control,
          .inside = "ENOSYS",
          .unfiltered = unfiltered,
          .outside = outside,
          .attempt = attempt};
}

constexpr Attack kAttacks[] = {
    {.name = "kernel.vmsplice",
     .aim = "give pages of its memory to a pipe",
     .control = "filter: vmsplice; allowed by `permissive`",
     .inside = "EPERM",
     .permissive = "ok",
     .unfiltered = "ok",
     .attempt = splice_memory},
    {.name = "kernel.modify_ldt",
     .aim = "make a segment of memory",
     .control = "filter: modify_ldt; allowed by `permissive`",
     .inside = "EPERM",
     .permissive = "ok",
     .unfiltered = "ok",
     .attempt = change_segment},
    filtered("kernel.move_pages", "move a page to a node of the machine", "filter: move_pages", move_page),
    filtered("kernel.migrate_pages", "move all pages to a node of the machine", "filter: migrate_pages",
             migrate_pages),
    // Before Linux 6.13 also for oneself only with CAP_SYS_NICE.
    filtered("kernel.process_madvise", "have pages taken out of memory", "filter: process_madvise",
             advise_process, "ok", "ok|EPERM"),
    // Of a process that is not dying; that somebody else's dies needs a right to kill it.
    filtered(
        "kernel.process_mrelease", "take the memory of a process", "filter: process_mrelease",
        [] { return syscall(SYS_process_mrelease, open_pidfd(getpid()), 0); }, "EINVAL", "EINVAL"),
    filtered(
        "kernel.memfd_secret", "have memory that the kernel itself cannot read", "filter: memfd_secret",
        [] { return syscall(SYS_memfd_secret, 0); }, kOkOrNone, kOkOrNone),
    filtered("kernel.mbind", "place shared memory by policies that are charged to nobody", "filter: mbind",
             bind_memory),
    filtered("kernel.home_node", "change the home of memory that has such a policy",
             "filter: set_mempolicy_home_node", home_memory, kOkOrNone, kOkOrNone),
    filtered("kernel.huge_map", "map pages of the host's huge page pool", "filter: the flags of mmap",
             map_huge),
    filtered("kernel.huge_memfd", "make a file of the host's huge page pool",
             "filter: the flags of memfd_create", [] { return long{memfd_create("attack", MFD_HUGETLB)}; }),
    filtered("kernel.huge_shm", "share memory of the host's huge page pool",
             "filter: the flags of shmget; no capability", share_huge, "ok", "EPERM"),
    {.name = "kernel.madvise_mergeable",
     .aim = "have its pages merged with equal ones of others, to learn what those hold",
     .control = "filter: MADV_MERGEABLE of madvise",
     .inside = "EINVAL",
     .unfiltered = "ok|EINVAL",
     .outside = "ok|EINVAL",  // a kernel without KSM
     .attempt = offer_page},
    // Since Linux 6.4; before, and without KSM, EINVAL.
    filtered("kernel.prctl_memory_merge", "have all of its pages merged with equal ones of others",
             "filter: PR_SET_MEMORY_MERGE of prctl", offer_all_pages, "ok|EINVAL|EPERM", "ok|EINVAL|EPERM"),
    filtered("kernel.personality_executable", "make memory executable that is only readable",
             "filter: the argument of personality", make_executable_by_default),
    {.name = "kernel.personality_addresses",
     .aim = "run programs at known addresses",
     .control = "filter: the argument of personality; allowed by `permissive`",
     .inside = "EPERM",
     .permissive = "ok",
     .unfiltered = "ok",
     .attempt = stop_randomizing},
    {.name = "kernel.personality_high",
     .aim = "run programs at known addresses, with a bit set that nobody reads",
     .control = "filter: the argument of personality; allowed by `permissive`",
     .inside = "EPERM",
     .permissive = "ok",
     .unfiltered = "ok",
     .attempt = stop_randomizing_high},
    filtered("kernel.prctl_mm", "forge what /proc shows of it", "filter: PR_SET_MM of prctl",
             forge_process<0>),
    filtered("kernel.prctl_mm_high", "forge what /proc shows of it, with a bit set that nobody reads",
             "filter: PR_SET_MM of prctl", forge_process<kHighBit>),
    // EINVAL without CONFIG_SCHED_CORE, ENODEV on a machine without hyperthreads.
    filtered("kernel.prctl_sched_core", "idle the other hyperthread of its core",
             "filter: PR_SCHED_CORE of prctl", idle_the_other_thread, "ok|EINVAL|ENODEV", "ok|EINVAL|ENODEV"),

    not_there("kernel.openat2", "open a file with flags behind a pointer", "filter: openat2 is not there",
              open_beneath, "ok", "ok"),
    not_there(
        "kernel.lsm_list", "list the machine's security modules", "filter: lsm_list_modules is not there",
        [] {
          std::uint64_t modules[16];
          std::uint32_t size = sizeof modules;
          return syscall(461, modules, &size, 0);
        },
        kOkOrNone, kOkOrNone),
    // No kernel has such calls; programs fall back when they hear so.
    not_there(
        "kernel.number_unknown", "make a call that no kernel has yet",
        "filter: unknown numbers are not there", [] { return syscall(10'000); }, "ENOSYS", "ENOSYS"),
    not_there(
        "kernel.number_negative", "make a call with a negative number",
        "filter: unknown numbers are not there", [] { return syscall(-1); }, "ENOSYS", "ENOSYS"),
    // Before Linux 5.4 native programs could make them, too.
    not_there(
        "kernel.number_of_x32", "make a call of x32 without its bit", "filter: unknown numbers are not there",
        [] { return syscall(520 /* execve of x32 */, "/bin/true", nullptr, nullptr); }, "ENOSYS", "ENOSYS"),

    filtered("kernel.ustat", "see a file system by its number", "filter: ustat", find_file_system, kOkOrNone,
             kOkOrNone),
    filtered(
        "kernel.sysfs", "count the machine's kinds of file systems", "filter: sysfs",
        [] { return syscall(SYS_sysfs, 3); }, kOkOrNone, kOkOrNone),
    // Gone from newer kernels, and never there for 64-bit programs.
    filtered(
        "kernel.uselib", "map a library as programs of 1994 did", "filter: uselib",
        [] { return syscall(SYS_uselib, "/proc/self/exe"); }, "ENOSYS", "ENOSYS"),
    filtered(
        "kernel.lookup_dcookie", "find a path by a profiler's cookie", "filter: lookup_dcookie",
        [] {
          char path[64];
          return syscall(SYS_lookup_dcookie, 0, path, sizeof path);
        },
        "ENOSYS|EINVAL|EPERM", "ENOSYS|EPERM"),
    filtered(
        "kernel.set_thread_area", "make a segment for a thread", "filter: set_thread_area",
        [] { return syscall(SYS_set_thread_area, nullptr); }, "ENOSYS", "ENOSYS"),
};

}  // namespace

std::span<const Attack> kernel_memory_attacks() { return kAttacks; }

}  // namespace sbx::attack
