// A file that all sandboxes of an image share, read-only: what using it leaves for others to see.
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdint>

#include "trace.h"

namespace sbx::trace {
namespace {

constexpr const char* kShared = "/usr/bin/env";

int open_shared() { return open(kShared, O_RDONLY); }

long leave_flock() { return flock(open_shared(), LOCK_EX | LOCK_NB); }

// Found when it cannot be had.
long find_flock() {
  if (flock(open_shared(), LOCK_EX | LOCK_NB) == 0) return fail(ENOENT);
  return errno == EWOULDBLOCK ? 0 : -1;
}

struct flock whole(short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

long leave_record_lock() {
  const struct flock lock = whole(F_RDLCK);
  return fcntl(open_shared(), F_OFD_SETLK, &lock);
}

long find_record_lock() {
  struct flock lock = whole(F_WRLCK);
  if (fcntl(open_shared(), F_OFD_GETLK, &lock) != 0) return -1;
  return lock.l_type == F_UNLCK ? fail(ENOENT) : 0;
}

// Uses it for as long as others look.
long leave_use() {
  if (fork() != 0) return 0;
  while (true) {
    char byte = 0;
    const int fd = open_shared();
    (void)!read(fd, &byte, 1);
    (void)close(fd);
    (void)usleep(20'000);
  }
}

long find_use() {
  const int fd = inotify_init1(0);
  if (inotify_add_watch(fd, kShared, IN_OPEN | IN_ACCESS) < 0) return -1;
  pollfd polled{fd, POLLIN, 0};
  return poll(&polled, 1, 500) == 1 ? 0 : fail(ETIMEDOUT);
}

std::uint32_t* map_shared() {
  void* memory = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, open_shared(), 0);
  return memory == MAP_FAILED ? nullptr : static_cast<std::uint32_t*>(memory);
}

// A futex is a place in a file, also in one that both can only read.
long leave_futex() {
  std::uint32_t* word = map_shared();
  if (word == nullptr) return -1;
  if (fork() != 0) return 0;
  while (true) (void)syscall(SYS_futex, word, FUTEX_WAIT, *word, nullptr, nullptr, 0);
}

long find_futex() {
  std::uint32_t* word = map_shared();
  if (word == nullptr) return -1;
  for (int tries = 0; tries < 20; ++tries) {
    if (syscall(SYS_futex, word, FUTEX_WAKE, 1, nullptr, nullptr, 0) > 0) return 0;
    (void)usleep(10'000);
  }
  return fail(ESRCH);
}

constexpr Trace kTraces[] = {
    {.name = "shared_files.flock",
     .aim = "a lock on a program of the image",
     .control = "own overlay: an inode of its own",
     .other = "ENOENT",
     .leave = leave_flock,
     .find = find_flock},
    {.name = "shared_files.record_lock",
     .aim = "a record lock on a program of the image",
     .control = "own overlay: an inode of its own",
     .other = "ENOENT",
     .leave = leave_record_lock,
     .find = find_record_lock},
    {.name = "shared_files.use",
     .aim = "that somebody uses a program of the image, by watching it",
     .control = "own overlay: an inode of its own",
     .other = "ETIMEDOUT",
     .leave = leave_use,
     .find = find_use},
    {.name = "shared_files.futex",
     .aim = "somebody who waits for a futex in a program of the image",
     .control = "none: it says only that somebody waits",
     .other = "ok",
     .next = "ESRCH",
     .leave = leave_futex,
     .find = find_futex},
};

}  // namespace

std::span<const Trace> shared_file_traces() { return kTraces; }

}  // namespace sbx::trace
