#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <map>
#include <span>

#include "policy/seccomp_profile.h"
#include "policy/syscall_names.h"

// The program is a binary search over ranges of system call numbers, with the decision at each leaf.
// libseccomp resolves the names; it does not write the program because it cannot say "a masked argument that
// differs" or "an unknown number", and the kernel takes twice as long to load what it writes (it runs the
// program once for every number, so short paths count).
namespace sbx {
namespace {

static_assert(std::endian::native == std::endian::little,
              "the halves of an argument lie the other way round");

using Program = std::vector<sock_filter>;

constexpr std::uint32_t kX32Bit = 0x40000000;  // __X32_SYSCALL_BIT
constexpr std::uint32_t kNoCall = 0xffffffff;  // -1: a tracer told the kernel to skip the call (ptrace(2))

constexpr std::size_t kFarthest = 255;  // what a conditional jump can leave out

constexpr sock_filter statement(unsigned code, std::uint32_t k) {
  return {static_cast<std::uint16_t>(code), 0, 0, k};
}
// Goes `if_true` or `if_false` instructions past the next one.
constexpr sock_filter jump(unsigned code, std::uint32_t k, std::size_t if_true, std::size_t if_false) {
  return {static_cast<std::uint16_t>(code), static_cast<std::uint8_t>(if_true),
          static_cast<std::uint8_t>(if_false), k};
}
constexpr sock_filter answer(std::uint32_t value) { return statement(BPF_RET | BPF_K, value); }
constexpr sock_filter load(std::size_t offset) {
  return statement(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}
constexpr std::uint32_t refusal(int error_number) {
  return SECCOMP_RET_ERRNO | (static_cast<std::uint32_t>(error_number) & SECCOMP_RET_DATA);
}
constexpr std::uint32_t half(std::uint64_t value, unsigned which) {
  return static_cast<std::uint32_t>(value >> (32U * which));
}

// One rule as code: tests that go on to the next one, or out of the rule to its end, then the answer.
class RuleCode {
 public:
  static Result<Program> make(const SeccompRule& rule) {
    RuleCode code;
    for (const SeccompCondition& condition : rule.conditions) code.append_test(condition);
    code.program_.push_back(
        answer(rule.action == SeccompAction::allow ? SECCOMP_RET_ALLOW : refusal(rule.error_number)));
    if (code.program_.size() > kFarthest) {
      return fail("the conditions of a rule for '" + rule.syscall + "' are too many: split the rule");
    }
    for (const Branch& branch : code.leaving_) code.lead_here(branch);
    return std::move(code.program_);
  }

 private:
  struct Branch {
    std::size_t at;
    bool if_equal;  // the branch for "equal", else the one for "differs"
  };

  void append_test(const SeccompCondition& condition) {
    const std::uint32_t masks[2] = {half(condition.mask, 0), half(condition.mask, 1)};
    const bool both = masks[0] != 0 && masks[1] != 0;
    std::vector<Branch> found;
    std::vector<Branch> missing;
    for (const std::uint64_t& value : condition.values) {
      const bool first = &value == &condition.values.front();
      const bool last = &value == &condition.values.back();
      std::vector<Branch> next_value;
      for (const unsigned which : {0U, 1U}) {
        if (masks[which] == 0) continue;
        if (first || both) append_load(condition.argument, which, masks[which]);
        program_.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, half(value, which), 0, 0));
        const std::size_t at = program_.size() - 1;
        const bool decides = which == 1 || !both;
        if (decides) found.push_back({at, true});
        if (last) missing.push_back({at, false});
        if (!last && !decides) next_value.push_back({at, false});
      }
      for (const Branch& branch : next_value) lead_here(branch);
    }
    const std::vector<Branch>& out = condition.equal ? missing : found;
    leaving_.insert(leaving_.end(), out.begin(), out.end());
    for (const Branch& branch : condition.equal ? found : missing) lead_here(branch);
  }

  void append_load(unsigned argument, unsigned which, std::uint32_t mask) {
    program_.push_back(load(offsetof(seccomp_data, args) + sizeof(std::uint64_t) * argument +
                            sizeof(std::uint32_t) * which));
    if (mask != 0xffffffff) program_.push_back(statement(BPF_ALU | BPF_AND | BPF_K, mask));
  }

  // To the instruction that comes next.
  void lead_here(const Branch& branch) {
    sock_filter& instruction = program_[branch.at];
    const auto distance = static_cast<std::uint8_t>(program_.size() - branch.at - 1);
    (branch.if_equal ? instruction.jt : instruction.jf) = distance;
  }

  Program program_;
  std::vector<Branch> leaving_;
};

// The rules of one call, the first that applies wins, then the default.
Result<Program> decision(std::span<const SeccompRule* const> rules, int default_error) {
  Program program;
  for (const SeccompRule* rule : rules) {
    const Program code = TRY(RuleCode::make(*rule));
    program.insert(program.end(), code.begin(), code.end());
    if (rule->conditions.empty()) return program;
  }
  program.push_back(answer(refusal(default_error)));
  return program;
}

// All numbers from `first` up to the next leaf's.
struct Leaf {
  std::uint32_t first;
  Program code;
};

bool same(const Program& a, const Program& b) {
  return a.size() == 1 && b.size() == 1 && a[0].code == b[0].code && a[0].k == b[0].k;
}

class Leaves {
 public:
  void add(std::uint32_t first, Program code) {
    if (list_.empty() || !same(list_.back().code, code)) list_.push_back({first, std::move(code)});
  }
  [[nodiscard]] std::span<const Leaf> all() const { return list_; }

 private:
  std::vector<Leaf> list_;
};

// The number is in the accumulator.
Program search_tree(std::span<const Leaf> leaves) {
  if (leaves.size() == 1) return leaves.front().code;
  const std::size_t middle = leaves.size() / 2;
  const Program below = search_tree(leaves.first(middle));
  const Program above = search_tree(leaves.subspan(middle));
  const std::uint32_t pivot = leaves[middle].first;
  Program program;
  if (below.size() <= kFarthest) {
    program.push_back(jump(BPF_JMP | BPF_JGE | BPF_K, pivot, below.size(), 0));
  } else {  // too far for a conditional jump
    program.push_back(jump(BPF_JMP | BPF_JGE | BPF_K, pivot, 0, 1));
    program.push_back(statement(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(below.size())));
  }
  program.insert(program.end(), below.begin(), below.end());
  program.insert(program.end(), above.begin(), above.end());
  return program;
}

using RulesByNumber = std::map<std::uint32_t, std::vector<const SeccompRule*>>;

bool is_decidable(const SeccompCondition& condition) {
  const auto fits = [&](std::uint64_t value) { return (value & ~condition.mask) == 0; };
  return condition.argument <= 5 && condition.mask != 0 && !condition.values.empty() &&
         std::ranges::all_of(condition.values, fits);
}

Result<RulesByNumber> rules_by_number(const SeccompProfile& profile) {
  RulesByNumber rules;
  for (const SeccompGroup& group : profile.groups) {
    for (const SeccompRule& rule : group.rules) {
      if (!std::ranges::all_of(rule.conditions, is_decidable)) {
        return fail("seccomp profile '" + profile.name + "': a condition of '" + rule.syscall +
                    "' can never be decided");
      }
      const ResolvedSyscall call = resolve_syscall(rule.syscall);
      if (call.kind == SyscallKind::unknown) {
        return fail("seccomp profile '" + profile.name + "': no system call '" + rule.syscall + "'");
      }
      if (call.kind == SyscallKind::native) rules[call.number].push_back(&rule);
    }
  }
  return rules;
}

Result<Leaves> make_leaves(const RulesByNumber& rules, int default_error) {
  const Program refused{answer(refusal(default_error))};
  const Program unknown{answer(refusal(ENOSYS))};
  const std::vector<std::string> table = syscall_table();
  Leaves leaves;
  for (std::uint32_t number = 0; number < table.size(); ++number) {
    const auto found = rules.find(number);
    if (found != rules.end()) {
      const auto decided = TRY(decision(found->second, default_error));
      leaves.add(number, decided);
    } else {
      leaves.add(number, table[number].empty() ? unknown : refused);
    }
  }
  leaves.add(static_cast<std::uint32_t>(table.size()), unknown);
#ifdef __x86_64__
  // The same architecture token as ours, but 32-bit pointers and partly other calls behind it.
  leaves.add(kX32Bit, {answer(SECCOMP_RET_KILL_PROCESS)});
  leaves.add(kNoCall, unknown);
#endif
  return leaves;
}

}  // namespace

Result<std::string> compile_seccomp(const SeccompProfile& profile) {
  const RulesByNumber rules = TRY(rules_by_number(profile));
  const Leaves leaves = TRY(make_leaves(rules, profile.default_error));
  const Program tree = search_tree(leaves.all());
  Program program{
      load(offsetof(seccomp_data, arch)),
      jump(BPF_JMP | BPF_JEQ | BPF_K, seccomp_arch_native(), 1, 0),
      answer(SECCOMP_RET_KILL_PROCESS),
      load(offsetof(seccomp_data, nr)),
  };
  program.insert(program.end(), tree.begin(), tree.end());
  if (program.size() > BPF_MAXINSNS) {
    return fail("seccomp profile '" + profile.name + "': " + std::to_string(program.size()) +
                " instructions; the kernel takes " + std::to_string(BPF_MAXINSNS));
  }
  return std::string(reinterpret_cast<const char*>(program.data()), program.size() * sizeof(sock_filter));
}

}  // namespace sbx
