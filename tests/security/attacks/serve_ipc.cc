// IPC objects of the host.
#include <fcntl.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

#include <cstdlib>

#include "serve.h"

namespace sbx::attack {
namespace {

struct Message {
  long type = 1;
  long value = kIpcSecret;
};

// Ids start at 0 in every namespace. After some objects have come and gone the next one's is a number that
// nobody inside meets by chance.
template <class Make, class Remove>
int after_others(Make make, Remove remove) {
  constexpr int kOthers = 20;
  for (int i = 0; i < kOthers; ++i) remove(make(IPC_PRIVATE));
  return make(static_cast<key_t>(-1));
}

int make_shm(key_t key) { return shmget(key, sizeof kIpcSecret, IPC_CREAT | IPC_EXCL | 0666); }
int make_sem(key_t key) { return semget(key, 1, IPC_CREAT | IPC_EXCL | 0666); }
int make_msg(key_t key) { return msgget(key, IPC_CREAT | IPC_EXCL | 0666); }

std::string posix_name(const std::string& key) { return "/sbx-attacks-" + key; }

void make_system_v(key_t key) {
  const auto own = [key](auto make) { return [=](key_t given) { return make(given < 0 ? key : given); }; };
  const int shm = after_others(own(make_shm), [](int id) { (void)shmctl(id, IPC_RMID, nullptr); });
  void* memory = shmat(shm, nullptr, 0);
  if (memory != reinterpret_cast<void*>(-1)) *static_cast<long*>(memory) = kIpcSecret;
  say("shm_id", std::to_string(shm));
  const int sem = after_others(own(make_sem), [](int id) { (void)semctl(id, 0, IPC_RMID); });
  (void)semctl(sem, 0, SETVAL, static_cast<int>(kIpcSecret & 0x7fff));
  say("sem_id", std::to_string(sem));
  const int msg = after_others(own(make_msg), [](int id) { (void)msgctl(id, IPC_RMID, nullptr); });
  const Message message;
  for (int i = 0; i < 8; ++i) (void)msgsnd(msg, &message, sizeof message.value, IPC_NOWAIT);
  say("msg_id", std::to_string(msg));
}

}  // namespace

void make_ipc_objects(const std::string& key) {
  make_system_v(std::atoi(key.c_str()));
  mq_attr attributes{};
  attributes.mq_maxmsg = 8;
  attributes.mq_msgsize = sizeof kIpcSecret;
  const mqd_t queue = mq_open(posix_name(key).c_str(), O_CREAT | O_EXCL | O_RDWR, 0666, &attributes);
  for (int i = 0; queue >= 0 && i < 8; ++i) {
    (void)mq_send(queue, reinterpret_cast<const char*>(&kIpcSecret), sizeof kIpcSecret, 0);
  }
  const int shm = shm_open(posix_name(key).c_str(), O_CREAT | O_EXCL | O_RDWR, 0666);
  (void)!write(shm, &kIpcSecret, sizeof kIpcSecret);
  (void)close(shm);
  const int memory = memfd_create("sbx-attacks", 0);
  (void)!write(memory, &kIpcSecret, sizeof kIpcSecret);
  say("memfd", "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(memory));
}

void remove_ipc_objects(const std::string& key) {
  const auto number = static_cast<key_t>(std::atoi(key.c_str()));
  (void)shmctl(shmget(number, 0, 0), IPC_RMID, nullptr);
  (void)semctl(semget(number, 0, 0), 0, IPC_RMID);
  (void)msgctl(msgget(number, 0), IPC_RMID, nullptr);
  (void)mq_unlink(posix_name(key).c_str());
  (void)shm_unlink(posix_name(key).c_str());
}

}  // namespace sbx::attack
