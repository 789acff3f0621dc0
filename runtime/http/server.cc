#include "http/server.h"

#include <sys/socket.h>

#include <algorithm>

#include "base/names.h"
#include "http/connection.h"
#include "http/response_head.h"
#include "os/stream_socket.h"

namespace sbx::http {
namespace {

// Accepted in one turn: whoever is connected has a turn, too.
constexpr int kMostAcceptedAtOnce = 64;
constexpr std::chrono::milliseconds kPause{200};

Result<Peer> peer_of(int socket, bool local) {
  Peer peer;
  peer.local = local;
  if (local) {
    os::PeerCredentials credentials = TRY(os::peer_credentials(socket));
    peer.uid = credentials.uid;
    peer.gid = credentials.gid;
    peer.pid = credentials.pid;
    peer.groups = std::move(credentials.groups);
  } else {
    os::PeerAddress address = TRY(os::peer_address(socket));
    peer.address = std::move(address.host);
    peer.port = address.port;
  }
  return peer;
}

std::string too_many(std::string_view detail) {
  const Response response = problem(503, detail);
  HeadFacts facts;
  const std::string id = new_run_id();
  facts.request_id = id;
  facts.now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  facts.keep_alive = false;
  facts.content_length = response.body.size();
  return response_head(response.status, response.headers, facts) + response.body;
}

}  // namespace

Result<std::unique_ptr<Server>> Server::create(Loop& loop, ServerOptions options, Handler handler) {
  std::unique_ptr<Server> server(new Server(loop, options.limits, std::move(handler)));
  for (Listener& listener : options.listeners) {
    auto place = std::make_unique<Place>();
    place->socket = std::move(listener.socket);
    place->local = TRY(os::socket_family(place->socket.get())) == AF_UNIX;
    if (listener.tls && place->local) return fail("TLS on a Unix socket makes no sense");
    if (listener.tls) place->tls = TRY(TlsContext::make(*listener.tls));
    TRY(server->listen(*place));
    server->places_.push_back(std::move(place));
  }
  return server;
}

Server::Server(Loop& loop, ServerLimits limits, Handler handler)
    : loop_(loop), settings_(std::make_shared<ServerSettings>(ServerSettings{limits, std::move(handler)})) {}

Server::~Server() {
  *alive_ = false;
  cut_all();
}

std::size_t Server::connections() const { return connections_.size(); }

Result<void> Server::set_tls(std::size_t listener, const TlsIdentity& identity) {
  if (listener >= places_.size() || !places_[listener]->tls)
    return fail("there is no listener with TLS of that number");
  places_[listener]->tls = TRY(TlsContext::make(identity));
  return {};
}

Result<void> Server::listen(Place& place) {
  place.watch = TRY(loop_.watch(place.socket.get(), [this, &place] { accept(place); }));
  return {};
}

void Server::accept(Place& place) {
  for (int i = 0; i < kMostAcceptedAtOnce && place.socket.valid(); ++i) {
    Result<std::optional<UniqueFd>> accepted = os::accept_stream(place.socket.get());
    // No descriptor or memory is free: the connection stays in the queue, and would wake us all the time.
    if (!accepted) return pause_accepting();
    if (!*accepted) return;
    admit(place, std::move(**accepted));
  }
}

void Server::pause_accepting() {
  for (const auto& place : places_) place->watch.stop();
  accept_again_ = loop_.after(kPause, [this] {
    for (const auto& place : places_) {
      if (!listen(*place)) return pause_accepting();
    }
  });
}

void Server::admit(const Place& place, UniqueFd socket) {
  const int fd = socket.get();
  Result<Peer> peer = peer_of(fd, place.local);
  if (!peer) return;  // it is gone already
  peer->encrypted = place.tls != nullptr;
  const std::string who = place.local ? "uid " + std::to_string(peer->uid) : peer->address;
  const ServerLimits& limits = settings_->limits;
  const auto of_one = of_one_.find(who);
  const bool one_has_too_many = of_one != of_one_.end() && of_one->second >= limits.connections_of_one;
  if (connections_.size() >= limits.connections || one_has_too_many) {
    if (place.tls) return;
    return os::send_parting_words(fd,
                                  too_many(one_has_too_many ? "you have too many connections already"
                                                            : "there are too many connections already"),
                                  limits.header_bytes);
  }
  auto transport = place.tls ? make_tls_transport(loop_, std::move(socket), limits.stall_timeout, *place.tls)
                             : make_transport(loop_, std::move(socket), limits.stall_timeout);
  if (!transport) return;
  const std::uint64_t number = next_number_++;
  auto connection = std::make_shared<Connection>(loop_, settings_, std::move(*transport), std::move(*peer),
                                                 [this, alive = alive_, number, who] {
                                                   if (*alive) forget(number, who);
                                                 });
  connections_.emplace(number, connection);
  ++of_one_[who];
  connection->start();
}

void Server::forget(std::uint64_t number, const std::string& who) {
  connections_.erase(number);
  const auto of_one = of_one_.find(who);
  if (of_one != of_one_.end() && --of_one->second == 0) of_one_.erase(of_one);
}

void Server::stop_accepting() {
  accept_again_.stop();
  for (const auto& place : places_) {
    place->watch.stop();
    place->socket.reset();
  }
}

std::vector<std::shared_ptr<Connection>> Server::all() const {
  std::vector<std::shared_ptr<Connection>> all;
  for (const auto& [number, connection] : connections_) all.push_back(connection);
  return all;
}

void Server::close_idle() {
  for (const auto& connection : all()) connection->finish();
}

void Server::end_streams() {
  for (const auto& connection : all()) connection->end_streams();
}

void Server::cut_all() {
  for (const auto& connection : all()) connection->cut();
}

}  // namespace sbx::http
