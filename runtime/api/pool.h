// Sandboxes made ahead, for who asks for one of their image and policy and nothing else: no project, no
// limits, no binds. Each is given away once and never comes back.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "api/admission.h"
#include "api/call.h"
#include "api/keepers.h"
#include "api/policy_memory.h"
#include "http/loop.h"
#include "request/run_request.h"

namespace sbx::api {

struct PoolKind {
  std::string image;
  std::string policy;
  bool operator==(const PoolKind&) const = default;
  bool operator<(const PoolKind& other) const {
    return std::tie(image, policy) < std::tie(other.image, other.policy);
  }
};

struct PoolSettings {
  std::map<PoolKind, std::size_t> wanted;
  std::uint64_t memory_bytes = 0;  // what their limits may come to
};

class Pool {
 public:
  using Clock = std::chrono::steady_clock;
  // A keeper that was told to adopt the request: it answers on `control`.
  struct Taken {
    UniqueFd control;
    Admission::Place place;
  };

  Pool(http::Loop& loop, Keepers& keepers, Admission& admission, const PolicyMemory& policies);
  void set(const PoolSettings& settings);

  // Nothing: none is ready that is as this one asks; then it has to be made.
  std::optional<Taken> take(const RunRequest& request, const Peer& peer);
  // What the one was made of that was taken for it has changed, and so for all others of its kind.
  void note_stale(const RunRequest& request);

  // One fewer, for who needs its place. False: there is none.
  bool give_way();
  // None for a while: the host is short of memory.
  void drain();
  void stop();

  [[nodiscard]] OrderedJson describe() const;
  [[nodiscard]] std::size_t ready() const;
  [[nodiscard]] std::uint64_t hits() const;
  [[nodiscard]] std::uint64_t misses() const;

 private:
  enum class State : std::uint8_t { making, ready, leaving };
  struct Warm {
    PoolKind kind;
    UniqueFd control;
    Admission::Place place;
    std::uint64_t memory_bytes = 0;
    State state = State::making;
    http::Watch watch;  // last: it goes before what it watches
  };
  struct Kind {
    std::size_t wanted = 0;
    std::uint64_t hits = 0;
    std::uint64_t misses = 0;
    std::uint64_t made = 0;
    std::uint64_t failed = 0;
    std::uint64_t stale = 0;
    std::uint64_t drained = 0;
    std::string last_error;
    std::chrono::milliseconds pause{0};  // after a failure
    Clock::time_point again_at;
  };
  using Place = std::list<Warm>::iterator;

  void refill();
  void refill_after(std::chrono::milliseconds delay);
  bool make(const PoolKind& name);
  void read(Place warm);
  void note_failure(const PoolKind& name, const std::string& why);
  void send_away(Warm& warm);
  [[nodiscard]] std::size_t count(const PoolKind& kind, State state) const;
  [[nodiscard]] std::uint64_t memory_bytes() const;
  [[nodiscard]] bool paused() const { return Clock::now() < paused_until_; }

  http::Loop& loop_;
  Keepers& keepers_;
  Admission& admission_;
  const PolicyMemory& policies_;
  std::uint64_t budget_ = 0;
  std::map<PoolKind, Kind> kinds_;
  std::list<Warm> warm_;
  Clock::time_point paused_until_;
  std::string why_paused_;
  bool stopping_ = false;
  http::Timer refill_timer_;
};

}  // namespace sbx::api
