// Every step of a run, killed or failing: an end that docs/results.md knows, an error that says why, no false
// verdict, nobody who survives, and nothing left: at once, or after a SIGKILL with the next start.
//
// Of all faults of all runs (tests/faults/faults.cc) a few are tried, spread over all. SBX_TEST_FAULTS=NUMBER
// tries about so many, SBX_TEST_FAULTS=all all of them; SBX_TEST_FAULTS=RUN:ROLE:CALL:N:WHAT, as a failure
// names it, or the start of it, these. Which few is a matter of the day, so that it is others tomorrow:
// SBX_TEST_FAULTS_SEED is the number of the day, printed, that had those of then.
#include "faults/faults.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <set>
#include <sstream>

#include "integration/toy_image.h"
#include "support/process_tree.h"
#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Strings = std::vector<std::string>;

constexpr std::size_t kTried = 80;  // of each run of the tests

#ifdef __SANITIZE_ADDRESS__
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

constexpr const char* kCompiled = R"(
languages:
  - name: toyc
    file: main.toyc
    actions:
      compile: [/bin/toy, --compile, "{file}", "{out}"]
      run: [/bin/toy, "{out}/main.toy"]
)";

// Days since 1970.
std::size_t seed() {
  if (const char* asked = std::getenv("SBX_TEST_FAULTS_SEED")) return std::strtoul(asked, nullptr, 10);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::size_t>(std::chrono::floor<std::chrono::days>(now).count());
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

class Faults {
 public:
  Faults() {
    here_ = sandbox_.directory() + "/here";
    fs::create_directory(here_);
    write_file(here_ + "/note", "whole\n");
    const std::string policy =
        read_file(std::string(std::getenv("SBX_TEST_DATA")) + "/policies/default.yaml");
    write_file(sandbox_.directory() + "/telling.yaml",
               replaced(policy, "report_denials: false", "report_denials: true"));
    import_toy(sandbox_, "toyc", kCompiled);
    REQUIRE(sandbox_.run({"--", "/bin/true"}).exit_status == 0);
    REQUIRE(sandbox_.run({"--project=kept", "--disk=16M", "--", "/bin/sh", "-c", "echo whole >note"})
                .exit_status == 0);
  }

  std::string list(const FaultyRun& run) {
    forget_first(run);
    const ProgramResult result = inject({"list"}, run);
    CHECK_MESSAGE(result.exit_status == 0, result.err);
    CHECK(right(run, result));
    return read_file(report_path());
  }

  // True when the fault was met; what it led to is checked.
  bool meets(const FaultCase& fault, const FaultyRun& run, const std::string& says = "") {
    forget_first(run);
    std::error_code error;
    fs::remove(sandbox_.log(), error);
    const bool kills = fault.what == "SIGKILL";
    Strings what{kills ? "kill" : "fail", fault.role, fault.call, fault.index};
    if (!kills) what.push_back(fault.what);
    const ProgramResult result = inject(what, run);
    said_ = result.err;
    const std::string report = read_file(report_path());
    const std::string text = fault.text();
    INFO("SBX_TEST_FAULTS=", text);
    INFO("it said: ", result.err, result.out, "exit status ", result.exit_status);
    INFO(report);
    CHECK_FALSE(holds(report, "hang"));
    CHECK_FALSE(holds(report, "survivor"));
    if (!holds(report, "injected")) return false;
    check_result(fault, run, result);
    CHECK_MESSAGE(holds(result.err, says), says);
    // What could not be removed is said, and the next start tries again.
    if (!kills && !holds(result.err, "the next start")) CHECK(sandbox_.leftovers(2) == "");
    check_next();
    CHECK(sandbox_.leftovers(2) == "");
    check_log();
    return true;
  }

  // Does something while a run has the project; that run's output.
  std::string hold_project(const std::function<void()>& during) const {
    const std::string mark = unique_duration();
    ProgramOptions options;
    options.after_start = [&](pid_t sbxrun) {
      CHECK(wait_until(milliseconds(10'000), [&] { return runs_inside(mark); }));
      during();
      (void)kill(sbxrun, SIGTERM);
    };
    return sandbox_.run({"--project", "kept", "--", "/bin/sh", "-c", "cat note; sleep " + mark}, options).out;
  }

  // True when the fault was met, and the run refused because of it.
  bool is_refused(const FaultCase& fault, const FaultyRun& run) {
    const ProgramResult result = inject({"fail", fault.role, fault.call, fault.index, fault.what}, run);
    said_ = result.err;
    return holds(read_file(report_path()), "injected") && result.exit_status == 125 &&
           holds(said_, fault.what);
  }

  // What sbxrun said at the last fault.
  [[nodiscard]] const std::string& said() const { return said_; }

 private:
  [[nodiscard]] std::string report_path() const { return sandbox_.directory() + "/report"; }

  // What only the first run of its kind makes is to be made again.
  void forget_first(const FaultyRun& run) const {
    if (run.name == "first") fs::remove_all(sandbox_.state_dir() + "/host-root");
    if (run.name == "new-project") fs::remove_all(sandbox_.state_dir() + "/projects/new");
    if (run.name == "resize")
      CHECK(sandbox_.run({"--project=kept", "--disk=16M", "--", "/bin/true"}).exit_status == 0);
  }

  ProgramResult inject(Strings what, const FaultyRun& run) const {
    Strings wrapper{probe_directory() + "/inject", report_path()};
    wrapper.insert(wrapper.end(), what.begin(), what.end());
    wrapper.emplace_back("--");
    ProgramOptions options;
    options.directory = here_;
    options.null_input = true;
    options.environment.emplace_back("SBX_INJECT_SECONDS", std::to_string(100 * time_scale()));
    return sandbox_.run_by(wrapper, run.arguments, options);
  }

  static bool right(const FaultyRun& run, const ProgramResult& result) {
    if (run.arguments.front() != "--json") return result.out == run.output;
    const json object = json::parse(result.out, nullptr, false);
    if (object.is_discarded() || object["outcome"] != "exited") return false;
    return object["stdout"]["text"] == run.output || object["stdout"]["truncated"] == true;
  }

  static void check_result(const FaultCase& fault, const FaultyRun& run, const ProgramResult& result) {
    const int status = result.exit_status;
    if (status == 0) {
      CHECK(right(run, result));
      CHECK((fault.what == "SIGKILL" || !is_containment(fault)));
      return;
    }
    // Who is killed outside is sbxrun itself, who is killed inside the program; else it is a failure of ours.
    if (status == 137 && fault.what == "SIGKILL" && (fault.role == "sbxrun" || fault.role == "command"))
      return;
    CHECK((status == 2 || (status >= 125 && status <= 127)));
    CHECK((holds(result.err, fault.what) || says_who_ended(result.err)));
  }

  static bool says_who_ended(const std::string& text) {
    return holds(text, "it was killed by") || holds(text, "it exited with status") ||
           holds(text, "killed from outside") || holds(text, "init ended with status") ||
           holds(text, "was killed by SIG");
  }

  // The next run sweeps, works, and finds everything as it was.
  void check_next() const {
    const ProgramResult next = sandbox_.run({"--project", "kept", "--", "/bin/cat", "note"});
    CHECK_MESSAGE(next.exit_status == 0, next.err);
    CHECK(next.out == "whole\n");
    CHECK(next.err == "");
    CHECK(read_file(here_ + "/note") == "whole\n");
  }

  // One line for each run that was made.
  void check_log() const {
    std::set<std::string> ids;
    const std::vector<json> lines = sandbox_.log_lines();
    for (const json& line : lines) ids.insert(line["run_id"]);
    CHECK(ids.size() == lines.size());
    CHECK(lines.size() <= 2);
    CHECK(!lines.empty());
  }

  const Sandbox sandbox_;
  std::string here_;
  std::string said_;
};

}  // namespace

// Each was once ignored, or told as something else.
TEST_CASE("a fault is told as what it is") {
  SKIP_UNLESS(is_root(), "needs root");
  SKIP_UNLESS(!kSanitized, "LeakSanitizer does not work under a tracer");
  struct Told {
    const char* fault;  // RUN:ROLE:CALL:N:WHAT
    const char* as;
  };
  const std::vector<Told> told{
      {"plain:direct:readlink:1:EIO", "readlink '/proc/self/exe'"},
      {"plain:sbxrun:readlink:3:EIO", "readlink '/proc/self/exe'"},
      {"plain:fork:openat:0:SIGKILL", "the supervisor ended without an answer: it was killed by SIGKILL"},
      {"plain:spawner:unshare:0:SIGKILL", "the spawner ended unexpectedly: it was killed by SIGKILL"},
      {"plain:spawner:openat:0:EMFILE", "/proc/self/oom_score_adj"},
      {"plain:child:openat:0:EMFILE", "step 'forbid_user_namespaces': too many open files (EMFILE)"},
      {"plain:child:seccomp:0:ENOMEM", "step 'seccomp': cannot allocate memory (ENOMEM)"},
      {"plain:init:prctl:0:EPERM", "step 'init_start': operation not permitted (EPERM)"},
      {"plain:init:recvmsg:0:ENOMEM", "step 'init_start': cannot allocate memory (ENOMEM)"},
      {"plain:init:mmap:0:ENOMEM", "step 'init_start': cannot allocate memory (ENOMEM)"},
      {"plain:init:sendmsg:0:ENOBUFS", "init ended with status 1 and did not tell how the program ended"},
      {"plain:init:sendmsg:1:ENOBUFS", "init ended with status 1 and did not tell how the program ended"},
      {"terminal:direct:sendmsg:2:ENOBUFS",
       "handing over the terminal: sendmsg: no buffer space available (ENOBUFS)"},
  };
  Faults faults;
  for (const FaultyRun& run : faulty_runs()) {
    for (const Told& one : told) {
      const FaultCase fault = parse_fault(one.fault);
      if (fault.run == run.name) CHECK_MESSAGE(faults.meets(fault, run, one.as), one.fault);
    }
  }
}

// A device that is overlooked is made a second time, and the file system of the project mounted twice.
TEST_CASE("a run does not take a project whose block device it cannot look at for one that is not mounted") {
  SKIP_UNLESS(is_root(), "needs root");
  SKIP_UNLESS(!kSanitized, "LeakSanitizer does not work under a tracer");
  Faults faults;
  const FaultyRun run = faulty_runs()[2];
  REQUIRE(run.name == "project");
  // Its device is there while another run has it.
  const std::string held = faults.hold_project([&] {
    for (const char* fault : {"project:direct:ioctl:0:EIO", "project:direct:fsmount:0:EMFILE"})
      CHECK_MESSAGE(faults.is_refused(parse_fault(fault), run), fault << ": " << faults.said());
  });
  CHECK(held == "whole\n");
}

TEST_CASE("a run whose counters cannot be read says that a limit may be missing") {
  SKIP_UNLESS(is_root(), "needs root");
  SKIP_UNLESS(!kSanitized, "LeakSanitizer does not work under a tracer");
  Faults faults;
  const FaultyRun run = faulty_runs().front();
  std::vector<FaultCase> all = faults_in(faults.list(run), run.name);
  std::erase_if(all, [](const FaultCase& fault) {
    return fault.role != "direct" || fault.call != "openat" || fault.what != "EMFILE";
  });
  // They are among the last files that are opened.
  bool told = false;
  for (auto fault = all.rbegin(); fault != all.rend() && !told; ++fault) {
    (void)faults.meets(*fault, run);
    told = holds(faults.said(), "the kernel's counters could not be read");
  }
  CHECK(told);
}

TEST_CASE("no run goes on without a limit that could not be written") {
  SKIP_UNLESS(is_root(), "needs root");
  SKIP_UNLESS(!kSanitized, "LeakSanitizer does not work under a tracer");
  Faults faults;
  const FaultyRun run = faulty_runs().front();
  std::size_t met = 0;
  for (const FaultCase& fault : faults_in(faults.list(run), run.name)) {
    if (fault.role == "direct" && fault.call == "write_cgroup" && fault.what == "EBUSY")
      met += faults.meets(fault, run) ? 1 : 0;
  }
  CHECK(met >= 4);  // memory, its swap or group, processes, CPUs
}

TEST_CASE("a fault at any step of a run is told, ends it, and leaves nothing") {
  SKIP_UNLESS(is_root(), "needs root");
  SKIP_UNLESS(!kSanitized, "LeakSanitizer does not work under a tracer");
  const char* asked = std::getenv("SBX_TEST_FAULTS");
  const std::string asked_for = asked == nullptr ? "" : asked;
  const auto number = static_cast<std::size_t>(std::strtoul(asked_for.c_str(), nullptr, 10));
  const std::string wanted = number > 0 || asked_for == "all" ? "" : asked_for;
  Faults faults;
  std::vector<std::pair<FaultCase, FaultyRun>> all;
  for (const FaultyRun& run : faulty_runs()) {
    for (FaultCase& fault : faults_in(faults.list(run), run.name)) {
      if (fault.text().starts_with(wanted)) all.emplace_back(std::move(fault), run);
    }
  }
  REQUIRE(!all.empty());
  const std::size_t few = number > 0 ? number : asked_for.empty() ? kTried : all.size();
  const std::size_t stride = std::max<std::size_t>(1, all.size() / few);
  const std::size_t offset = seed() % stride;
  std::size_t met = 0;
  std::size_t tried = 0;
  for (std::size_t i = offset; i < all.size(); i += stride) {
    ++tried;
    if (faults.meets(all[i].first, all[i].second)) ++met;
  }
  std::printf("faults: %zu of %zu tried, from number %zu on each %zuth (SBX_TEST_FAULTS_SEED=%zu); %zu met\n",
              tried, all.size(), offset, stride, seed(), met);
  // Calls that wait may come more or less often.
  CHECK(met * 10 >= tried * 9);
}

}  // namespace sbx::test
