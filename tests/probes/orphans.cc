// Leaves COUNT grandchildren behind that end at once, and says how many of them stay zombies after a while:
// orphans COUNT. A few run on until the sandbox ends: orphans COUNT LEFT.
#include <dirent.h>

#include <cstdlib>
#include <fstream>

#include "attempt.h"

namespace {

void leave_orphan(bool stays) {
  const pid_t child = fork();
  if (child == 0) {
    if (fork() == 0) {
      (void)setsid();
      while (stays) pause();
    }
    _exit(0);
  }
  (void)waitpid(child, nullptr, 0);
}

int zombies() {
  int count = 0;
  DIR* list = opendir("/proc");
  while (const dirent* entry = readdir(list)) {
    std::ifstream stat(std::string("/proc/") + entry->d_name + "/stat");
    std::string line;
    if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && std::getline(stat, line) &&
        line.find(") Z ") != std::string::npos) {
      ++count;
    }
  }
  (void)closedir(list);
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  for (int i = 0; i < std::atoi(argv[1]); ++i) leave_orphan(false);
  for (int i = 0; argc > 2 && i < std::atoi(argv[2]); ++i) leave_orphan(true);
  int left = zombies();
  for (int tries = 0; left > 0 && tries < 100; ++tries) {
    (void)usleep(100'000);
    left = zombies();
  }
  sbx::probe::say("zombies", std::to_string(left));
  return 7;
}
