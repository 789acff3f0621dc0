// How the parts of check_host write down what they found. For host_*checks.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "resource/host_checks.h"
#include "resource/host_needs.h"

namespace sbx {

class CheckList {
 public:
  // `allowed`: the controls that the policy may give up.
  CheckList(const HostFacts& facts, const std::vector<std::string>& allowed)
      : facts_(facts), allowed_(allowed) {}

  [[nodiscard]] const HostFacts& facts() const { return facts_; }
  void begin(std::string group) { group_ = std::move(group); }
  [[nodiscard]] std::vector<HostCheck> take() { return std::move(checks_); }

  // A required check; the reference holds until the next one is added.
  HostCheck& add(std::string name, CheckState state, std::string found);
  HostCheck& add(std::string name, CheckState state, std::string found, HostNeed need);
  // A control that is not there; `why` completes "the control … is missing: …".
  HostCheck& add_missing_control(std::string_view control, std::string why);
  // By its result.
  void add_attempt(const std::string& name, const Attempt& attempt, std::string found, HostNeed need);
  HostCheck& add_untried(const std::string& name);

  [[nodiscard]] bool may_be_missing(std::string_view control) const;

 private:
  const HostFacts& facts_;
  const std::vector<std::string>& allowed_;
  std::string group_;
  std::vector<HostCheck> checks_;
};

// "a, b"
std::string join(const std::vector<std::string>& list);
bool contains(const std::vector<std::string>& list, std::string_view item);

void check_cgroups(CheckList& list);
void check_file_systems(CheckList& list);
void check_state(CheckList& list);
void check_programs(CheckList& list);

}  // namespace sbx
