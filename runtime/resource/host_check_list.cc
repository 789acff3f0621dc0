#include "resource/host_check_list.h"

#include <algorithm>

#include "base/result.h"

namespace sbx {

HostCheck& CheckList::add(std::string name, CheckState state, std::string found) {
  HostCheck check;
  check.group = group_;
  check.name = std::move(name);
  check.state = state;
  check.required = true;
  check.found = std::move(found);
  checks_.push_back(std::move(check));
  return checks_.back();
}

HostCheck& CheckList::add(std::string name, CheckState state, std::string found, HostNeed need) {
  HostCheck& check = add(std::move(name), state, std::move(found));
  check.effect = words_of(need).effect;
  check.fix = words_of(need).fix;
  return check;
}

HostCheck& CheckList::add_missing_control(std::string_view control, std::string why) {
  if (may_be_missing(control)) {
    HostCheck& check = add(std::string(control), CheckState::degraded, std::move(why));
    check.effect = "runs go on without it, as the policy allows, and name it in their result";
    return check;
  }
  // The words of a run that is refused for it.
  CgroupControls noted;
  const std::string text = degrade(control, why, {}, noted).error().text;
  const std::size_t end = text.find("; ");
  HostCheck& check = add(std::string(control), CheckState::missing, "not there");
  check.effect = text.substr(0, end);
  check.fix = text.substr(end + 2);
  return check;
}

void CheckList::add_attempt(const std::string& name, const Attempt& attempt, std::string found,
                            HostNeed need) {
  if (attempt.worked()) {
    add(name, CheckState::ok, std::move(found));
  } else if (!attempt.tried) {
    add_untried(name);
  } else {
    const std::string call = attempt.call.empty() ? "" : attempt.call + ": ";
    const std::string failed =
        call + errno_text(attempt.error_number) + " (" + errno_name(attempt.error_number) + ")";
    add(name, CheckState::missing, failed, attempt.error_number == ENOSPC ? HostNeed::namespace_limit : need);
  }
}

HostCheck& CheckList::add_untried(const std::string& name) {
  return add(name, CheckState::unchecked, facts_.root ? "what it needs is missing" : "only root can try it");
}

bool CheckList::may_be_missing(std::string_view control) const { return contains(allowed_, control); }

std::string join(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& item : list) text += (text.empty() ? "" : ", ") + item;
  return text;
}

bool contains(const std::vector<std::string>& list, std::string_view item) {
  return std::ranges::find(list, item) != list.end();
}

}  // namespace sbx
