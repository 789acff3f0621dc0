// Whether this host has what a sandbox needs, what was found, what follows and what to do, in the words of
// host_needs.h. Pure functions of host_facts.h.
#pragma once

#include <cstdint>
#include <optional>
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

// Of a policy: the controls that it may give up (allow_degraded), and the memory of a sandbox.
std::vector<HostCheck> check_host(const HostFacts& facts, const std::vector<std::string>& allowed,
                                  std::optional<std::uint64_t> memory_bytes = {});

// Nothing that is required is missing or unchecked.
bool can_enforce(const std::vector<HostCheck>& checks);

// --- parts, for the tests --------------------------------------------------------------------------------

// "6.1.0-18-amd64" as 6001; 0 when it is no version.
unsigned kernel_version(std::string_view release);

// Settings of the host that make an escape harder, or that one sandbox can use up for all; sbx works without.
std::vector<HostCheck> check_settings(const HostFacts& facts, std::optional<std::uint64_t> memory_bytes);

// What a crash inside does outside of the sandbox, by `core_pattern`, whatever the core limit; else empty.
std::string core_socket_effect(std::string_view core_pattern);

}  // namespace sbx
