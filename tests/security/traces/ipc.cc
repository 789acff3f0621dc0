// System V and POSIX IPC objects.
#include <fcntl.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "trace.h"

namespace sbx::trace {
namespace {

key_t number() { return static_cast<key_t>(key()); }

constexpr const char* kNamespace = "own IPC namespace, gone with the sandbox";

// Whoever asks for the first id gets the first object, whatever its key is.
long find_first_segment() {
  shmid_ds info{};
  return shmctl(0, SHM_STAT_ANY, &info);
}

constexpr Trace kTraces[] = {
    {.name = "ipc.shm",
     .aim = "System V shared memory",
     .control = kNamespace,
     .other = "ENOENT",
     .leave = [] { return static_cast<long>(shmget(number(), 4096, IPC_CREAT | 0666)); },
     .find = [] { return static_cast<long>(shmget(number(), 0, 0)); }},
    {.name = "ipc.sem",
     .aim = "a System V semaphore",
     .control = kNamespace,
     .other = "ENOENT",
     .leave = [] { return static_cast<long>(semget(number(), 1, IPC_CREAT | 0666)); },
     .find = [] { return static_cast<long>(semget(number(), 0, 0)); }},
    {.name = "ipc.msg",
     .aim = "a System V message queue",
     .control = kNamespace,
     .other = "ENOENT",
     .leave = [] { return static_cast<long>(msgget(number(), IPC_CREAT | 0666)); },
     .find = [] { return static_cast<long>(msgget(number(), 0)); }},
    {.name = "ipc.shm_list",
     .aim = "any System V shared memory by number",
     .control = kNamespace,
     .other = "EINVAL",
     .leave = [] { return static_cast<long>(shmget(IPC_PRIVATE, 4096, 0666)); },
     .find = find_first_segment},
    {.name = "ipc.queue",
     .aim = "a POSIX message queue",
     .control = kNamespace,
     .other = "ENOENT",
     .leave =
         [] {
           return static_cast<long>(
               mq_open(("/" + name_with_key()).c_str(), O_CREAT | O_RDWR, 0666, nullptr));
         },
     .find = [] { return static_cast<long>(mq_open(("/" + name_with_key()).c_str(), O_RDONLY)); }},
};

}  // namespace

std::span<const Trace> ipc_traces() { return kTraces; }

}  // namespace sbx::trace
