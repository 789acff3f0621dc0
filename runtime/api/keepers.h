// The nurseries, and what is asked of them: keepers (wire/keeper_protocol.h).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "request/run_request.h"
#include "wire/keeper_protocol.h"
#include "wire/project_protocol.h"

namespace sbx::api {

// What tells a keeper who asks: that one's connection; or the list of tokens, and which of them.
struct Peer {
  int descriptor = -1;
  std::int64_t token = -1;
};

class Keepers {
 public:
  // `then` is called for each keeper that ended without a word, where that is noted.
  void when_lost(std::function<void()> then) { when_lost_ = std::move(then); }
  void note_lost() const {
    if (when_lost_) when_lost_();
  }

  // One that takes the place of another had died.
  void set_nursery(std::size_t index, UniqueFd socket);

  // A keeper for one run: our end of the client's socket, where the request waits already.
  Result<UniqueFd> start_run(const RunRequest& request, const std::vector<int>& streams, const Peer& peer);
  // A keeper for a client that asks it by itself: it answers over `connection`.
  // `place`: its end of Guests.
  Result<void> give_client(int connection, int place);
  // Answered on our end of a client's socket, with a text or an error. `request`: what the question is about.
  Result<UniqueFd> query(HostQuery query, const RunRequest& request);
  // Answered by sbx-projects (wire/project_protocol.h) on our end of a client's socket.
  // `peer`: none where it is nobody's question. `content`: its ends of the two pipes of content, in and out,
  // or none.
  Result<UniqueFd> ask_about_projects(const ProjectQuestion& question, const Peer& peer,
                                      const std::vector<int>& content = {});
  // A keeper of many commands: our end of its control socket.
  Result<UniqueFd> create(const RunRequest& request, const Peer& peer);
  // The same for nobody yet: somebody's with adopt().
  Result<UniqueFd> create_warm(const RunRequest& request);

 private:
  Result<void> ask(const KeeperMessage& message, const std::vector<int>& descriptors);

  std::function<void()> when_lost_;
  std::vector<UniqueFd> nurseries_;
  std::size_t next_ = 0;
};

// To a keeper of create_warm(): answered on `control`, as a creation is.
Result<void> adopt(int control, const RunRequest& request, const Peer& peer);

// Our end of a client's socket that was given to a living sandbox.
Result<UniqueFd> start_command(int control, const RunRequest& request, const std::vector<int>& streams,
                               const Peer& peer);

// Our end of a socket where a living sandbox's keeper tells how sbx-files ended, with these pipes as its
// standard input and output; closing it ends that. `request` is what goes there, for the keeper's record.
Result<UniqueFd> start_files(int control, int input, int output, const FileRequest& request,
                             const Peer& peer);

// What a living sandbox is asked for; `peer`: none where the API asks by itself.
Result<void> ask_keeper(int control, KeeperMessageType type, std::int64_t value, const Peer& peer);

// The same to a living sandbox.
Result<void> give_client(int control, int connection);

}  // namespace sbx::api
