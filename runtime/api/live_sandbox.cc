#include "api/live_sandbox.h"

#include "api/api_words.h"
#include "base/times.h"
#include "os/file.h"
#include "os/socket.h"

namespace sbx::api {

LiveSandbox::LiveSandbox(http::Loop& loop, std::string id, AskedSandbox asked, std::string owner,
                         UniqueFd control)
    : loop_(loop),
      id_(std::move(id)),
      asked_(std::move(asked)),
      owner_(std::move(owner)),
      control_(std::move(control)),
      created_ms_(utc_ms()) {}

Result<void> LiveSandbox::begin(std::function<void()> over) {
  over_ = std::move(over);
  control_watch_ = TRY(loop_.watch(control_.get(), [this] { read_control(); }));
  if (asked_.total_ms) {
    total_timer_ = loop_.after(std::chrono::milliseconds(*asked_.total_ms), [this] {
      if (may_ask(state_, SandboxRequest::destroy)) destroy(WhyDestroyed::too_old);
    });
  }
  return {};
}

void LiveSandbox::is_from_pool(Cold cold) {
  from_pool_ = true;
  cold_ = std::move(cold);
}

// False: there is no other way.
bool LiveSandbox::begin_cold(std::int64_t why) {
  const auto cold = std::exchange(cold_, {});
  if (!cold || state_ != SandboxState::creating) return false;
  from_pool_ = false;
  auto control = cold(why);
  if (!control) return false;
  control_watch_.stop();
  control_ = std::move(*control);
  auto watch = loop_.watch(control_.get(), [this] { read_control(); });
  if (!watch) return false;
  control_watch_ = std::move(*watch);
  return true;
}

Json LiveSandbox::describe() const {
  Json json = about_.is_object() ? about_ : Json::object();
  json["id"] = id_;
  json["state"] = state_name(state_);
  json["task_id"] = asked_.request.task_id.empty() ? Json(nullptr) : Json(asked_.request.task_id);
  json["project_id"] = asked_.request.project.empty() ? Json(nullptr) : Json(asked_.request.project);
  json["configuration"] = asked_.configuration.empty() ? Json(nullptr) : Json(asked_.configuration);
  json["binds"] = Json::array();
  for (const BindRequest& bind : asked_.request.binds)
    json["binds"].push_back({{"host", bind.host},
                             {"inside", bind.inside},
                             {"mode", kBindModes[static_cast<std::size_t>(bind.mode)]}});
  json["labels"] = asked_.labels;
  json["labels"]["sbx.managed"] = "true";
  json["commands"] = commands_;
  json["from_pool"] = from_pool_;
  json["created_at"] = rfc3339(created_ms_);
  json["message"] = why_failed_.empty() ? Json(nullptr) : Json(why_failed_);
  return json;
}

// --- its states ----------------------------------------------------------------------------------------

void LiveSandbox::become(SandboxState state) {
  if (state == state_ || !may_become(state_, state)) return;
  const auto self = shared_from_this();
  state_ = state;
  touch();
  if (is_over(state_)) {
    control_watch_.stop();
    control_.reset();
    cold_ = {};
    idle_timer_.stop();
    total_timer_.stop();
    for (auto& waiting : std::exchange(waiting_, {}))
      waiting(KeeperMessageType::ended, 1, "the sandbox is " + std::string(state_name(state_)));
  }
  if (state_ != SandboxState::creating) {
    for (auto& then : std::exchange(when_settled_, {})) then();
  }
  if (is_over(state_)) {
    for (auto& then : std::exchange(when_over_, {})) then();
    if (over_) std::exchange(over_, {})();
  }
}

void LiveSandbox::rest_or_work() {
  if (state_ == SandboxState::ready || state_ == SandboxState::busy)
    become(commands_ > 0 ? SandboxState::busy : SandboxState::ready);
}

void LiveSandbox::touch() {
  idle_timer_.stop();
  if (!asked_.idle_ms || state_ != SandboxState::ready || uses_ > 0) return;
  idle_timer_ = loop_.after(std::chrono::milliseconds(*asked_.idle_ms), [this] {
    if (state_ == SandboxState::ready) destroy(WhyDestroyed::idle);
  });
}

void LiveSandbox::when_settled(std::function<void()> then) {
  if (state_ != SandboxState::creating) return then();
  when_settled_.push_back(std::move(then));
}

void LiveSandbox::when_over(std::function<void()> then) {
  if (is_over(state_)) return then();
  when_over_.push_back(std::move(then));
}

std::shared_ptr<void> LiveSandbox::use() {
  constexpr int kMostUses = 16;
  if (uses_ == kMostUses) return nullptr;
  ++uses_;
  touch();
  return {this, [self = shared_from_this()](void*) {
            --self->uses_;
            self->touch();
          }};
}

void LiveSandbox::note_command() {
  ++commands_;
  rest_or_work();
}

// --- its keeper ----------------------------------------------------------------------------------------

void LiveSandbox::read_control() {
  auto received = os::receive_message(control_.get(), sizeof(KeeperMessage));
  if (!received && received.error().error_number == EAGAIN) return;
  if (!received || !*received) return lose_keeper();
  const auto message = os::read_struct<KeeperMessage>(**received, "keeper");
  if (!message) return;
  std::string text;
  if (!(*received)->descriptors.empty()) {
    constexpr std::size_t kMost = 4U << 20U;
    if (auto bytes = os::read_sealed_memfd((*received)->descriptors.front().get(), "keeper", kMost))
      text = std::move(*bytes);
  }
  const auto self = shared_from_this();
  switch (message->type) {
  case KeeperMessageType::ready:
    about_ = Json::parse(text, nullptr, false);
    cold_ = {};
    return become(SandboxState::ready);
  case KeeperMessageType::failed:
    if (begin_cold(message->value)) return;
    why_failed_ = in_api_words(text);
    return become(SandboxState::failed);
  case KeeperMessageType::commands: commands_ = message->value; return rest_or_work();
  case KeeperMessageType::ended:
    if (Json last = Json::parse(text, nullptr, false); last.is_object()) about_ = std::move(last);
    become(SandboxState::stopping);
    return become(SandboxState::destroyed);
  case KeeperMessageType::done:
  case KeeperMessageType::stats_are: {
    if (waiting_.empty()) return;
    auto waiting = std::move(waiting_.front());
    waiting_.pop_front();
    return waiting(message->type, message->value, std::move(text));
  }
  default: return;
  }
}

void LiveSandbox::lose_keeper() {
  if (begin_cold(kDied)) return;
  why_failed_ = "its keeper ended unexpectedly";
  lost_keeper_ = true;
  become(state_ == SandboxState::creating ? SandboxState::failed : SandboxState::destroyed);
}

void LiveSandbox::ask(KeeperMessageType type, const Peer& by, std::int64_t value) {
  (void)ask_keeper(control_.get(), type, value, by);  // a keeper that is gone is seen at its socket
}

void LiveSandbox::pause(const Peer& by, Done done) {
  waiting_.emplace_back(
      [this, done = std::move(done)](KeeperMessageType, std::int64_t failed, const std::string& why) {
        if (failed != 0) return done(fail(why));
        become(SandboxState::paused);
        done({});
      });
  ask(KeeperMessageType::pause, by);
}

void LiveSandbox::resume(const Peer& by, Done done) {
  waiting_.emplace_back(
      [this, done = std::move(done)](KeeperMessageType, std::int64_t failed, const std::string& why) {
        if (failed != 0) return done(fail(why));
        become(commands_ > 0 ? SandboxState::busy : SandboxState::ready);
        done({});
      });
  ask(KeeperMessageType::resume, by);
}

// One that fails ends the sandbox, which its keeper tells.
void LiveSandbox::reset(const Peer& by, Done done) {
  waiting_.emplace_back(
      [this, done = std::move(done)](KeeperMessageType, std::int64_t failed, const std::string& text) {
        if (failed != 0) return done(fail(text));
        about_ = Json::parse(text, nullptr, false);
        commands_ = 0;
        become(SandboxState::ready);
        done({});
      });
  ask(KeeperMessageType::reset, by);
  become(SandboxState::creating);
}

void LiveSandbox::stop(const Peer& by, std::int64_t grace_ms) {
  ask(KeeperMessageType::stop, by, grace_ms);
  become(SandboxState::stopping);
}

void LiveSandbox::destroy(WhyDestroyed why, const Peer& by) {
  ask(KeeperMessageType::destroy, by, static_cast<std::int64_t>(why));
  become(SandboxState::stopping);
}

void LiveSandbox::stats(std::function<void(Result<Json>)> done) {
  waiting_.emplace_back(
      [done = std::move(done)](KeeperMessageType type, std::int64_t, const std::string& text) {
        if (type != KeeperMessageType::stats_are) return done(fail(text));
        done(Json::parse(text, nullptr, false));
      });
  ask(KeeperMessageType::stats);
}

}  // namespace sbx::api
