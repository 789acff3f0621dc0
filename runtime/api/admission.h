// How many sandboxes there are, and whether there may be one more.
#pragma once

#include <cstddef>
#include <functional>

#include "api/call.h"
#include "http/loop.h"

namespace sbx::api {

class Admission {
 public:
  Admission(http::Loop& loop, std::size_t most) : loop_(loop), most_(most) {}

  // The place of one sandbox, as long as it exists.
  class Place {
   public:
    Place() = default;
    explicit Place(Admission& admission) : admission_(&admission) { ++admission.alive_; }
    Place(Place&& other) noexcept : admission_(std::exchange(other.admission_, nullptr)) {}
    Place& operator=(Place&& other) noexcept;
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { leave(); }
    void leave();

   private:
    Admission* admission_ = nullptr;
  };

  // False: it has its answer.
  [[nodiscard]] bool admit(Call& call) const;

  // From now on nobody is admitted; `then` is called when no place is taken any more.
  void stop(std::function<void()> then);

  [[nodiscard]] std::size_t alive() const { return alive_; }
  [[nodiscard]] std::size_t most() const { return most_; }
  [[nodiscard]] bool stopping() const { return stopped_ != nullptr; }

 private:
  void check_stopped();

  http::Loop& loop_;
  std::size_t most_;
  std::size_t alive_ = 0;
  std::function<void()> stopped_;
};

}  // namespace sbx::api
