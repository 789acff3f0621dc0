#include "launch/launch_channel.h"

#include <sys/socket.h>

#include "os/socket.h"

namespace sbx {

LaunchEvent SpawnerChannel::gone(std::optional<Error> error) {
  gone_ = true;
  (void)shutdown(socket_, SHUT_RDWR);  // one that lives ends when nobody listens
  return LauncherGone{std::move(error)};
}

LaunchEvent SpawnerChannel::read() {
  auto received = os::receive_message(socket_, sizeof(SpawnerMessage));
  if (!received) return gone(std::move(received).error());
  if (!*received) return gone({});
  const auto message = os::read_struct<SpawnerMessage>(**received, "spawner");
  if (!message || message->id != launch_id_) return {};
  switch (message->type) {
  case SpawnerMessageType::launched: {
    InitLaunched launched;
    launched.step_us = message->step_us;
    if (!(*received)->descriptors.empty()) launched.pidfd = std::move((*received)->descriptors.front());
    return launched;
  }
  case SpawnerMessageType::launch_failed: return message->failure;
  case SpawnerMessageType::ended: return InitEnded{message->status};
  default: return {};
  }
}

}  // namespace sbx
