// Makes IPC objects until a hundred megabytes of the kernel's or of shared memory hold them:
// ipc_fill shm|msg|empty_msg|sem|mq. Says "filled" when it got there, else what refused it.
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include <cstdlib>

#include "attempt.h"

namespace {

constexpr long kWanted = 100L << 20;

struct Message {
  long type = 1;
  char text[8192] = {};
};

// One more object; the bytes that hold it, or -1.
long more_shm() {
  constexpr long kSize = 4L << 20;
  void* memory = shmat(shmget(IPC_PRIVATE, kSize, 0600), nullptr, 0);
  if (memory == reinterpret_cast<void*>(-1)) return -1;
  std::memset(memory, 1, kSize);
  return kSize;
}

// A queue, full of messages of `size` bytes. The kernel's own struct msg_msg is 48 bytes.
long more_messages(size_t size) {
  static const Message message;
  const int queue = msgget(IPC_PRIVATE, 0600);
  if (queue < 0) return -1;
  long bytes = 0;
  while (msgsnd(queue, &message, size, IPC_NOWAIT) == 0) bytes += static_cast<long>(size) + 48;
  return bytes;
}

// struct sem takes a cache line.
long more_semaphores() { return semget(IPC_PRIVATE, 32000, 0600) < 0 ? -1 : 32000L * 64; }

long more_mq() {
  static int number = 0;
  mq_attr attributes{};
  attributes.mq_maxmsg = 10;
  attributes.mq_msgsize = 8192;
  const std::string name = "/fill-" + std::to_string(number++);
  const mqd_t queue = mq_open(name.c_str(), O_CREAT | O_RDWR | O_NONBLOCK, 0600, &attributes);
  if (queue < 0) return -1;
  static const Message message;
  long bytes = 0;
  while (mq_send(queue, message.text, sizeof message.text, 0) == 0) bytes += 8192;
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string kind = argc > 1 ? argv[1] : "";
  long bytes = 0;
  while (bytes < kWanted) {
    const long more = kind == "shm"         ? more_shm()
                      : kind == "msg"       ? more_messages(sizeof(Message::text))
                      : kind == "empty_msg" ? more_messages(0)
                      : kind == "sem"       ? more_semaphores()
                                            : more_mq();
    if (more < 0) {
      sbx::probe::report(kind, more);
      return 0;
    }
    bytes += more;
  }
  sbx::probe::say(kind, "filled");
}
