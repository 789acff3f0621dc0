#include "api/pool.h"

#include <algorithm>

#include "base/names.h"
#include "os/file.h"
#include "os/socket.h"

namespace sbx::api {
namespace {

using std::chrono::milliseconds;

// Soon, but not in the way of who was just answered.
constexpr milliseconds kAfterOneLeft{10};
constexpr milliseconds kUntilRoom{1'000};
constexpr milliseconds kFirstPause{1'000};
constexpr milliseconds kLongestPause{60'000};
// Who gave way is not made again at once: its place is needed.
constexpr milliseconds kAfterGivingWay{5'000};
constexpr milliseconds kAfterDraining{10'000};

PoolKind kind_of(const RunRequest& request) { return {request.image, request.policy}; }

RunRequest request_of(const PoolKind& kind) {
  RunRequest request;
  request.action = RequestAction::keep;
  request.image = kind.image;
  request.policy = kind.policy;
  return request;
}

// Whether it asks for nothing that a sandbox has to be made with.
bool is_plain(const RunRequest& request) {
  RunRequest rest = request;
  rest.task_id.clear();
  rest.sandbox_name.clear();
  rest.hostname.clear();
  rest.environment.clear();
  rest.workspace_mode = {};  // of a project
  return rest == request_of(kind_of(request));
}

}  // namespace

Pool::Pool(http::Loop& loop, Keepers& keepers, Admission& admission, const PolicyMemory& policies)
    : loop_(loop), keepers_(keepers), admission_(admission), policies_(policies) {
  admission_.when_full([this] { return give_way(); });
}

void Pool::set(const PoolSettings& settings) {
  budget_ = settings.memory_bytes;
  for (auto& [name, kind] : kinds_) kind.wanted = 0;
  for (const auto& [name, wanted] : settings.wanted) {
    kinds_[name].wanted = wanted;
    kinds_[name].again_at = {};
  }
  for (const auto& [name, kind] : kinds_) {
    std::size_t left = kind.wanted;
    for (Warm& warm : warm_) {
      if (warm.kind != name || warm.state == State::leaving) continue;
      if (left == 0) {
        send_away(warm);
      } else {
        --left;
      }
    }
  }
  std::erase_if(kinds_, [](const auto& entry) { return entry.second.wanted == 0; });
  refill_after(milliseconds(0));
}

// --- how it is filled ----------------------------------------------------------------------------------

void Pool::refill_after(milliseconds delay) {
  if (stopping_) return;
  refill_timer_ = loop_.after(delay, [this] { refill(); });
}

// One after the other: what clients ask for goes before.
void Pool::refill() {
  if (stopping_ || std::ranges::find(warm_, State::making, &Warm::state) != warm_.end()) return;
  const auto now = Clock::now();
  if (now < paused_until_) return refill_after(std::chrono::ceil<milliseconds>(paused_until_ - now));
  bool lacks = false;
  for (auto& [name, kind] : kinds_) {
    if (count(name, State::ready) >= kind.wanted) continue;
    lacks = true;
    if (now >= kind.again_at && make(name)) return;
  }
  if (lacks) refill_after(kUntilRoom);
}

bool Pool::make(const PoolKind& name) {
  RunRequest request = request_of(name);
  request.sandbox_name = "sbx-warm-" + new_run_id();
  const std::uint64_t memory = policies_.of(request, admission_.limits());
  if (memory > budget_) {
    note_failure(name, "its limit of memory is " + std::to_string(memory) + " bytes, that of the pool " +
                           std::to_string(budget_));
    return false;
  }
  if (memory_bytes() + memory > budget_) return false;
  auto place = admission_.take_spare(memory);
  if (!place) return false;
  auto control = keepers_.create_warm(request);
  if (!control) return note_failure(name, control.error().text), false;
  const Place made = warm_.insert(
      warm_.end(), Warm{name, std::move(*control), std::move(*place), memory, State::making, {}});
  auto watch = loop_.watch(made->control.get(), [this, made] { read(made); });
  if (!watch) {
    warm_.erase(made);
    return note_failure(name, watch.error().text), false;
  }
  made->watch = std::move(*watch);
  return true;
}

void Pool::note_failure(const PoolKind& name, const std::string& why) {
  const auto found = kinds_.find(name);
  if (found == kinds_.end()) return;
  Kind& kind = found->second;
  ++kind.failed;
  kind.last_error = why;
  kind.pause = std::clamp(2 * kind.pause, kFirstPause, kLongestPause);
  kind.again_at = Clock::now() + kind.pause;
}

void Pool::read(Place warm) {
  auto received = os::receive_message(warm->control.get(), sizeof(KeeperMessage));
  if (!received && received.error().error_number == EAGAIN) return;
  if (!received || !*received) {
    if (warm->state != State::leaving) {
      keepers_.note_lost();
      note_failure(warm->kind, "its keeper ended unexpectedly");
    }
    warm_.erase(warm);
    return refill_after(milliseconds(0));
  }
  const auto message = os::read_struct<KeeperMessage>(**received, "keeper");
  if (!message || warm->state == State::leaving) return;
  if (message->type == KeeperMessageType::ready && warm->state == State::making) {
    warm->state = State::ready;
    if (const auto found = kinds_.find(warm->kind); found != kinds_.end()) {
      ++found->second.made;
      found->second.pause = milliseconds(0);
      found->second.last_error.clear();
    }
    refill_after(milliseconds(0));
  } else if (message->type == KeeperMessageType::failed || message->type == KeeperMessageType::ended) {
    constexpr std::size_t kMost = 4U << 20U;
    const auto& descriptors = (*received)->descriptors;
    const auto why = descriptors.empty() || message->type == KeeperMessageType::ended
                         ? fail("it ended before anybody asked for it")
                         : os::read_sealed_memfd(descriptors.front().get(), "keeper", kMost);
    note_failure(warm->kind, why ? *why : why.error().text);
    warm->state = State::leaving;
  }
}

// --- how it is emptied ---------------------------------------------------------------------------------

std::optional<Pool::Taken> Pool::take(const RunRequest& request, const Peer& peer) {
  const auto kind = kinds_.find(kind_of(request));
  if (stopping_ || kind == kinds_.end() || !is_plain(request)) return {};
  for (auto warm = warm_.begin(); warm != warm_.end(); ++warm) {
    if (warm->kind != kind->first || warm->state != State::ready) continue;
    if (!adopt(warm->control.get(), request, peer)) continue;  // its end is read in a moment
    warm->watch.stop();
    Taken taken{std::move(warm->control), std::move(warm->place)};
    warm_.erase(warm);
    ++kind->second.hits;
    refill_after(kAfterOneLeft);
    return taken;
  }
  ++kind->second.misses;
  return {};
}

void Pool::note_stale(const RunRequest& request) {
  const auto kind = kinds_.find(kind_of(request));
  if (kind == kinds_.end()) return;
  ++kind->second.stale;
  for (Warm& warm : warm_) {
    if (warm.kind == kind->first) send_away(warm);
  }
}

void Pool::send_away(Warm& warm) {
  if (warm.state == State::leaving) return;
  KeeperMessage message;
  message.type = KeeperMessageType::destroy;
  (void)os::send_struct(warm.control.get(), message);
  warm.state = State::leaving;
}

bool Pool::give_way() {
  const auto last = std::find_if(warm_.rbegin(), warm_.rend(),
                                 [](const Warm& warm) { return warm.state != State::leaving; });
  if (last == warm_.rend()) return false;
  if (!paused()) why_paused_ = "a request needed the place";
  paused_until_ = std::max(paused_until_, Clock::now() + kAfterGivingWay);
  if (const auto kind = kinds_.find(last->kind); kind != kinds_.end()) ++kind->second.drained;
  send_away(*last);
  last->place.leave();  // it is as good as gone
  return true;
}

void Pool::drain() {
  while (give_way()) {
  }
  why_paused_ = "the host is short of memory";
  paused_until_ = Clock::now() + kAfterDraining;
}

// Their places are free when they are gone.
void Pool::stop() {
  stopping_ = true;
  refill_timer_.stop();
  for (Warm& warm : warm_) send_away(warm);
}

// --- what is told of it --------------------------------------------------------------------------------

std::size_t Pool::count(const PoolKind& kind, State state) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      warm_, [&](const Warm& warm) { return warm.kind == kind && warm.state == state; }));
}

std::uint64_t Pool::memory_bytes() const {
  std::uint64_t bytes = 0;
  for (const Warm& warm : warm_) bytes += warm.state == State::leaving ? 0 : warm.memory_bytes;
  return bytes;
}

std::size_t Pool::ready() const {
  return static_cast<std::size_t>(std::ranges::count(warm_, State::ready, &Warm::state));
}

std::uint64_t Pool::hits() const {
  std::uint64_t all = 0;
  for (const auto& [name, kind] : kinds_) all += kind.hits;
  return all;
}

std::uint64_t Pool::misses() const {
  std::uint64_t all = 0;
  for (const auto& [name, kind] : kinds_) all += kind.misses;
  return all;
}

OrderedJson Pool::describe() const {
  OrderedJson kinds = OrderedJson::array();
  for (const auto& [name, kind] : kinds_) {
    kinds.push_back(
        {{"image", name.image},
         {"policy", name.policy},
         {"wanted", kind.wanted},
         {"ready", count(name, State::ready)},
         {"making", count(name, State::making)},
         {"hits", kind.hits},
         {"misses", kind.misses},
         {"made", kind.made},
         {"failed", kind.failed},
         {"stale", kind.stale},
         {"drained", kind.drained},
         {"message", kind.last_error.empty() ? OrderedJson(nullptr) : OrderedJson(kind.last_error)}});
  }
  return {{"memory_bytes", memory_bytes()},
          {"memory_budget_bytes", budget_},
          {"paused", paused() ? OrderedJson(why_paused_) : OrderedJson(nullptr)},
          {"kinds", std::move(kinds)}};
}

}  // namespace sbx::api
