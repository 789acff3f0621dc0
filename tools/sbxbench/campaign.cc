#include "campaign.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "observe.h"
#include "schedule.h"

namespace sbx::bench {
namespace {

// What a program said, on one line of a report.
std::string one_line(std::string text) {
  constexpr std::size_t kLongest = 300;
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  const std::size_t first = text.find_first_not_of(' ');
  if (first == std::string::npos) return {};
  text = text.substr(first, text.find_last_not_of(' ') - first + 1);
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "…";
  return text;
}

std::string first_line(const Command& command) {
  if (command.arguments.empty()) return {};
  const auto trial = run_trial(command);
  return trial ? one_line(trial->output.substr(0, trial->output.find('\n'))) : std::string();
}

// Empty: it ran and ended with 0.
std::string try_out(const Command& command) {
  const auto trial = run_trial(command);
  if (!trial) return trial.error().text;
  const std::string failure = describe_failure(trial->wait_status);
  if (failure.empty()) return {};
  const std::string said = one_line(trial->output);
  return said.empty() ? failure : failure + ": " + said;
}

void clean_up(const std::optional<Command>& command) {
  if (command) (void)run_trial(*command);  // best effort: mostly there is nothing left to remove
}

void leave_out(Row& row, const std::string& error) {
  clean_up(row.clean_up);
  row.error = error;
  row.samples.clear();
}

void pause_for(std::chrono::milliseconds pause) {
  const timespec time{pause.count() / 1000, pause.count() % 1000 * 1'000'000};
  if (pause.count() > 0)
    (void)nanosleep(&time, nullptr);  // a signal ends it early; progress decides what then
}

void run_row(Row& row, std::size_t round, bool counted) {
  const auto timing = run_timed(row.command);
  const std::string error = timing ? describe_failure(timing->wait_status) : timing.error().text;
  if (error.empty()) {
    if (counted) row.samples.push_back(timing->wall);
    return;
  }
  // The streams of a timed run are at /dev/null: ask once more what is wrong.
  const std::string again = try_out(row.command);
  leave_out(row, "round " + std::to_string(round + 1) + ": " + error +
                     (again.empty() ? "; another run went well" : "; another run: " + again));
}

}  // namespace

Row prepare(const Peer& peer, const Program& program) {
  Row row{.name = peer.name,
          .title = peer.title,
          .version = first_line(peer.version),
          .note = {},
          .error = {},
          .command = {},
          .clean_up = {},
          .isolation = {},
          .samples = {}};
  if (peer.ways.empty()) row.error = "not installed";
  for (const Way& way : peer.ways) {
    const Result<Command> command = way.command(program);
    const std::string error = command ? try_out(*command) : command.error().text;
    if (!error.empty()) {
      clean_up(way.clean_up);
      if (row.error.empty()) row.error = error;  // the best way's reason is the one to tell
      continue;
    }
    row.note = way.note + (row.error.empty() ? "" : ", as otherwise: " + row.error);
    row.error.clear();
    row.command = *command;
    row.clean_up = way.clean_up;
    auto isolation = observe(way);
    if (isolation) {
      row.isolation = std::move(*isolation);
    } else {
      clean_up(way.clean_up);
      row.note += std::string(row.note.empty() ? "" : "; ") + "isolation not seen: " + isolation.error().text;
    }
    break;
  }
  return row;
}

bool run_rounds(std::vector<Row>& rows, const Rounds& rounds, const Progress& progress) {
  const std::size_t all = rounds.warm_up + rounds.counted;
  for (std::size_t round = 0; round < all; ++round) {
    std::size_t turn = 0;
    for (const std::size_t index : round_order(round, rows.size())) {
      if (!progress(round * rows.size() + turn++, all * rows.size(), rows[index])) return false;
      if (!rows[index].error.empty()) continue;
      pause_for(rounds.pause);
      run_row(rows[index], round, round >= rounds.warm_up);
    }
  }
  return true;
}

}  // namespace sbx::bench
