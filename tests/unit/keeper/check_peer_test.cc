// What a supervisor is not to be asked for, and by whom.
#include "keeper/check_peer.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/times.h"
#include "os/file.h"
#include "support/connection.h"

namespace sbx {
namespace {

constexpr uid_t kSomebody = 1000;

std::string refusal(const RunRequest& request, uid_t uid, bool from_api = false) {
  PeerIdentity peer;
  peer.uid = uid;
  const auto may = check_peer_may(request, peer, from_api);
  return may ? "" : may.error().text;
}

RunRequest with(void (*change)(RunRequest&)) {
  RunRequest request;
  request.command = {"true"};
  change(request);
  return request;
}

Token some_token() {
  Token token;
  token.name = "ci";
  token.digest = std::string(64, 'a');
  token.scope = Scope::run;
  token.projects = {"p"};
  token.policies = {"default"};
  return token;
}

}  // namespace

TEST_CASE("a command by name is anybody's to ask for") {
  const RunRequest request = with([](RunRequest& r) { r.project = "p"; });
  CHECK(refusal(request, 0) == "");
  CHECK(refusal(request, kSomebody) == "");
}

TEST_CASE("the places of a running supervisor are nobody's to choose, run ids and kept output the API's") {
  for (const RunRequest& request :
       {with([](RunRequest& r) { r.state_dir = "/x"; }), with([](RunRequest& r) { r.run_dir = "/x"; }),
        with([](RunRequest& r) { r.log = "/x"; }), with([](RunRequest& r) { r.config = "/x"; })}) {
    CHECK(refusal(request, 0, true) != "");
    CHECK(refusal(request, kSomebody, false) != "");
  }
  for (const RunRequest& request :
       {with([](RunRequest& r) { r.run_id = "01a203e1-1bbb-751f-8512-80a386724e0a"; }),
        with([](RunRequest& r) { r.streams[1] = StreamMode::spill; })}) {
    CHECK(refusal(request, 0, false) != "");
    CHECK(refusal(request, kSomebody, true) == "");
  }
}

TEST_CASE("policies of their own, and the host's time to build, are not for who is not root") {
  for (const RunRequest& request :
       {with([](RunRequest& r) { r.policy = "/tmp/own.yaml"; }),
        with([](RunRequest& r) { r.policy = "own.yaml"; }), with([](RunRequest& r) { r.build = true; })}) {
    CHECK(refusal(request, 0) == "");
    CHECK(refusal(request, kSomebody) != "");
    CHECK(refusal(request, kSomebody, true) != "");
    // What the API says of root it may have made up.
    CHECK(refusal(request, 0, true) != "");
  }
}

TEST_CASE("binds are opened with the rights of who asks, and only root itself has root's") {
  PeerIdentity peer{.uid = kSomebody, .gid = 1001, .groups = {4, 27}, .token = {}};
  for (const bool from_api : {false, true}) {
    const auto rights = rights_for_binds(peer, from_api);
    REQUIRE(rights);
    CHECK(rights->uid == kSomebody);
    CHECK(rights->gid == 1001);
    CHECK(rights->groups == std::vector<gid_t>{4, 27});
  }
  peer.uid = 0;
  CHECK_FALSE(rights_for_binds(peer, false));
  CHECK(rights_for_binds(peer, true));  // what the API says of root it may have made up
}

TEST_CASE("the kernel says who is at the other end") {
  const test::Connection connection;
  const auto peer = identify_peer(connection.servers());
  REQUIRE(peer);
  CHECK(peer->caller().uid == getuid());
  CHECK(peer->is_root() == (getuid() == 0));
  CHECK(peer->uid == getuid());
  CHECK(peer->gid == getgid());
  std::vector<gid_t> groups(static_cast<std::size_t>(getgroups(0, nullptr)));
  (void)getgroups(static_cast<int>(groups.size()), groups.data());
  CHECK(peer->groups == groups);
  CHECK_FALSE(identify_peer(0));
}

TEST_CASE("a socket that is no connection of a client identifies nobody, whoever made it") {
  const test::Connection connection;
  CHECK_FALSE(identify_peer(connection.listener()));
  CHECK_FALSE(identify_peer(connection.clients()));  // at its other end is who listens
  for (const int type : {SOCK_STREAM, SOCK_SEQPACKET}) {
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, type, 0, ends) == 0);
    CHECK_FALSE(identify_peer(ends[0]));
    (void)close(ends[0]);
    (void)close(ends[1]);
  }
  const UniqueFd tcp(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK_FALSE(identify_peer(tcp.get()));
}

TEST_CASE("a token is identified by the list that root made, and by no other file") {
  const std::string list = encode_tokens({some_token(), some_token()});
  const auto made = os::sealed_memfd(kTokensFileName, list);
  REQUIRE(made);
  const auto peer = identify_peer(made->get(), 1);
  REQUIRE(peer.has_value() == (geteuid() == 0));
  if (peer) {
    CHECK(peer->caller().token == "ci");
    CHECK_FALSE(peer->is_root());
  }
  CHECK_FALSE(identify_peer(made->get(), 2));
  CHECK_FALSE(identify_peer(made->get()));
  CHECK_FALSE(identify_peer(os::sealed_memfd("sbx-answer", list)->get(), 0));
  const UniqueFd open_file(memfd_create(kTokensFileName, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  REQUIRE(os::write_all(open_file.get(), list, "list"));
  CHECK_FALSE(identify_peer(open_file.get(), 0));
  const auto foreign = os::sealed_memfd(kTokensFileName, list);
  if (geteuid() == 0) REQUIRE(fchown(foreign->get(), kSomebody, kSomebody) == 0);
  CHECK_FALSE(identify_peer(foreign->get(), 0));
  const auto broken = os::sealed_memfd(kTokensFileName, list + "x");
  CHECK_FALSE(identify_peer(broken->get(), 0));
}

TEST_CASE("a token is good for its policies and projects, until it expires") {
  const auto asks = [](const Token& token, void (*change)(RunRequest&)) {
    PeerIdentity peer;
    peer.uid = 0;
    peer.token = token;
    const auto may = check_peer_may(with(change), peer, true);
    return may ? "" : may.error().text;
  };
  const auto its = [](RunRequest& r) { r.project = "p"; };
  CHECK(asks(some_token(), its) == "");
  CHECK(asks(some_token(), [](RunRequest& r) { r.project = "q"; }) != "");
  CHECK(asks(some_token(), [](RunRequest&) {}) != "");
  CHECK(asks(some_token(), [](RunRequest& r) { r.project = "p", r.policy = "permissive"; }) != "");
  CHECK(asks(some_token(), [](RunRequest& r) { r.project = "p", r.build = true; }) != "");
  Token token = some_token();
  token.all_projects = true;
  CHECK(asks(token, [](RunRequest& r) { r.project = "q"; }) == "");
  CHECK(asks(token, [](RunRequest&) {}) == "");
  token.scope = Scope::read;
  CHECK(asks(token, its) != "");
  token = some_token();
  token.expires_ms = 1;
  CHECK(asks(token, its).find("expired") != std::string::npos);
  token.expires_ms = utc_ms() + 60'000;
  CHECK(asks(token, its) == "");
}

TEST_CASE("a sandbox is for who made it, for root, and for the tokens of its project") {
  PeerIdentity root;
  PeerIdentity user;
  user.uid = kSomebody;
  PeerIdentity other;
  other.uid = kSomebody + 1;
  PeerIdentity token;
  token.token = some_token();
  PeerIdentity beside = token;
  beside.token->name = "beside";
  CHECK(root.may_use_what(user, "", false));
  CHECK(root.may_use_what(token, "p", false));
  CHECK(user.may_use_what(user, "", false));
  CHECK_FALSE(user.may_use_what(other, "p", false));
  CHECK_FALSE(user.may_use_what(root, "p", false));
  CHECK_FALSE(user.may_use_what(token, "p", false));
  CHECK(token.may_use_what(token, "p", false));
  CHECK_FALSE(token.may_use_what(user, "p", true));
  CHECK(user.may_use_what(user, "p", true));
  CHECK(token.may_use_what(beside, "p", false));
  CHECK(token.may_use_what(user, "p", false));
  CHECK_FALSE(token.may_use_what(beside, "q", false));
  CHECK_FALSE(token.may_use_what(token, "q", false));  // no more, at least
  CHECK_FALSE(token.may_use_what(root, "", false));
  token.token->all_projects = true;
  CHECK(token.may_use_what(token, "", false));
  CHECK_FALSE(token.may_use_what(beside, "", false));
  token.token->scope = Scope::admin;
  CHECK(token.may_use_what(root, "", false));
}

}  // namespace sbx
