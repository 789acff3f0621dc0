#include "api/keepers.h"

#include <array>

#include "os/file.h"
#include "os/socket.h"
#include "wire/client_protocol.h"

namespace sbx::api {
namespace {

Result<void> send_request(int client, const RunRequest& request, const std::vector<int>& streams) {
  const UniqueFd payload = TRY(os::sealed_memfd("sbx-request", encode_run_request(request)));
  std::vector<int> descriptors{payload.get()};
  descriptors.insert(descriptors.end(), streams.begin(), streams.end());
  ClientHeader header;
  header.type = ClientMessageType::request;
  return os::send_struct(client, header, descriptors);
}

// Whose the request is.
constexpr std::int64_t kClients = 0;
constexpr std::int64_t kOwn = 1;

KeeperMessage message_of(KeeperMessageType type, std::int64_t whose, const Peer& peer = {}) {
  KeeperMessage message;
  message.type = type;
  message.value = whose;
  message.token = peer.token;
  return message;
}

}  // namespace

void Keepers::set_nursery(std::size_t index, UniqueFd socket) {
  if (index >= nurseries_.size()) nurseries_.resize(index + 1);
  nurseries_[index] = std::move(socket);
}

// In turn; one that died a moment ago is passed over.
Result<void> Keepers::ask(const KeeperMessage& message, const std::vector<int>& descriptors) {
  for (std::size_t tried = 0; tried < nurseries_.size(); ++tried) {
    const UniqueFd& nursery = nurseries_[next_++ % nurseries_.size()];
    if (nursery.valid() && os::send_struct(nursery.get(), message, descriptors)) return {};
  }
  return fail("no process is there to start sandboxes: ask again in a moment");
}

Result<UniqueFd> Keepers::start_run(const RunRequest& request, const std::vector<int>& streams,
                                    const Peer& peer) {
  auto [ours, theirs] = TRY(os::seqpacket_pair());
  TRY(send_request(ours.get(), request, streams));
  TRY(ask(message_of(KeeperMessageType::run, kOwn, peer), {theirs.get(), peer.descriptor}));
  return std::move(ours);
}

Result<void> Keepers::give_client(int connection, int place) {
  return ask(message_of(KeeperMessageType::run, kClients), {place, connection});
}

Result<UniqueFd> Keepers::query(HostQuery query, const RunRequest& request) {
  auto [ours, theirs] = TRY(os::seqpacket_pair());
  TRY(send_request(ours.get(), request, {}));
  TRY(ask(message_of(KeeperMessageType::query, static_cast<std::int64_t>(query)), {theirs.get()}));
  return std::move(ours);
}

Result<UniqueFd> Keepers::ask_about_projects(const ProjectQuestion& question, const Peer& peer,
                                             const std::vector<int>& content) {
  auto [ours, theirs] = TRY(os::seqpacket_pair());
  const UniqueFd payload = TRY(os::sealed_memfd("sbx-question", encode_project_question(question)));
  ClientHeader header;
  header.type = ClientMessageType::text;
  const int fd = payload.get();
  TRY(os::send_struct(ours.get(), header, std::span(&fd, 1)));
  std::vector<int> descriptors{theirs.get()};
  if (peer.descriptor >= 0) descriptors.push_back(peer.descriptor);
  descriptors.insert(descriptors.end(), content.begin(), content.end());
  TRY(ask(message_of(KeeperMessageType::project, kOwn, peer), descriptors));
  return std::move(ours);
}

Result<UniqueFd> Keepers::create(const RunRequest& request, const Peer& peer) {
  auto [ours, theirs] = TRY(os::seqpacket_pair());
  const UniqueFd payload = TRY(os::sealed_memfd("sbx-request", encode_run_request(request)));
  TRY(ask(message_of(KeeperMessageType::create, kOwn, peer), {theirs.get(), payload.get(), peer.descriptor}));
  return std::move(ours);
}

Result<UniqueFd> Keepers::create_warm(const RunRequest& request) {
  auto [ours, theirs] = TRY(os::seqpacket_pair());
  const UniqueFd payload = TRY(os::sealed_memfd("sbx-request", encode_run_request(request)));
  TRY(ask(message_of(KeeperMessageType::warm, kOwn), {theirs.get(), payload.get()}));
  return std::move(ours);
}

Result<void> adopt(int control, const RunRequest& request, const Peer& peer) {
  const UniqueFd payload = TRY(os::sealed_memfd("sbx-request", encode_run_request(request)));
  const std::array<int, 2> descriptors{payload.get(), peer.descriptor};
  return os::send_struct(control, message_of(KeeperMessageType::adopt, kOwn, peer), descriptors);
}

Result<UniqueFd> start_command(int control, const RunRequest& request, const std::vector<int>& streams,
                               const Peer& peer) {
  auto [ours, theirs] = TRY(os::seqpacket_pair());
  TRY(send_request(ours.get(), request, streams));
  const std::array<int, 2> descriptors{theirs.get(), peer.descriptor};
  TRY(os::send_struct(control, message_of(KeeperMessageType::command, kOwn, peer), descriptors));
  return std::move(ours);
}

Result<UniqueFd> start_files(int control, int input, int output, const FileRequest& request,
                             const Peer& peer) {
  auto [ours, theirs] = TRY(os::seqpacket_pair());
  const UniqueFd payload = TRY(os::sealed_memfd("sbx-request", encode_file_request(request)));
  const std::array<int, 5> descriptors{theirs.get(), input, output, payload.get(), peer.descriptor};
  TRY(os::send_struct(control, message_of(KeeperMessageType::files, kOwn, peer), descriptors));
  return std::move(ours);
}

Result<void> ask_keeper(int control, KeeperMessageType type, std::int64_t value, const Peer& peer) {
  const std::size_t count = peer.descriptor < 0 ? 0 : 1;
  return os::send_struct(control, message_of(type, value, peer), std::span(&peer.descriptor, count));
}

Result<void> give_client(int control, int connection) {
  return os::send_struct(control, message_of(KeeperMessageType::command, kClients),
                         std::span(&connection, 1));
}

}  // namespace sbx::api
