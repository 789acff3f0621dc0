#include "api/guests.h"

#include <cerrno>

#include "os/socket.h"
#include "wire/keeper_protocol.h"

namespace sbx::api {

Result<UniqueFd> Guests::add(Admission::Place place) {
  auto [ours, theirs] = TRY(os::seqpacket_pair());
  const auto guest = guests_.insert(guests_.end(), Guest{std::move(ours), std::move(place), {}});
  auto watch = loop_.watch(guest->keeper.get(), [this, guest] { read(guest); });
  if (!watch) {
    guests_.erase(guest);
    return fail(watch.error());
  }
  guest->watch = std::move(*watch);
  return std::move(theirs);
}

void Guests::read(std::list<Guest>::iterator guest) {
  auto received = os::receive_message(guest->keeper.get(), sizeof(KeeperMessage));
  if (!received && received.error().error_number == EAGAIN) return;
  if (!received || !*received) return (void)guests_.erase(guest);
  const auto message = os::read_struct<KeeperMessage>(**received, "keeper");
  if (message && message->type == KeeperMessageType::memory && message->value >= 0)
    guest->place.set_memory(static_cast<std::uint64_t>(message->value));
}

}  // namespace sbx::api
