#include "api/admission.h"

namespace sbx::api {

bool Admission::admit(Call& call) const {
  if (stopping()) {
    answer_problem(call, 503, "the supervisor is being stopped");
    return false;
  }
  if (alive_ < most_) return true;
  answer_problem(call, 429,
                 "there are " + std::to_string(most_) + " sandboxes, the most of this host (max_sandboxes)",
                 {{"Retry-After", "1"}});
  return false;
}

void Admission::Place::leave() {
  Admission* admission = std::exchange(admission_, nullptr);
  if (admission == nullptr) return;
  --admission->alive_;
  admission->check_stopped();
}

Admission::Place& Admission::Place::operator=(Place&& other) noexcept {
  leave();
  admission_ = std::exchange(other.admission_, nullptr);
  return *this;
}

void Admission::stop(std::function<void()> then) {
  stopped_ = std::move(then);
  check_stopped();
}

void Admission::check_stopped() {
  if (stopped_ && alive_ == 0) loop_.post(stopped_);
}

}  // namespace sbx::api
