#include "api/admission.h"

#include <algorithm>
#include <memory>

namespace sbx::api {
namespace {

// Of all queues: each that waits holds a descriptor and its request.
constexpr std::size_t kMostWaiting = 1000;
constexpr std::size_t kMostHeldBytes = 256U << 20U;

}  // namespace

// --- places --------------------------------------------------------------------------------------------

Admission::Place::Place(Admission& admission, std::uint64_t memory_bytes)
    : admission_(&admission), memory_bytes_(memory_bytes) {
  ++admission.alive_;
  admission.memory_bytes_ += memory_bytes;
}

void Admission::Place::leave() {
  Admission* admission = std::exchange(admission_, nullptr);
  if (admission == nullptr) return;
  --admission->alive_;
  admission->memory_bytes_ -= memory_bytes_;
  admission->serve();
  admission->check_stopped();
}

Admission::Place& Admission::Place::operator=(Place&& other) noexcept {
  if (this == &other) return *this;
  leave();
  admission_ = std::exchange(other.admission_, nullptr);
  memory_bytes_ = other.memory_bytes_;
  return *this;
}

void Admission::Place::set_memory(std::uint64_t bytes) {
  if (admission_ == nullptr || bytes == memory_bytes_) return;
  const bool less = bytes < memory_bytes_;
  admission_->memory_bytes_ += bytes - memory_bytes_;
  memory_bytes_ = bytes;
  if (less) admission_->serve();
}

// One alone always fits: what it has may be more than what it was let in with.
bool Admission::fits(std::uint64_t memory_bytes) const {
  if (alive_ >= limits_.sandboxes) return false;
  return !limits_.memory_bytes || alive_ == 0 || memory_bytes_ + memory_bytes <= *limits_.memory_bytes;
}

bool Admission::make_fit(std::uint64_t memory_bytes) {
  while (!fits(memory_bytes)) {
    if (!give_way_ || !give_way_()) return false;
  }
  return true;
}

std::string Admission::why_full(const Wish& wish) const {
  if (alive_ >= limits_.sandboxes)
    return "there are " + std::to_string(alive_) + " sandboxes, the most of this host (max_sandboxes)";
  if (!fits(wish.memory_bytes))
    return "the limits of " + std::to_string(alive_) + " sandboxes come to " + std::to_string(memory_bytes_) +
           " of the " + std::to_string(*limits_.memory_bytes) +
           " bytes that they may have together (admission.memory)";
  return std::to_string(waiting_) + " runs wait for a place already";
}

Result<Admission::Place, Admission::Refusal> Admission::take(const Wish& wish) {
  if (stopping()) return tl::make_unexpected(Refusal{503, "the supervisor is being stopped"});
  if (limits_.memory_bytes && wish.memory_bytes > *limits_.memory_bytes) {
    return tl::make_unexpected(
        Refusal{422, "a limit of " + std::to_string(wish.memory_bytes) +
                         " bytes of memory is more than the " + std::to_string(*limits_.memory_bytes) +
                         " that all sandboxes together may have here (admission.memory)"});
  }
  if (waiting_ > 0 || !make_fit(wish.memory_bytes))
    return tl::make_unexpected(Refusal{429, why_full(wish), true});
  return Place(*this, wish.memory_bytes);
}

std::optional<Admission::Place> Admission::take_spare(std::uint64_t memory_bytes) {
  const bool room = alive_ + 1 <= limits_.sandboxes / 4 * 3;
  const bool memory = !limits_.memory_bytes || memory_bytes_ + memory_bytes <= *limits_.memory_bytes / 4 * 3;
  if (stopping() || waiting_ > 0 || !room || !memory) return {};
  return Place(*this, memory_bytes);
}

// --- queues --------------------------------------------------------------------------------------------

Result<Admission::Ticket, Admission::Refusal> Admission::wait(Wish wish, Go go) {
  const auto own = queues_.find(wish.queue);
  const std::size_t own_length = own == queues_.end() ? 0 : own->second.size();
  if (limits_.queue == 0) return tl::make_unexpected(Refusal{429, why_full(wish)});
  if (own_length >= limits_.queue) {
    return tl::make_unexpected(Refusal{429, why_full(wish) + ", and " + std::to_string(own_length) +
                                                " runs of " + wish.queue +
                                                " wait already (admission.queue)"});
  }
  if (waiting_ >= kMostWaiting || held_bytes_ + wish.held_bytes > kMostHeldBytes)
    return tl::make_unexpected(Refusal{429, why_full(wish) + ", and no more can wait"});
  const std::uint64_t number = next_number_++;
  std::string queue = wish.queue;
  if (own == queues_.end()) turns_.push_back(queue);
  ++waiting_;
  held_bytes_ += wish.held_bytes;
  queues_[queue].push_back({number, std::move(wish), std::move(go)});
  return Ticket(*this, number, std::move(queue));
}

// In turn. Who is next is not overtaken by one that needs less: else it would wait for ever.
void Admission::serve() {
  while (!turns_.empty() && !stopping()) {
    const auto queue = queues_.find(turns_.front());
    if (!fits(queue->second.front().wish.memory_bytes)) return;
    Waiting next = std::move(queue->second.front());
    queue->second.pop_front();
    --waiting_;
    held_bytes_ -= next.wish.held_bytes;
    std::string name = std::move(turns_.front());
    turns_.pop_front();
    if (queue->second.empty()) {
      queues_.erase(queue);
    } else {
      turns_.push_back(std::move(name));
    }
    const auto place = std::make_shared<Place>(Place(*this, next.wish.memory_bytes));
    post_([go = std::move(next.go), place] { go(std::move(*place)); });
  }
}

void Admission::give_up(const std::string& name, std::uint64_t number) {
  const auto queue = queues_.find(name);
  if (queue == queues_.end()) return;  // it was its turn already
  const auto found = std::ranges::find(queue->second, number, &Waiting::number);
  if (found == queue->second.end()) return;
  --waiting_;
  held_bytes_ -= found->wish.held_bytes;
  const Waiting last = std::move(*found);  // let go when everything is in order again
  queue->second.erase(found);
  if (queue->second.empty()) {
    queues_.erase(queue);
    std::erase(turns_, name);
  }
  serve();
}

void Admission::Ticket::give_up() {
  Admission* admission = std::exchange(admission_, nullptr);
  if (admission != nullptr) admission->give_up(queue_, number_);
}

Admission::Ticket& Admission::Ticket::operator=(Ticket&& other) noexcept {
  if (this == &other) return *this;
  give_up();
  admission_ = std::exchange(other.admission_, nullptr);
  number_ = other.number_;
  queue_ = std::move(other.queue_);
  return *this;
}

// --- all of it -----------------------------------------------------------------------------------------

void Admission::set(Limits limits) {
  limits_ = limits;
  serve();
}

void Admission::stop(std::function<void()> then) {
  stopped_ = std::move(then);
  check_stopped();
}

void Admission::check_stopped() {
  if (stopped_ && alive_ == 0) post_(stopped_);
}

}  // namespace sbx::api
