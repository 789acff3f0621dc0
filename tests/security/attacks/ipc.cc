// IPC objects of the host: by key, by id, by name, in lists.
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <string>

#include "attempts.h"
#include "serve.h"

namespace sbx::attack {
namespace {

key_t key() { return static_cast<key_t>(target_number("key")); }
int id(const char* name) { return static_cast<int>(target_number(name)); }
std::string posix_name() { return "/sbx-attacks-" + target("key"); }

constexpr int kSemaphore = static_cast<int>(kIpcSecret & 0x7fff);

struct Message {
  long type = 0;
  long value = 0;
};

long same(long value) { return only_if(value == kIpcSecret); }

long read_segment(int segment) {
  const void* memory = shmat(segment, nullptr, SHM_RDONLY);
  return memory == reinterpret_cast<const void*>(-1) ? -1 : same(*static_cast<const long*>(memory));
}

long read_semaphore(int semaphore) {
  const int value = semctl(semaphore, 0, GETVAL);
  return value < 0 ? -1 : value == kSemaphore ? 0 : in_vain();
}

long read_message(int queue) {
  Message message;
  const ssize_t size = msgrcv(queue, &message, sizeof message.value, 0, IPC_NOWAIT);
  return size < 0 ? -1 : same(message.value);
}

long by_key_shm() {
  const int segment = shmget(key(), 0, 0);
  return segment < 0 ? -1 : read_segment(segment);
}

long by_key_sem() {
  const int semaphore = semget(key(), 0, 0);
  return semaphore < 0 ? -1 : read_semaphore(semaphore);
}

long by_key_msg() {
  const int queue = msgget(key(), 0);
  return queue < 0 ? -1 : read_message(queue);
}

key_t info_key(const shmid_ds& info) { return info.shm_perm.__key; }
key_t info_key(const msqid_ds& info) { return info.msg_perm.__key; }
key_t info_key(const semid_ds& info) { return info.sem_perm.__key; }

template <class Info, class Control>
long list_any(Control control, int stat_any) {
  Info info{};
  constexpr int kMost = 4'096;
  for (int index = 0; index < kMost; ++index) {
    if (control(index, stat_any, &info) < 0) continue;
    if (info_key(info) == key()) return 0;
  }
  return fail(ENOENT);
}

// How many there are; the attackers of this table make none.
long count_segments() {
  shm_info info{};
  if (shmctl(0, SHM_INFO, reinterpret_cast<shmid_ds*>(&info)) < 0) return -1;
  shmid_ds one{};
  const bool hosts = shmctl(id("shm_id"), IPC_STAT, &one) == 0;
  return hosts && info.used_ids > 0 ? 0 : fail(ENOENT);
}

long find_in_proc(const char* path) {
  std::ifstream list(path);
  for (std::string line; std::getline(list, line);) {
    if (line.find(" " + target("key") + " ") != std::string::npos) return 0;
  }
  return fail(ENOENT);
}

long read_queue() {
  const mqd_t queue = mq_open(posix_name().c_str(), O_RDONLY | O_NONBLOCK);
  long value = 0;
  if (queue < 0) return -1;
  return mq_receive(queue, reinterpret_cast<char*>(&value), sizeof value, nullptr) < 0 ? -1 : same(value);
}

long be_told_of_queue() {
  const mqd_t queue = mq_open(posix_name().c_str(), O_RDONLY);
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGUSR1;
  return queue < 0 ? -1 : mq_notify(queue, &event);
}

// Queues are files where somebody mounts them, which an attacker with the right does.
long open_queue_as_file() {
  if (unshare(CLONE_NEWNS) == 0) (void)mount("mqueue", "/mnt", "mqueue", 0, nullptr);
  const int mounted = open(("/mnt" + posix_name()).c_str(), O_RDONLY);
  return mounted >= 0 ? mounted : open(("/dev/mqueue" + posix_name()).c_str(), O_RDONLY);
}

long read_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY);
  long value = 0;
  if (fd < 0) return -1;
  return pread(fd, &value, sizeof value, 0) < 0 ? -1 : same(value);
}

constexpr const char* kNamespace = "own IPC namespace";

constexpr Attack hidden(std::string_view name, std::string_view aim, std::string_view inside,
                        long (*attempt)()) {
  return {.name = name, .aim = aim, .control = kNamespace, .inside = inside, .attempt = attempt};
}

constexpr Attack kAttacks[] = {
    hidden("ipc.shm_by_key", "read the host's shared memory, found by its key", "ENOENT", by_key_shm),
    hidden("ipc.shm_by_id", "read the host's shared memory, found by its id", "EINVAL",
           [] { return read_segment(id("shm_id")); }),
    hidden("ipc.sem_by_key", "read the host's semaphores, found by their key", "ENOENT", by_key_sem),
    hidden("ipc.sem_by_id", "read the host's semaphores, found by their id", "EINVAL",
           [] { return read_semaphore(id("sem_id")); }),
    hidden("ipc.msg_by_key", "take a message from the host's queue, found by its key", "ENOENT", by_key_msg),
    hidden("ipc.msg_by_id", "take a message from the host's queue, found by its id", "EINVAL",
           [] { return read_message(id("msg_id")); }),
    hidden("ipc.list_shm", "list the host's shared memory by number", "ENOENT",
           [] { return list_any<shmid_ds>(shmctl, SHM_STAT_ANY); }),
    hidden("ipc.list_msg", "list the host's message queues by number", "ENOENT",
           [] { return list_any<msqid_ds>(msgctl, MSG_STAT_ANY); }),
    hidden("ipc.list_sem", "list the host's semaphores by number", "ENOENT",
           [] {
             return list_any<semid_ds>(
                 [](int index, int command, semid_ds* info) { return semctl(index, 0, command, info); },
                 SEM_STAT_ANY);
           }),
    hidden("ipc.count_shm", "learn how much shared memory the host has", "ENOENT", count_segments),
    hidden("ipc.proc_shm", "see the host's shared memory in /proc", "ENOENT",
           [] { return find_in_proc("/proc/sysvipc/shm"); }),
    hidden("ipc.proc_sem", "see the host's semaphores in /proc", "ENOENT",
           [] { return find_in_proc("/proc/sysvipc/sem"); }),
    hidden("ipc.proc_msg", "see the host's message queues in /proc", "ENOENT",
           [] { return find_in_proc("/proc/sysvipc/msg"); }),
    hidden("ipc.remove_shm", "remove the host's shared memory", "EINVAL",
           [] {
             // Asks only for the right to: the others need it.
             shmid_ds info{};
             return shmctl(id("shm_id"), IPC_STAT, &info) < 0
                        ? -1L
                        : static_cast<long>(shmctl(id("shm_id"), IPC_SET, &info));
           }),
    hidden("ipc.queue", "take a message from a POSIX queue of the host", "ENOENT", read_queue),
    hidden("ipc.notify", "be told of messages in a POSIX queue of the host", "ENOENT", be_told_of_queue),
    {.name = "ipc.queue_as_file",
     .aim = "open a POSIX queue of the host as a file",
     .control = "own IPC namespace; no mounts",
     .inside = "ENOENT",
     .attempt = open_queue_as_file},
    {.name = "ipc.posix_shm",
     .aim = "read POSIX shared memory of the host",
     .control = "own /dev/shm",
     .inside = "ENOENT",
     .attempt = [] { return read_file("/dev/shm" + posix_name()); }},
    {.name = "ipc.memfd",
     .aim = "read a memory file of the host by the /proc of its owner",
     .control = "own pid namespace; /proc of it",
     .inside = "ENOENT",
     .attempt = [] { return read_file(target("memfd")); }},
};

}  // namespace

std::span<const Attack> ipc_attacks() { return kAttacks; }

}  // namespace sbx::attack
