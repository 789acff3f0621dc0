// sbx-keeper: a nursery of sbxd's, and by fork the keeper of each of its sandboxes.
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "keeper/nursery.h"
#include "launch/in_process_starter.h"
#include "os/inherited_state.h"
#include "run/settings.h"
#include "wire/keeper_protocol.h"

namespace sbx {
namespace {

Result<void> run(const RunRequest& places) {
  const Settings settings = TRY(make_settings(places));
  const Result<CgroupLayout> cgroups = find_cgroup_layout(settings.cgroup_parent);
  MountTemplate mounts = TRY(MountTemplate::make());
  const Result<std::unique_ptr<SandboxStarter>> starter =
      std::make_unique<InProcessStarter>(std::move(mounts));
  TRY(os::reset_inherited_state());
  (void)umask(077);
  // Handled and not ignored: what is ignored would be so in every sandbox.
  for (const int number : {SIGPIPE, SIGXFSZ}) (void)signal(number, [](int) {});
  Site site{settings, cgroups, starter};
  site.cpus.fill(~0ULL);
  site.places = {places.config, places.state_dir, places.run_dir, places.log};
  return serve_nursery(site, kNurserySocketFd);
}

}  // namespace
}  // namespace sbx

// sbxd starts it with its places: CONFIG STATE RUN LOG, each empty for the default.
int main(int count, char** arguments) {
  using namespace sbx;
  (void)prctl(PR_SET_NAME, "sbx-nursery");
  (void)fcntl(kNurserySocketFd, F_SETFD, FD_CLOEXEC);
  (void)fcntl(kInitProgramFd, F_SETFD, FD_CLOEXEC);
  (void)fcntl(kFilesProgramFd, F_SETFD, FD_CLOEXEC);
  (void)prctl(PR_SET_DUMPABLE, 0);
  RunRequest places;
  if (count == 5) {
    places.config = arguments[1];
    places.state_dir = arguments[2];
    places.run_dir = arguments[3];
    places.log = arguments[4];
  }
  if (const auto done = run(places); !done) {
    std::fprintf(stderr, "sbx-keeper: %s\n", done.error().text.c_str());
    return 1;
  }
  return 0;
}
