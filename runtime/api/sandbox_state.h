// The states of a sandbox of many commands, and what may be asked in each.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace sbx::api {

enum class SandboxState : std::uint8_t { creating, ready, busy, paused, stopping, destroyed, failed };
inline constexpr std::array<std::string_view, 7> kSandboxStates{"creating", "ready",     "busy",  "paused",
                                                                "stopping", "destroyed", "failed"};
constexpr std::string_view state_name(SandboxState state) {
  return kSandboxStates[static_cast<std::size_t>(state)];
}

// Whether a sandbox that is in one may come to be in the other: the whole table.
//   creating → ready, failed, stopping     ready ⇄ busy     ready, busy ⇄ paused
//   ready, busy, paused → creating (it is reset)
//   ready, busy, paused → stopping → destroyed;  all that live → destroyed (its keeper was lost)
bool may_become(SandboxState from, SandboxState to);

enum class SandboxRequest : std::uint8_t { exec, pause, resume, reset, stop, destroy, stats, files };
bool may_ask(SandboxState state, SandboxRequest request);

constexpr bool is_over(SandboxState state) {
  return state == SandboxState::destroyed || state == SandboxState::failed;
}

}  // namespace sbx::api
