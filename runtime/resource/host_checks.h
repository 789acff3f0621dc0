// Whether this host has what a sandbox needs, what was found, what follows and what to do, in the words of
// host_needs.h. Pure functions of host_facts.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "resource/host_facts.h"

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

// --- parts, for the tests --------------------------------------------------------------------------------

// "6.1.0-18-amd64" as 6001; 0 when it is no version.
unsigned kernel_version(std::string_view release);

// Settings of the host that make an escape harder; sbx works without them.
std::vector<HostCheck> check_settings(const std::vector<std::pair<std::string, std::string>>& settings);

}  // namespace sbx
