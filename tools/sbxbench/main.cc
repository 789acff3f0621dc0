// sbxbench: measures sbx against what people use instead, on the same machine, in the same root, in turn.
// Exit status: 0 measured, 1 failed (also when native or sbx itself could not be measured), 2 wrong usage.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>

#include "../usage_error.h"
#include "base/printable.h"
#include "campaign.h"
#include "mount_namespace.h"
#include "peers.h"
#include "progress_bar.h"
#include "report.h"

namespace sbx::bench {
namespace {

using namespace std::chrono_literals;

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kExitInterrupted = 130;

// A signal handler can reach nothing else.
volatile std::sig_atomic_t interrupted = 0;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

void stop_on_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };
  for (const int signal : {SIGINT, SIGTERM, SIGHUP})
    (void)sigaction(signal, &action, nullptr);  // valid signals
}

struct Options {
  std::size_t rounds = 0;  // 0: as the scenario has it
  std::size_t warm_up = 3;
  bool json = false;
  std::vector<std::string> only;
  std::string sbxrun;
};

std::vector<Scenario> scenarios() {
  return {
      {"direct", "one program, no daemon, run after run", {"/bin/true"}, 0ms, 30},
      {"after-quiet", "one program, no daemon, 0.8 s of quiet before each run", {"/bin/true"}, 800ms, 10}};
}

int complain(int status, const std::string& text) {
  (void)std::fprintf(stderr, "sbxbench: %s\n", printable(text).c_str());
  return status;
}

Result<std::string> beside_us(const std::string& name) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return fail(system_error("readlink", "/proc/self/exe", error.value()));
  return (self.parent_path() / name).string();
}

// Native and sbx are always there: the ratios are to them.
Result<std::vector<Peer>> choose(std::vector<Peer> peers, const std::vector<std::string>& only) {
  for (const std::string& name : only) {
    if (std::ranges::find(peers, name, &Peer::name) != peers.end()) continue;
    std::string known;
    for (const Peer& peer : peers) known += (known.empty() ? "" : ", ") + peer.name;
    return fail("--only: '" + name + "' is none of " + known);
  }
  std::erase_if(peers, [&](const Peer& peer) {
    const bool wanted = only.empty() || std::ranges::find(only, peer.name) != only.end();
    return !wanted && peer.name != kNative && peer.name != kSbx;
  });
  return peers;
}

int measure(const Scenario& scenario, const Options& options) {
  std::string sbxrun = options.sbxrun;
  if (sbxrun.empty()) {
    auto found = beside_us("sbxrun");
    if (!found) return complain(kExitFailed, found.error().text);
    sbxrun = *found;
  }
  const auto bench = Workbench::create();
  if (!bench) return complain(kExitFailed, bench.error().text);
  const auto hidden = hide_cgroup_v2();
  if (!hidden) (void)complain(kExitOk, hidden.error().text + "; going on without it");
  const int namespace_fd = hidden && *hidden ? (*hidden)->get() : -1;
  const auto peers = choose(make_peers(*bench, sbxrun, namespace_fd), options.only);
  if (!peers) return complain(kExitUsage, peers.error().text);

  Report report{
      .scenario = scenario,
      .rounds = {options.warm_up, options.rounds > 0 ? options.rounds : scenario.rounds, scenario.pause},
      .host = read_host_facts(),
      .load_before = read_load(),
      .load_after = {},
      .rows = {}};
  bool complete = false;
  {
    ProgressBar bar;
    for (const Peer& peer : *peers) {
      if (interrupted != 0) return complain(kExitInterrupted, "interrupted");
      bar.update(0, peers->size(), "trying " + peer.name);
      report.rows.push_back(prepare(peer, scenario.program));
    }
    complete =
        run_rounds(report.rows, report.rounds, [&](std::size_t done, std::size_t total, const Row& next) {
          bar.update(done, total, next.name);
          return interrupted == 0;
        });
  }
  if (!complete) return complain(kExitInterrupted, "interrupted: nothing is reported of a part");
  report.load_after = read_load();
  if (std::fputs((options.json ? format_json(report) : format_text(report)).c_str(), stdout) < 0 ||
      std::fflush(stdout) != 0) {
    return complain(kExitFailed, system_error("write", "standard output", errno).text);
  }
  for (const Row& row : report.rows) {
    if (row.error.empty() || (row.name != kNative && row.name != kSbx)) continue;
    return complain(kExitFailed, row.name + " could not be measured: " + row.error);
  }
  return kExitOk;
}

int run(int argc, char** argv) {
  CLI::App app("Measures sbx against what people use instead, on the same machine, in turn.", "sbxbench");
  app.set_version_flag("--version", "sbxbench " SBX_VERSION);
  app.require_subcommand(1);
  Options options;
  const Scenario* chosen = nullptr;
  const std::vector<Scenario> all = scenarios();
  for (const Scenario& scenario : all) {
    CLI::App* command = app.add_subcommand(scenario.name, scenario.about);
    command
        ->add_option("-n,--rounds", options.rounds,
                     "How often each program runs (default: " + std::to_string(scenario.rounds) + ")")
        ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}));
    command->add_option("--warm-up", options.warm_up, "Rounds before those, not counted")
        ->check(CLI::Range(std::size_t{0}, std::size_t{1'000'000}))
        ->capture_default_str();
    command
        ->add_option("--only", options.only,
                     "Compare with these peers only, by comma: bwrap,bwrap-same,crun,runc")
        ->delimiter(',');
    command->add_flag("--json", options.json, "JSON with every sample instead of tables");
    command->add_option("--sbxrun", options.sbxrun, "Measure this sbxrun")
        ->group("");  // hidden: for development
    command->callback([&chosen, &scenario] { chosen = &scenario; });
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) return complain(kExitUsage, usage_error(app, error));
    return app.exit(error);  // --help and --version come this way too
  }
  stop_on_signals();
  return measure(*chosen, options);
}

}  // namespace
}  // namespace sbx::bench

int main(int argc, char** argv) {
  try {
    return sbx::bench::run(argc, argv);
  } catch (const std::exception& error) {
    return sbx::bench::complain(sbx::bench::kExitFailed, error.what());
  }
}
