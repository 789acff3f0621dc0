// Everything of traces/: what one sandbox leaves is not found by another, at the same time, afterwards, or in
// another project; that it could be found is shown outside, and in the sandbox that left it. With
// SBX_CONTAINMENT=1 each answer is printed, for docs/containment.md (tests/security/report).
#include "integration/isolation.h"
#include "security/tables.h"
#include "security/unfiltered.h"

namespace sbx::test {
namespace {

constexpr const char* kPolicies[] = {"default", "strict", "permissive"};

struct Trace {
  std::string name, aim, control, other, next, unfiltered, unfiltered_next, alone, outside;
};

std::string traces_program() { return probe_directory() + "/traces"; }

std::vector<Trace> all_traces() {
  std::vector<Trace> traces;
  for (const std::string& line : lines_of(run_program({traces_program(), "list"}).out)) {
    const std::vector<std::string> fields = fields_of(line);
    REQUIRE_MESSAGE(fields.size() == 9, line);
    traces.push_back(
        {fields[0], fields[1], fields[2], fields[3], fields[4], fields[5], fields[6], fields[7], fields[8]});
  }
  REQUIRE(traces.size() > 40);
  return traces;
}

// In the names of what is left, so that no other test's is found.
std::string key() { return std::to_string(getpid()); }

std::vector<std::string> inside(std::vector<std::string> options, const std::string& command) {
  options.insert(options.end(), {bind_probes(), "--", kProbes + "/traces", command, key()});
  return options;
}

Answers answers_of(const Sandbox& sandbox, const std::vector<std::string>& arguments) {
  const ProgramResult result = sandbox.run(arguments);
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  return parse_answers(result.out);
}

// `wanted`, as texts: "A|B" is one of them; what begins with "not tried" says nothing.
void check_found(const Answers& answers, std::string Trace::*wanted, const std::string& where) {
  for (const Trace& trace : all_traces()) {
    const std::string& right = trace.*wanted;
    const bool tried = !right.starts_with("not tried");
    const std::string what = tried ? answer(answers, trace.name) : right;
    CHECK_MESSAGE((!tried || is_one_of(what, right)),
                  where << ": " << trace.name << " must give " << right << ", not " << what);
    record("trace", trace.name, where, what);
  }
}

// What cannot be left, and what is said then: the first row that fits, and "ok" where none does.
struct NotLeft {
  std::string name;   // of a trace, or all of a kind: "keys."
  std::string where;  // a policy, "projects" or "unfiltered"; empty: everywhere
  std::string answers;
};

const std::vector<NotLeft> kNotLeft{
    {"files.workspace", "", "EACCES"},
    {"files.project_files", "projects", "EROFS"},  // what was uploaded
    {"files.root", "permissive", "EACCES"},        // writable for root inside
    {"files.etc", "permissive", "EACCES"},
    {"files.root", "", "EROFS"},
    {"files.etc", "", "EROFS"},
    {"files.usr", "", "EROFS"},
    {"files.dev", "", "EROFS"},
    {"files.mode", "", "EROFS"},
    {"files.mount", "", "EPERM"},
    {"attributes.image", "", "EROFS"},
    {"attributes.", "", "ok|EOPNOTSUPP"},  // not every kernel has them on tmpfs
    {"keys.", "unfiltered", "ok"},
    {"keys.", "", "EPERM"},
    {"names.", "", "EPERM"},
    {"network.tcp", "strict", "EAFNOSUPPORT"},
    {"network.udp", "strict", "EAFNOSUPPORT"},
    {"network.tcp6", "strict", "EAFNOSUPPORT"},
    {"network.udp6", "strict", "EAFNOSUPPORT"},
    {"network.tcp6", "", "ok|EAFNOSUPPORT|EADDRNOTAVAIL"},  // a kernel without IPv6
    {"network.udp6", "", "ok|EAFNOSUPPORT|EADDRNOTAVAIL"},
    {"network.setting", "", "EACCES"},
};

std::string must_be_left(const std::string& name, const std::string& where) {
  for (const NotLeft& row : kNotLeft) {
    const bool fits = row.name.ends_with('.') ? name.starts_with(row.name) : name == row.name;
    if (fits && (row.where.empty() || row.where == where)) return row.answers;
  }
  return "ok";
}

// Each trace is really there, or known to be refused: else that nobody finds it says nothing.
void check_left(const Answers& answers, const std::string& where) {
  for (const Trace& trace : all_traces()) {
    const std::string wanted = must_be_left(trace.name, where);
    const std::string what = answer(answers, trace.name);
    CHECK_MESSAGE(is_one_of(what, wanted),
                  where << ": to leave " << trace.name << " must give " << wanted << ", not " << what);
  }
}

// One sandbox looks while another one that left everything lives, and once more when it has gone.
void check_pair(const Sandbox& sandbox, const std::vector<std::string>& first,
                const std::vector<std::string>& second, const std::string& where,
                std::string Trace::*at_once = &Trace::other, std::string Trace::*next = &Trace::next) {
  Background other(sbxrun_command(sandbox, inside(first, "leave")));
  REQUIRE(other.wait_for("left\n"));
  check_left(parse_answers(other.said()), where);
  check_found(answers_of(sandbox, inside(second, "find")), at_once, where + ", at once");
  CHECK(other.end() == 0);  // and nothing that happened here hurt it
  check_found(answers_of(sandbox, inside(second, "find")), next, where + ", afterwards");
}

}  // namespace

TEST_CASE("what one process leaves another one finds, where they share a place") {
  SKIP_UNLESS(is_root(), "needs root");
  check_found(parse_answers(run_program({traces_program(), "outside", key()}).out), &Trace::outside,
              "outside");
}

TEST_CASE("a sandbox finds what it left itself, but for what it cannot leave") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  check_found(answers_of(sandbox, inside({}, "both")), &Trace::alone, "alone");
}

TEST_CASE("no trace of a sandbox is found by another, at once or afterwards") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const std::string policy : kPolicies) {
    const std::vector<std::string> options{"--policy=" + policy};
    check_pair(sandbox, options, options, policy);
  }
}

TEST_CASE("no trace of a project is found in another") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  check_pair(sandbox, {"--project=one"}, {"--project=two"}, "projects");
}

TEST_CASE("without the system call filter no trace is found by another sandbox either") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::vector<std::string> options{"--policy=" + unfiltered_policy(sandbox)};
  check_pair(sandbox, options, options, "unfiltered", &Trace::unfiltered, &Trace::unfiltered_next);
}

}  // namespace sbx::test
