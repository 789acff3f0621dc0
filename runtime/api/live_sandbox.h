// A sandbox of many commands, as the API knows it: its keeper's other end.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "api/keepers.h"
#include "api/parse_request.h"
#include "api/sandbox_state.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "http/loop.h"
#include "wire/keeper_protocol.h"

namespace sbx::api {

class LiveSandbox : public std::enable_shared_from_this<LiveSandbox> {
 public:
  // `control`: our end (wire/keeper_protocol.h). `over` is called once, last of all.
  LiveSandbox(http::Loop& loop, std::string id, AskedSandbox asked, std::string owner, UniqueFd control);
  Result<void> begin(std::function<void()> over);
  // It was made ahead. `cold`: makes another one in its place, should it be refused or its keeper die; it
  // gets the value of the refusal, or what says that it died.
  static constexpr std::int64_t kDied = -1;
  using Cold = std::function<Result<UniqueFd>(std::int64_t why)>;
  void is_from_pool(Cold cold);

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] SandboxState state() const { return state_; }
  [[nodiscard]] const AskedSandbox& asked() const { return asked_; }
  // Who made it (api/client.h).
  [[nodiscard]] const std::string& owner() const { return owner_; }
  [[nodiscard]] const std::string& why_failed() const { return why_failed_; }
  [[nodiscard]] bool lost_keeper() const { return lost_keeper_; }
  [[nodiscard]] int control() const { return control_.get(); }
  [[nodiscard]] Json describe() const;

  // When it is ready or over: at once, or later.
  void when_settled(std::function<void()> then);
  // When it is over.
  void when_over(std::function<void()> then);

  // Each only where may_ask says so. `done` gets why it could not be done, or nothing. `by`: who asks, for
  // the keeper's record.
  using Done = std::function<void(Result<void>)>;
  void pause(const Peer& by, Done done);
  void resume(const Peer& by, Done done);
  void reset(const Peer& by, Done done);
  void stop(const Peer& by, std::int64_t grace_ms);
  void destroy(WhyDestroyed why, const Peer& by = {});
  void stats(std::function<void(Result<Json>)> done);
  // Something is done with it that is no command: it is not idle as long as that is held. Null: too much is.
  std::shared_ptr<void> use();
  // A command was sent to the keeper: it counts before that says so.
  void note_command();

 private:
  void read_control();
  void become(SandboxState state);
  void ask(KeeperMessageType type, const Peer& by = {}, std::int64_t value = 0);
  void rest_or_work();
  void lose_keeper();
  bool begin_cold(std::int64_t why);
  void touch();

  http::Loop& loop_;
  std::string id_;
  AskedSandbox asked_;
  std::string owner_;
  UniqueFd control_;
  SandboxState state_ = SandboxState::creating;
  std::string why_failed_;
  bool lost_keeper_ = false;
  Json about_;  // as the keeper described it
  std::int64_t created_ms_;
  std::int64_t commands_ = 0;
  int uses_ = 0;
  std::deque<std::function<void(KeeperMessageType, std::int64_t, std::string)>> waiting_;  // for answers
  std::function<void()> over_;
  bool from_pool_ = false;
  Cold cold_;
  std::vector<std::function<void()>> when_settled_;
  std::vector<std::function<void()>> when_over_;
  http::Watch control_watch_;
  http::Timer idle_timer_;
  http::Timer total_timer_;
};

}  // namespace sbx::api
