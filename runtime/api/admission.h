// How many sandboxes there are and what their memory may come to, and who waits for a place. Each project has
// a queue; they are served in turn, one run each, so that none waits for the length of another's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/result.h"

namespace sbx::api {

class Admission {
 public:
  struct Limits {
    std::size_t sandboxes = 256;
    std::optional<std::uint64_t> memory_bytes;  // of all together
    std::size_t queue = 100;                    // of each project
  };
  struct Wish {
    std::string queue;               // whose turn it takes
    std::uint64_t memory_bytes = 0;  // its limit
    std::size_t held_bytes = 0;      // of our own memory while it waits
  };
  struct Refusal {
    int status = 0;
    std::string why;
    bool may_wait = false;
  };

  // What a sandbox takes, as long as this exists.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept
        : admission_(std::exchange(other.admission_, nullptr)), memory_bytes_(other.memory_bytes_) {}
    Place& operator=(Place&& other) noexcept;
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { leave(); }
    void leave();
    // The limit that it really has, as its keeper says.
    void set_memory(std::uint64_t bytes);

   private:
    friend class Admission;
    Place(Admission& admission, std::uint64_t memory_bytes);
    Admission* admission_ = nullptr;
    std::uint64_t memory_bytes_ = 0;
  };

  // A place in a queue: as long as this exists, or until it was its turn.
  class Ticket {
   public:
    Ticket() = default;
    Ticket(Ticket&& other) noexcept
        : admission_(std::exchange(other.admission_, nullptr)),
          number_(other.number_),
          queue_(std::move(other.queue_)) {}
    Ticket& operator=(Ticket&& other) noexcept;
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    ~Ticket() { give_up(); }
    void give_up();

   private:
    friend class Admission;
    Ticket(Admission& admission, std::uint64_t number, std::string queue)
        : admission_(&admission), number_(number), queue_(std::move(queue)) {}
    Admission* admission_ = nullptr;
    std::uint64_t number_ = 0;
    std::string queue_;
  };

  using Post = std::function<void(std::function<void()>)>;
  using Go = std::function<void(Place)>;

  // `post`: calls it soon, from outside.
  Admission(Post post, Limits limits) : post_(std::move(post)), limits_(limits) {}
  void set(Limits limits);
  // Called when there is no room: true if something that is not needed has just left.
  void when_full(std::function<bool()> give_way) { give_way_ = std::move(give_way); }

  // At once, if there is room and nobody waits.
  Result<Place, Refusal> take(const Wish& wish);
  // For what nobody asked for: a quarter of everything stays free for who does.
  std::optional<Place> take_spare(std::uint64_t memory_bytes);
  // `go` is called when it is its turn.
  Result<Ticket, Refusal> wait(Wish wish, Go go);

  // From now on nobody is admitted; `then` is called when no place is taken any more.
  void stop(std::function<void()> then);

  [[nodiscard]] std::size_t alive() const { return alive_; }
  [[nodiscard]] std::uint64_t memory_bytes() const { return memory_bytes_; }
  [[nodiscard]] std::size_t waiting() const { return waiting_; }
  [[nodiscard]] const Limits& limits() const { return limits_; }
  [[nodiscard]] bool stopping() const { return stopped_ != nullptr; }

 private:
  struct Waiting {
    std::uint64_t number = 0;
    Wish wish;
    Go go;
  };
  [[nodiscard]] bool fits(std::uint64_t memory_bytes) const;
  bool make_fit(std::uint64_t memory_bytes);
  [[nodiscard]] std::string why_full(const Wish& wish) const;
  void give_up(const std::string& queue, std::uint64_t number);
  void serve();
  void check_stopped();

  Post post_;
  Limits limits_;
  std::size_t alive_ = 0;
  std::uint64_t memory_bytes_ = 0;
  std::map<std::string, std::deque<Waiting>> queues_;  // none is empty
  std::deque<std::string> turns_;                      // each queue once; the next one first
  std::size_t waiting_ = 0;
  std::size_t held_bytes_ = 0;
  std::uint64_t next_number_ = 1;
  std::function<void()> stopped_;
  std::function<bool()> give_way_;
};

}  // namespace sbx::api
