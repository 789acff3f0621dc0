#include "api/sandbox_state.h"

namespace sbx::api {
namespace {

using S = SandboxState;
constexpr std::size_t kStates = kSandboxStates.size();

// A bit for each state.
template <class... States>
constexpr unsigned any(States... states) {
  return (0U | ... | (1U << static_cast<unsigned>(states)));
}

constexpr std::array<unsigned, kStates> kNext{
    any(S::ready, S::failed, S::stopping, S::destroyed),               // creating
    any(S::creating, S::busy, S::paused, S::stopping, S::destroyed),   // ready
    any(S::creating, S::ready, S::paused, S::stopping, S::destroyed),  // busy
    any(S::creating, S::ready, S::busy, S::stopping, S::destroyed),    // paused
    any(S::destroyed),                                                 // stopping
    0,                                                                 // destroyed
    0,                                                                 // failed
};

constexpr std::array<unsigned, 8> kWhen{
    any(S::ready, S::busy),                                       // exec
    any(S::ready, S::busy),                                       // pause
    any(S::paused),                                               // resume
    any(S::ready, S::busy, S::paused),                            // reset
    any(S::ready, S::busy, S::paused),                            // stop
    any(S::creating, S::ready, S::busy, S::paused, S::stopping),  // destroy
    any(S::ready, S::busy, S::paused),                            // stats
    any(S::ready, S::busy),                                       // files
};

}  // namespace

bool may_become(SandboxState from, SandboxState to) {
  return (kNext[static_cast<std::size_t>(from)] & any(to)) != 0;
}

bool may_ask(SandboxState state, SandboxRequest request) {
  return (kWhen[static_cast<std::size_t>(request)] & any(state)) != 0;
}

}  // namespace sbx::api
