// Asks for memory that no memory limit counts: huge pages of the host's pool (cgroup-v2.rst, HugeTLB).
#include <sys/mman.h>
#include <sys/shm.h>

#include "attempt.h"

namespace {

constexpr std::size_t kHugePage = 2U << 20U;

long map_huge() {
  return mmap(nullptr, kHugePage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0) == MAP_FAILED
             ? -1
             : 0;
}

long map_small() {
  return mmap(nullptr, kHugePage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

long share_huge() {
  const int id = shmget(IPC_PRIVATE, kHugePage, IPC_CREAT | SHM_HUGETLB | 0600);
  return id < 0 ? id : shmctl(id, IPC_RMID, nullptr);
}

}  // namespace

int main() {
  sbx::probe::attempt("map_small", map_small);
  sbx::probe::attempt("map_huge", map_huge);
  sbx::probe::attempt("memfd", [] { return memfd_create("probe", 0); });
  sbx::probe::attempt("memfd_huge", [] { return memfd_create("probe", MFD_HUGETLB); });
  sbx::probe::attempt("shm_huge", share_huge);
  return 0;
}
