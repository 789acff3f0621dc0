// What a supervisor is not to be asked for, and by whom.
#include "keeper/check_peer.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/socket.h"

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

TEST_CASE("of the host's files, and of its time to build, who is not root gets nothing") {
  for (const RunRequest& request :
       {with([](RunRequest& r) { r.policy = "/tmp/own.yaml"; }),
        with([](RunRequest& r) { r.policy = "own.yaml"; }), with([](RunRequest& r) {
          r.binds.push_back({"/etc", "/mnt"});
        }),
        with([](RunRequest& r) { r.here.emplace(); }), with([](RunRequest& r) { r.build = true; })}) {
    CHECK(refusal(request, 0) == "");
    CHECK(refusal(request, kSomebody) != "");
    CHECK(refusal(request, kSomebody, true) != "");
  }
}

TEST_CASE("the kernel says who is at the other end") {
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  const auto peer = identify_peer(ends[0]);
  REQUIRE(peer);
  CHECK(peer->uid == getuid());
  CHECK(peer->gid == getgid());
  std::vector<gid_t> groups(static_cast<std::size_t>(getgroups(0, nullptr)));
  (void)getgroups(static_cast<int>(groups.size()), groups.data());
  CHECK(peer->groups == groups);
  (void)close(ends[0]);
  (void)close(ends[1]);
  CHECK_FALSE(identify_peer(0));
}

}  // namespace sbx
