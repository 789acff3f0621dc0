// The network namespace of the next sandbox, made while the supervisor still prepares the rest: nothing of a
// launch costs more.
#pragma once

#include <array>
#include <cstdint>

#include "wire/spawner_protocol.h"

namespace sbx {

// The calling process leaves its network namespace for a new one with only lo, up. Its next child inherits
// it, and no other one may: who launches twice makes two.
class NetworkNamespace {
 public:
  // Not to be shared with a sandbox that was launched before.
  static NetworkNamespace make();

  [[nodiscard]] const LaunchFailure& failure() const { return failure_; }
  void add_times(std::array<std::uint32_t, kLaunchSteps>& step_us) const;

 private:
  LaunchFailure failure_;
  std::uint32_t make_us_ = 0;
  std::uint32_t loopback_us_ = 0;
};

}  // namespace sbx
