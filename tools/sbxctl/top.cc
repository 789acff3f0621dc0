// sbxctl top: the living sandboxes of a running sbxd and what they use, again and again.
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <map>
#include <memory>

#include "base/printable.h"
#include "base/times.h"
#include "base/unique_fd.h"
#include "base/units.h"
#include "commands.h"
#include "daemon_client.h"

namespace sbx {
namespace {

using Json = nlohmann::json;

struct Line {
  std::string run_dir;
  std::string socket;
  std::string every = "2s";
  unsigned count = 0;  // 0: until it is ended
  bool json = false;
};

struct Row {
  std::string id;
  std::string name;  // of its task, else of its project
  std::string image;
  std::string state;
  std::optional<double> cpu;  // of one CPU, in percent, since the last look
  std::optional<std::int64_t> memory_bytes;
  std::optional<std::int64_t> pids;
  std::optional<std::int64_t> io_bytes;  // in a second
  std::int64_t age_ms = 0;
};

// What only grows.
struct Total {
  std::int64_t at_ms = 0;
  std::optional<std::int64_t> cpu_ms;
  std::optional<std::int64_t> io_bytes;
};
using Totals = std::map<std::string, Total>;

std::optional<std::int64_t> number(const Json& json, const char* part, const char* key) {
  const auto inside = json.find(part);
  if (inside == json.end() || !inside->is_object()) return {};
  const auto found = inside->find(key);
  if (found == inside->end() || !found->is_number_integer()) return {};
  return found->get<std::int64_t>();
}

std::string text(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

std::optional<std::int64_t> grown(const std::optional<std::int64_t>& now,
                                  const std::optional<std::int64_t>& before) {
  if (!now || !before) return {};
  return std::max<std::int64_t>(0, *now - *before);
}

Row row_of(const Json& sandbox, Totals& totals, std::int64_t now_ms) {
  Row row;
  row.id = text(sandbox, "id");
  row.state = text(sandbox, "state");
  row.name = text(sandbox, "task_id");
  if (row.name.empty()) row.name = text(sandbox, "project_id");
  if (const auto image = sandbox.find("image"); image != sandbox.end() && image->is_object())
    row.image = text(*image, "name");
  row.memory_bytes = number(sandbox, "current", "memory_bytes");
  row.pids = number(sandbox, "current", "pids");
  row.age_ms = now_ms - parse_rfc3339(text(sandbox, "created_at")).value_or(now_ms);
  Total now{now_ms, number(sandbox, "usage", "cpu_ms"), number(sandbox, "usage", "io_read_bytes")};
  if (now.io_bytes) *now.io_bytes += number(sandbox, "usage", "io_write_bytes").value_or(0);
  const auto before = totals.find(row.id);
  if (before != totals.end() && now_ms > before->second.at_ms) {
    const double seconds = static_cast<double>(now_ms - before->second.at_ms) / 1'000;
    if (const auto cpu = grown(now.cpu_ms, before->second.cpu_ms))
      row.cpu = static_cast<double>(*cpu) / 10 / seconds;
    if (const auto io = grown(now.io_bytes, before->second.io_bytes))
      row.io_bytes = static_cast<std::int64_t>(static_cast<double>(*io) / seconds);
  }
  totals[row.id] = now;
  return row;
}

// All pages of them, the one that uses most CPU first.
Result<std::vector<Row>> look(const std::string& socket, Totals& totals) {
  std::vector<Row> rows;
  Totals next;
  std::string cursor;
  do {
    const std::string path = "/v1/sandboxes/stats?limit=1000" + (cursor.empty() ? "" : "&cursor=" + cursor);
    const std::optional<Json> page = TRY(ask_daemon(socket, "GET", path));
    if (!page) return fail("no sbxd answers at '" + socket + "'");
    const std::int64_t now_ms = utc_ms();
    const Json sandboxes = page->value("sandboxes", Json::array());
    for (const Json& sandbox : sandboxes) {
      rows.push_back(row_of(sandbox, totals, now_ms));
      next[rows.back().id] = totals[rows.back().id];
    }
    cursor = text(*page, "next_cursor");
  } while (!cursor.empty());
  totals = std::move(next);
  std::ranges::stable_sort(rows, [](const Row& one, const Row& other) {
    return std::pair(one.cpu.value_or(0), one.memory_bytes.value_or(0)) >
           std::pair(other.cpu.value_or(0), other.memory_bytes.value_or(0));
  });
  return rows;
}

std::string megabytes(const std::optional<std::int64_t>& bytes) {
  std::array<char, 32> shown{};
  if (!bytes) return "-";
  (void)snprintf(shown.data(), shown.size(), "%.1fM", static_cast<double>(*bytes) / (1U << 20U));
  return shown.data();
}

std::string age(std::int64_t ms) {
  const std::int64_t seconds = std::max<std::int64_t>(0, ms / 1'000);
  if (seconds < 120) return std::to_string(seconds) + "s";
  if (seconds < 7'200) return std::to_string(seconds / 60) + "m";
  return seconds < 172'800 ? std::to_string(seconds / 3'600) + "h" : std::to_string(seconds / 86'400) + "d";
}

Json as_json(const std::vector<Row>& rows) {
  const auto or_null = [](const auto& value) { return value ? Json(*value) : Json(nullptr); };
  Json list = Json::array();
  for (const Row& row : rows)
    list.push_back({{"id", row.id},
                    {"name", row.name},
                    {"image", row.image},
                    {"state", row.state},
                    {"cpu_percent", or_null(row.cpu)},
                    {"memory_bytes", or_null(row.memory_bytes)},
                    {"pids", or_null(row.pids)},
                    {"io_bytes_per_second", or_null(row.io_bytes)},
                    {"age_ms", row.age_ms}});
  return {{"time", rfc3339(utc_ms())}, {"sandboxes", std::move(list)}};
}

// As many lines as the terminal has; 0: it is none.
unsigned height() {
  winsize size{};
  return isatty(STDOUT_FILENO) == 1 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_row : 0;
}

void print_rows(const std::vector<Row>& rows) {
  constexpr unsigned kHeading = 3;
  std::int64_t memory = 0;
  double cpu = 0;
  for (const Row& row : rows) {
    memory += row.memory_bytes.value_or(0);
    cpu += row.cpu.value_or(0);
  }
  const unsigned lines = height();
  if (lines > 0) (void)printf("\033[H\033[J");
  (void)printf("%s  %zu sandboxes, cpu %.0f %%, memory %s\n", rfc3339(utc_ms()).c_str(), rows.size(), cpu,
               megabytes(memory).c_str());
  (void)printf("%-36s  %-9s %6s %9s %5s %9s %5s  %-14s %s\n", "sandbox", "state", "cpu %", "memory", "pids",
               "io/s", "age", "image", "task");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (lines > kHeading && i + kHeading >= lines) break;
    const Row& row = rows[i];
    std::array<char, 16> used{"-"};
    if (row.cpu) (void)snprintf(used.data(), used.size(), "%.1f", *row.cpu);
    (void)printf("%-36s  %-9s %6s %9s %5s %9s %5s  %-14s %s\n", printable(row.id).c_str(),
                 printable(row.state).c_str(), used.data(), megabytes(row.memory_bytes).c_str(),
                 row.pids ? std::to_string(*row.pids).c_str() : "-", megabytes(row.io_bytes).c_str(),
                 age(row.age_ms).c_str(), printable(row.image).c_str(), printable(row.name).c_str());
  }
  (void)fflush(stdout);
}

// The screen of before comes back, and keys are not echoed meanwhile.
class Screen {
 public:
  explicit Screen(bool wanted)
      : on_(wanted && isatty(STDIN_FILENO) == 1 && height() > 0 && tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!on_) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
    (void)printf("\033[?1049h\033[?25l");
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  ~Screen() {
    if (!on_) return;
    (void)printf("\033[?25h\033[?1049l");
    (void)fflush(stdout);
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  [[nodiscard]] bool on() const { return on_; }

 private:
  termios before_{};
  bool on_;
};

// False: somebody wants it to end.
bool wait(int signals, bool keys, int milliseconds) {
  std::array<pollfd, 2> polled{{{signals, POLLIN, 0}, {keys ? STDIN_FILENO : -1, POLLIN, 0}}};
  if (poll(polled.data(), polled.size(), milliseconds) <= 0) return true;
  if (polled[0].revents != 0) return false;
  char key = 'q';
  return read(STDIN_FILENO, &key, 1) == 1 && key != 'q';
}

// Until it is ended, or so many times. An error: sbxd does not answer (any more).
Result<void> follow(const std::string& socket, int pause, const Line& line) {
  sigset_t ends;
  (void)sigemptyset(&ends);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) (void)sigaddset(&ends, number);
  (void)sigprocmask(SIG_BLOCK, &ends, nullptr);
  const UniqueFd signals(signalfd(-1, &ends, SFD_CLOEXEC));
  if (!signals.valid()) return fail(system_error("signalfd", "", errno));
  Totals totals;
  // Without a look before there is nothing that it has grown by.
  (void)TRY(look(socket, totals));
  const Screen screen(!line.json);
  int next = std::min(pause, 500);  // the first numbers soon
  for (unsigned i = 0; (line.count == 0 || i < line.count) && wait(signals.get(), screen.on(), next); ++i) {
    const auto rows = TRY(look(socket, totals));
    if (line.json) {
      (void)printf("%s\n", as_json(rows).dump(-1, ' ', true, Json::error_handler_t::replace).c_str());
    } else {
      print_rows(rows);
    }
    if (fflush(stdout) != 0) return fail(system_error("write", "standard output", errno));
    next = pause;
  }
  return {};
}

int top(const Settings& settings, const Line& line) {
  const auto run_dir = place(line.run_dir, "SBX_RUN_DIR");
  const auto given = place(line.socket, "SBX_SOCKET");
  const auto every = parse_milliseconds("--every", line.every);
  for (const Result<std::string>* path : {&run_dir, &given})
    if (!*path) return (void)report_failure(path->error().text), kExitUsage;
  if (!every) return (void)report_failure(every.error().text), kExitUsage;
  const std::string socket =
      given->empty() ? (run_dir->empty() ? settings.run_dir : *run_dir) + "/sbxd.sock" : *given;
  const auto done = follow(socket, static_cast<int>(std::min<std::uint64_t>(*every, 3'600'000)), line);
  return done ? kExitOk : report_failure(done.error().text);
}

}  // namespace

void add_top_command(CLI::App& app, const Settings& settings, Action& action) {
  CLI::App* command = app.add_subcommand("top", "The living sandboxes of sbxd, and what they use just now");
  const auto line = std::make_shared<Line>();
  command->fallthrough();
  command->add_option("--every", line->every, "Between two looks")->capture_default_str();
  command->add_option("--count", line->count, "So many looks (default: until q or Ctrl-C)");
  command->add_flag("--json", line->json, "As JSON, a line for each look");
  command->add_option("--run-dir", line->run_dir, "What is there only while something runs (SBX_RUN_DIR)");
  command->add_option("--socket", line->socket, "Of sbxd (SBX_SOCKET; default: RUN/sbxd.sock)");
  command->callback(
      [&settings, &action, line] { action = [&settings, line] { return top(settings, *line); }; });
}

}  // namespace sbx
