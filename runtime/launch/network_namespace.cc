#include "launch/network_namespace.h"

#include <linux/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/unique_fd.h"
#include "launch/stopwatch.h"

namespace sbx {
namespace {

bool bring_up_loopback() {
  const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  return fd.valid() && ioctl(fd.get(), SIOCSIFFLAGS, &request) == 0;
}

}  // namespace

NetworkNamespace NetworkNamespace::make() {
  NetworkNamespace made;
  Stopwatch watch;
  if (unshare(CLONE_NEWNET) != 0) {
    made.failure_ = {LaunchStep::network_namespace, 0, errno};
    return made;
  }
  made.make_us_ = watch.lap_us();
  if (!bring_up_loopback()) made.failure_ = {LaunchStep::loopback, 0, errno};
  made.loopback_us_ = watch.lap_us();
  return made;
}

void NetworkNamespace::add_times(std::array<std::uint32_t, kLaunchSteps>& step_us) const {
  step_us[static_cast<unsigned>(LaunchStep::network_namespace)] = make_us_;
  step_us[static_cast<unsigned>(LaunchStep::loopback)] = loopback_us_;
}

}  // namespace sbx
