// Which pages of a file that all sandboxes of an image share are in memory: one reads a page, another asks.
// That how long a read takes tells it, too, is a covert channel that nobody closes (docs/threat-model.md).
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdint>

#include "trace.h"

namespace sbx::trace {
namespace {

constexpr off_t kPage = 4096;

// Large, and seldom used while tests run: the first that is there.
int open_large(off_t& pages) {
  for (const char* path : {"/usr/bin/gdb", "/usr/bin/cmake", "/usr/bin/perl", "/usr/bin/openssl",
                           "/usr/lib/x86_64-linux-gnu/libcrypto.so.3", "/usr/bin/bash"}) {
    const int fd = open(path, O_RDONLY);
    struct stat status {};
    if (fd < 0 || fstat(fd, &status) != 0) continue;
    pages = status.st_size / kPage;
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);  // nothing is read ahead, nor by looking
    return fd;
  }
  return -1;
}

// One page of the first half is read, and none of the second: the kernel keeps what others use of it.
off_t page_that_is_read(off_t pages) { return key() % (pages / 4); }

long leave_page() {
  off_t pages = 0;
  const int fd = open_large(pages);
  if (fd < 0) return -1;
  char byte = 0;
  (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  return pread(fd, &byte, 1, page_that_is_read(pages) * kPage);
}

// Whether the page that was read is there, and half of the others are not.
template <class F>
long compare(off_t pages, F is_there) {
  if (!is_there(page_that_is_read(pages))) return fail(ENOENT);
  off_t others = 0;
  for (off_t page = pages / 2; page < pages; ++page) others += is_there(page) ? 1 : 0;
  return others < pages / 4 ? 0 : fail(ENOENT);
}

long find_by_mincore() {
  off_t pages = 0;
  const int fd = open_large(pages);
  if (fd < 0) return -1;
  void* memory = mmap(nullptr, static_cast<std::size_t>(pages * kPage), PROT_READ, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return -1;
  return compare(pages, [memory](off_t page) {
    unsigned char resident = 0;
    (void)mincore(static_cast<char*>(memory) + page * kPage, kPage, &resident);
    return (resident & 1U) != 0;
  });
}

// Reads only what needs no waiting for the disk.
long find_by_reading() {
  off_t pages = 0;
  const int fd = open_large(pages);
  if (fd < 0) return -1;
  char byte = 0;
  const iovec part{&byte, 1};
  if (preadv2(fd, &part, 1, 0, RWF_NOWAIT) < 0 && errno == EOPNOTSUPP) return -1;
  return compare(pages, [&](off_t page) { return preadv2(fd, &part, 1, page * kPage, RWF_NOWAIT) == 1; });
}

constexpr Trace kTraces[] = {
    {.name = "page_cache.mincore",
     .aim = "which pages of a program of the image others read, by asking",
     .control = "the kernel tells the owner alone",
     .other = "ENOENT",
     .alone = "ENOENT",
     .leave = leave_page,
     .find = find_by_mincore},
    {.name = "page_cache.reading",
     .aim = "which pages of a program of the image others read, by reading without waiting",
     .control = "own overlay, which cannot read so",
     .other = "EOPNOTSUPP",
     .alone = "EOPNOTSUPP",
     .leave = leave_page,
     .find = find_by_reading},
};

}  // namespace

std::span<const Trace> page_cache_traces() { return kTraces; }

}  // namespace sbx::trace
