// Whether this host has what a sandbox needs, in words that `sbxctl doctor` and a run that fails for the same
// reason share: what was found, what follows, what to do. Pure functions of host_facts.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "resource/host_facts.h"
#include "wire/steps.h"

namespace sbx {

enum class CheckState : std::uint8_t {
  ok,
  degraded,   // a sandbox can be had, with less than there could be
  missing,    // what needs it is refused
  unchecked,  // only root can try it
};

struct HostCheck {
  std::string group;  // "namespaces"
  std::string name;   // "user_ns"
  CheckState state = CheckState::ok;
  bool required = false;  // missing: a run under the policy is refused
  std::string found;
  std::string effect;  // what follows; empty when nothing does
  std::string fix;
};

constexpr std::string_view check_state_name(CheckState state) {
  switch (state) {
  case CheckState::ok: return "ok";
  case CheckState::degraded: return "degraded";
  case CheckState::missing: return "missing";
  case CheckState::unchecked: return "unchecked";
  }
  return "unchecked";
}

// `allowed`: the controls that the policy may give up (allow_degraded).
std::vector<HostCheck> check_host(const HostFacts& facts, const std::vector<std::string>& allowed);

// Nothing that is required is missing or unchecked.
bool can_enforce(const std::vector<HostCheck>& checks);

// What a launch that failed at this step lacks and what to do: "…; fix: …". Empty: the host is not to blame,
// or the error says it all.
std::string host_need_behind(LaunchStep step, int error_number);

// Why a source cannot be shown with mapped ids, and what to do.
std::string id_map_refusal(std::string_view path, std::string_view file_system);

// --- parts, for the tests --------------------------------------------------------------------------------

// "6.1.0-18-amd64" as 6001; 0 when it is no version.
unsigned kernel_version(std::string_view release);

// Names of owners whose ids lie in the pool, without repetition.
std::vector<std::string> pool_overlaps(const IdPool& pool, const std::vector<IdRange>& others);

// Settings of the host that make an escape harder; sbx works without them.
std::vector<HostCheck> check_settings(const std::vector<std::pair<std::string, std::string>>& settings);

}  // namespace sbx
