// What the kernel counts for each user, and not for each process: user_limits fill|one. "fill" takes all that
// it gets, says what ended that, and holds it until its input ends; "one" asks for one of each.
#include <mqueue.h>
#include <sys/inotify.h>

#include <functional>

#include "attempt.h"

namespace {

// As many as there are, or one; holds them. EAGAIN of sigqueue and EMFILE of the others is "no more".
void take(const std::string& name, bool all, const std::function<long()>& more) {
  constexpr int kEndless = 1'000'000;
  for (int i = 0; i < (all ? kEndless : 1); ++i) {
    if (more() < 0) return sbx::probe::report(name, -1);
  }
  sbx::probe::say(name, "ok");
}

long more_queue() {
  static int number = 0;
  mq_attr attributes{};
  attributes.mq_maxmsg = 1;
  attributes.mq_msgsize = 8192;
  const std::string name = "/user-" + std::to_string(number++);
  const mqd_t queue = mq_open(name.c_str(), O_CREAT | O_RDWR, 0600, &attributes);
  if (queue >= 0) (void)mq_close(queue);  // the queue stays, and counts
  return queue;
}

}  // namespace

int main(int argc, char** argv) {
  const bool all = argc > 1 && std::string(argv[1]) == "fill";
  sigset_t blocked;
  (void)sigemptyset(&blocked);
  (void)sigaddset(&blocked, SIGRTMIN);
  (void)sigprocmask(SIG_BLOCK, &blocked, nullptr);
  take("inotify", all, [] { return inotify_init1(0); });
  take("signals", all, [] { return sigqueue(getpid(), SIGRTMIN, {}); });
  take("queues", all, more_queue);
  sbx::probe::say("all", "done");
  char byte = 0;
  if (all) (void)!read(0, &byte, 1);
}
