#include "policy/seccomp_profile.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>

#include "base/names.h"
#include "base/suggest.h"
#include "policy/syscall_names.h"
#include "policy/yaml_reader.h"

namespace sbx {
namespace {

constexpr std::array<std::string_view, 4> kProfileKeys{"name", "description", "default_error", "groups"};
constexpr std::array<std::string_view, 4> kGroupKeys{"name", "reason", "allow", "rules"};
constexpr std::array<std::string_view, 3> kRuleKeys{"syscalls", "action", "when"};
constexpr std::array<std::string_view, 4> kConditionKeys{"argument", "mask", "equals", "differs"};

// Most arguments that are numbers are 32 bits wide in the kernel, whatever the register holds.
constexpr std::uint64_t kLowWord = 0xffffffff;

// 0 where there is no such name.
int errno_number(std::string_view name) {
  for (int number = 1; number <= 133; ++number) {
    if (errno_name(number) == name) return number;
  }
  return 0;
}

// Decimal, 0x… or 0o…. Not 0123: octal in YAML 1.1 and decimal in 1.2.
std::optional<std::uint64_t> parse_number(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x")) base = 16;
  if (text.starts_with("0o")) base = 8;
  if (base != 10) text.remove_prefix(2);
  if (base == 10 && text.size() > 1 && text.front() == '0') return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

class ProfileParser {
 public:
  explicit ProfileParser(std::string_view path) : path_(path) {}

  Result<SeccompProfile> parse(const yaml::Node& document) {
    const yaml::Map map = TRY(yaml::Map::open(path_, document, "", kProfileKeys));
    SeccompProfile profile;
    profile.name = TRY(map.need_text("name"));
    const Result<void> checked = check_name("name", profile.name);
    if (!checked) return yaml::error_at(path_, *map.find("name"), checked.error().text);
    profile.description = TRY(map.need_text("description"));
    if (map.find("default_error") != nullptr) profile.default_error = TRY(read_error(map, "default_error"));
    const std::vector<yaml::Node>* groups = TRY(map.need_list("groups"));
    if (groups->empty()) return map.error("groups", "is empty: nothing could run");
    for (const yaml::Node& node : *groups) profile.groups.push_back(TRY(read_group(node)));
    return profile;
  }

 private:
  // What was said about a system call so far.
  struct Seen {
    std::string group;
    unsigned line = 0;
    bool decided = false;  // by a rule without conditions
  };

  Result<int> read_error(const yaml::Map& map, std::string_view key) {
    const std::string name = TRY(map.need_text(key));
    const int number = errno_number(name);
    if (number == 0) return map.error(key, "'" + name + "' is not the name of an error, such as EPERM");
    return number;
  }

  Result<SeccompGroup> read_group(const yaml::Node& node) {
    const yaml::Map map = TRY(yaml::Map::open(path_, node, "group", kGroupKeys));
    SeccompGroup group;
    group.name = TRY(map.need_text("name"));
    group.reason = TRY(map.need_text("reason"));
    if (group.reason.empty())
      return map.error("reason", "is empty: say why these calls are needed or refused");
    if (map.find("allow") == nullptr && map.find("rules") == nullptr) {
      return yaml::error_at(path_, node, "group '" + group.name + "': expected 'allow' or 'rules'");
    }
    if (map.find("allow") != nullptr) {
      const std::vector<yaml::Node>* names = TRY(map.need_list("allow"));
      for (const yaml::Node& name : *names) TRY(add(group, name, SeccompRule{}));
    }
    if (map.find("rules") != nullptr) {
      const std::vector<yaml::Node>* rules = TRY(map.need_list("rules"));
      for (const yaml::Node& rule : *rules) TRY(read_rule(group, rule));
    }
    return group;
  }

  Result<void> read_rule(SeccompGroup& group, const yaml::Node& node) {
    const yaml::Map map = TRY(yaml::Map::open(path_, node, "rule", kRuleKeys));
    SeccompRule rule;
    const std::string action = TRY(map.need_text("action"));
    if (action == "ignore") {
      rule.action = SeccompAction::ignore;
    } else if (action != "allow") {
      rule.action = SeccompAction::refuse;
      rule.error_number = errno_number(action);
      if (rule.error_number == 0) {
        return map.error(
            "action",
            "'" + action + "' is neither 'allow', 'ignore' nor the name of an error, such as EPERM");
      }
    }
    if (map.find("when") != nullptr) {
      const std::vector<yaml::Node>* conditions = TRY(map.need_list("when"));
      if (conditions->empty()) return map.error("when", "is empty: leave it out for every call");
      for (const yaml::Node& condition : *conditions)
        rule.conditions.push_back(TRY(read_condition(condition)));
    }
    const std::vector<yaml::Node>* names = TRY(map.need_list("syscalls"));
    if (names->empty()) return map.error("syscalls", "is empty");
    for (const yaml::Node& name : *names) TRY(add(group, name, rule));
    return {};
  }

  Result<SeccompCondition> read_condition(const yaml::Node& node) {
    const yaml::Map map = TRY(yaml::Map::open(path_, node, "when", kConditionKeys));
    SeccompCondition condition;
    const yaml::Node* argument = TRY(map.need("argument"));
    const std::uint64_t index = TRY(read_number(*argument, "argument"));
    if (index > 5) return map.error("argument", "a system call has the arguments 0 to 5");
    condition.argument = static_cast<unsigned>(index);
    const yaml::Node* mask = map.find("mask");
    condition.mask = mask == nullptr ? kLowWord : TRY(read_number(*mask, "mask"));
    if (condition.mask == 0) return map.error("mask", "0 leaves nothing to compare");

    condition.equal = map.find("equals") != nullptr;
    if (condition.equal == (map.find("differs") != nullptr)) {
      return yaml::error_at(path_, node, "when: expected either 'equals' or 'differs'");
    }
    const std::string_view key = condition.equal ? "equals" : "differs";
    const yaml::Node* value = map.find(key);
    if (value->kind != yaml::Kind::sequence) {
      condition.values.push_back(TRY(read_value(*value, key, condition.mask)));
      return condition;
    }
    if (value->items.empty()) return map.error(key, "is empty");
    for (const yaml::Node& item : value->items)
      condition.values.push_back(TRY(read_value(item, key, condition.mask)));
    return condition;
  }

  Result<std::uint64_t> read_value(const yaml::Node& node, std::string_view key, std::uint64_t mask) {
    const std::uint64_t value = TRY(read_number(node, key));
    if ((value & ~mask) == 0) return value;
    return yaml::error_at(path_, node,
                          std::string(key) + ": '" + node.text +
                              "' has bits outside the mask (by default the low 32 bits): never equal");
  }

  Result<std::uint64_t> read_number(const yaml::Node& node, std::string_view what) {
    const std::string text = TRY(yaml::scalar_text(path_, node, what));
    const std::optional<std::uint64_t> number = parse_number(text);
    if (number) return *number;
    return yaml::error_at(path_, node,
                          std::string(what) + ": '" + text + "' is not a number such as 8, 0x20 or 0o6000");
  }

  Result<void> add(SeccompGroup& group, const yaml::Node& node, SeccompRule rule) {
    rule.syscall = TRY(yaml::scalar_text(path_, node, "a system call"));
    if (resolve_syscall(rule.syscall).kind == SyscallKind::unknown)
      return unknown_syscall(node, rule.syscall);
    Seen& seen = seen_[rule.syscall];
    if (seen.decided) {
      return yaml::error_at(path_, node,
                            "'" + rule.syscall + "' is decided on line " + std::to_string(seen.line) +
                                " already: this could never apply");
    }
    if (seen.line != 0 && seen.group != group.name) {
      return yaml::error_at(
          path_, node,
          "'" + rule.syscall + "' is in group '" + seen.group + "' already: rules of one call stay together");
    }
    seen = {group.name, node.line, rule.conditions.empty()};
    group.rules.push_back(std::move(rule));
    return {};
  }

  Unexpected unknown_syscall(const yaml::Node& node, std::string_view name) {
    const std::vector<std::string> table = syscall_table();
    const std::vector<std::string_view> known(table.begin(), table.end());
    const std::string hint = suggest(name, known);
    return yaml::error_at(
        path_, node,
        "no system call '" + std::string(name) + "'" + (hint.starts_with("did") ? ": " + hint : ""));
  }

  std::string_view path_;
  std::map<std::string, Seen, std::less<>> seen_;
};

}  // namespace

Result<SeccompProfile> parse_seccomp_profile(std::string_view path, std::string_view text) {
  const yaml::Node document = TRY(yaml::parse_document(path, text));
  return ProfileParser(path).parse(document);
}

}  // namespace sbx
