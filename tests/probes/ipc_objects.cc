// System V and POSIX IPC objects and an abstract socket that others may see: ipc_objects find KEY, or make
// KEY, which keeps them until it is killed. `find` prints ok for what it could reach.
#include <fcntl.h>
#include <mqueue.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdlib>

#include "attempt.h"

namespace {

using sbx::probe::report;

struct Address {
  sockaddr_un address{};
  socklen_t size = 0;
};

Address abstract(const std::string& key) {
  Address result;
  result.address.sun_family = AF_UNIX;
  const std::string name = "sbx-probe-" + key;
  std::memcpy(result.address.sun_path + 1, name.c_str(), name.size());
  result.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return result;
}

void find(key_t key, const std::string& name) {
  report("shm", shmget(key, 0, 0));
  report("sem", semget(key, 0, 0));
  report("msg", msgget(key, 0));
  report("mq", mq_open(("/sbx-probe-" + name).c_str(), O_RDONLY));
  const Address address = abstract(name);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  report("abstract", connect(fd, reinterpret_cast<const sockaddr*>(&address.address), address.size));
}

void make(key_t key, const std::string& name) {
  report("shm", shmget(key, 4096, IPC_CREAT | 0666));
  report("sem", semget(key, 1, IPC_CREAT | 0666));
  report("msg", msgget(key, IPC_CREAT | 0666));
  report("mq", mq_open(("/sbx-probe-" + name).c_str(), O_CREAT | O_RDWR, 0666, nullptr));
  const Address address = abstract(name);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  const int bound = bind(fd, reinterpret_cast<const sockaddr*>(&address.address), address.size);
  report("abstract", bound == 0 ? listen(fd, 8) : bound);
}

// Until the standard input ends.
void keep(key_t key, const std::string& name) {
  char byte = 0;
  while (read(0, &byte, 1) > 0) {
  }
  (void)shmctl(shmget(key, 0, 0), IPC_RMID, nullptr);
  (void)semctl(semget(key, 0, 0), 0, IPC_RMID);
  (void)msgctl(msgget(key, 0), IPC_RMID, nullptr);
  (void)mq_unlink(("/sbx-probe-" + name).c_str());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto key = static_cast<key_t>(std::atoi(argv[2]));
  if (std::string(argv[1]) == "make") {
    make(key, argv[2]);
    keep(key, argv[2]);
  } else {
    find(key, argv[2]);
  }
  return 0;
}
