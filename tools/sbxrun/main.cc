// sbxrun: run a program in a sandbox. A thin client: it reads arguments, hands its streams over and prints
// what the supervisor answers.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <vector>

#include "base/printable.h"
#include "base/split.h"
#include "connection.h"
#include "option_specs.h"
#include "options.h"
#include "os/file.h"
#include "os/own_places.h"
#include "session.h"
#include "streams.h"

namespace sbx::sbxrun {
namespace {

constexpr int kUsageError = 2;
constexpr int kOurFailure = 125;
constexpr int kNotFound = 127;

// A name that a sentence quotes must not drive the caller's terminal or forge a line.
void say(std::string_view text) { std::fprintf(stderr, "sbxrun: %s\n", printable(text).c_str()); }

void say_lines(std::string_view text) {
  for (const std::string_view line : split(text, '\n')) {
    if (!line.empty()) say(line);
  }
}

int complain(int status, const Error& error) {
  say(error.text);
  return status;
}

int print(const std::string& text) {
  const auto written = os::write_all(1, text, "standard output");
  return written ? 0 : complain(kOurFailure, written.error());
}

// Opened before the run, so that a bad path is known before it, not after. What runs nothing makes no file:
// it only looks whether there could be one.
Result<UniqueFd> open_result(const std::string& target, bool runs) {
  if (!target.starts_with("fd:")) {
    if (runs) return os::open_at(AT_FDCWD, target, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    Result<UniqueFd> there = os::open_at(AT_FDCWD, target, O_WRONLY);
    if (there || there.error().error_number != ENOENT) return there;
    const std::size_t slash = target.find_last_of('/');
    const std::string directory = slash == std::string::npos ? "." : target.substr(0, slash + 1);
    if (access(directory.c_str(), W_OK) != 0) return fail(system_error("--result", target, errno));
    return UniqueFd();
  }
  int fd = -1;
  const char* end = target.data() + target.size();
  const auto [after, error] = std::from_chars(target.data() + 3, end, fd);
  if (error != std::errc{} || after != end || fd < 0)
    return fail("--result: '" + target + "' is not fd:NUMBER");
  UniqueFd copy(fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!copy.valid()) return fail(system_error("--result", target, errno));
  const int flags = fcntl(copy.get(), F_GETFL);
  if (flags < 0) return fail(system_error("--result", target, errno));
  // An O_PATH descriptor has the access mode 0, O_RDONLY.
  if ((flags & O_ACCMODE) == O_RDONLY) return fail("--result: '" + target + "' is not open for writing");
  return copy;
}

// sbxctl doctor in our place, for the same policy and places.
int become_doctor(const Options& options) {
  const Result<std::string> directory = os::own_directory();
  if (!directory) return complain(kOurFailure, directory.error());
  const std::string path = *directory + "/sbxctl";
  std::vector<std::string> arguments{"sbxctl", "doctor", "--policy=" + options.request.policy};
  if (!options.request.state_dir.empty()) arguments.push_back("--state-dir=" + options.request.state_dir);
  if (!options.request.config.empty()) arguments.push_back("--config=" + options.request.config);
  if (options.json) arguments.emplace_back("--json");
  std::vector<char*> list;
  list.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) list.push_back(argument.data());
  list.push_back(nullptr);
  (void)signal(SIGPIPE, SIG_DFL);
  (void)execv(path.c_str(), list.data());
  return complain(kOurFailure, system_error("execv", path, errno));
}

int print_answer(const Answer& answer, const Options& options, int result_fd) {
  if (answer.text) return print(*answer.text) == 0 ? answer.exit_status : kOurFailure;
  const FinishedRun& finished = answer.finished;
  // The result first: nobody may be there to read the rest.
  Result<void> recorded;
  if (result_fd >= 0 && !finished.json.empty())
    recorded = os::write_all(result_fd, finished.json + "\n", options.result);
  // --quiet keeps verdicts about a program that ran to itself, never the reason why one did not.
  const int status = answer.exit_status;
  const bool not_run = status == kUsageError || (status >= kOurFailure && status <= kNotFound);
  const bool said = !finished.message.empty() && (!options.quiet || not_run);
  if (said) say(finished.message);
  if (said && !finished.hint.empty()) say(finished.hint);
  if (!options.quiet && !finished.sweep.empty()) say(finished.sweep);
  // What stopped the run may have stopped the sweep before it.
  if (!finished.notice.empty() && !(said && finished.notice == finished.message)) say(finished.notice);
  if (!options.quiet && !options.json) say_lines(finished.changes);
  if (options.json && !finished.json.empty() && print(finished.json + "\n") != 0) return kOurFailure;
  if (!recorded) return complain(kOurFailure, recorded.error());
  return answer.output_error ? complain(kOurFailure, *answer.output_error) : status;
}

// Asks the supervisor and prints its answer; a text only where `shown`.
int ask(Options& options, bool shown) {
  UniqueFd result_fd;
  if (!options.result.empty()) {
    auto opened = open_result(options.result, options.request.action == RequestAction::run);
    if (!opened) return complain(kUsageError, opened.error());
    result_fd = std::move(*opened);
  }
  Result<ClientStreams> streams = plan_streams(options);
  if (!streams) return complain(kUsageError, streams.error());
  const Result<Connection> connection = connect_supervisor(options);
  if (!connection) return complain(kOurFailure, connection.error());
  Result<Answer> answer = hold_session(*connection, options, std::move(*streams));
  if (!answer) return complain(kOurFailure, answer.error());
  if (answer->text && !shown) return answer->exit_status;
  return print_answer(*answer, options, result_fd.get());
}

// Whether a run with these options would be refused, whatever the host is like; then what the host can
// enforce.
int check(Options& options) {
  const bool shown = options.request.action != RequestAction::run;  // --explain or --dry-run as well
  if (!shown) options.request.action = RequestAction::plan;
  const int status = ask(options, shown);
  return status == 0 ? become_doctor(options) : status;
}

int run(int argc, char** argv) {
  hold_standard_streams();
  (void)signal(SIGXFSZ, SIG_IGN);  // a result above RLIMIT_FSIZE is an error to tell
  (void)signal(SIGCHLD, SIG_DFL);  // what the caller ignores is not ours: we wait for the supervisor
  Result<Options> options = parse_options(argc, argv);
  if (!options) return complain(kUsageError, options.error());
  if (options->help) return print(help_text());
  if (options->version) return print("sbxrun " SBX_VERSION "\n");
  return options->check ? check(*options) : ask(*options, true);
}

}  // namespace
}  // namespace sbx::sbxrun

int main(int argc, char** argv) { return sbx::sbxrun::run(argc, argv); }
