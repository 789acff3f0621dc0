// Watches a file until standard input ends, and says how often others used it: watch_file PATH.
#include <sys/inotify.h>

#include "attempt.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const int fd = inotify_init1(IN_NONBLOCK);
  sbx::probe::report("watching", inotify_add_watch(fd, argv[1], IN_OPEN | IN_ACCESS));
  char byte = 0;
  while (read(0, &byte, 1) > 0) {
  }
  alignas(inotify_event) char events[4096];
  sbx::probe::say("used", read(fd, events, sizeof events) > 0 ? "seen" : "hidden");
  return 0;
}
