#include "support/program.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace sbx::test {
namespace {

struct Pipe {
  int read_end = -1;
  int write_end = -1;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
  return {ends[0], ends[1]};
}

void close_fd(int& fd) {
  if (fd >= 0) (void)close(fd);
  fd = -1;
}

// What exec takes. Made before the fork: other threads may hold the locks of the allocator then, for ever.
class Program {
 public:
  Program(const std::vector<std::string>& arguments, const ProgramOptions& options) : arguments_(arguments) {
    const auto has_name = [](const std::string& entry, const std::string& name) {
      return entry.starts_with(name + "=");
    };
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::string text = *entry;
      const bool replaced = std::ranges::any_of(options.environment,
                                                [&](const auto& one) { return has_name(text, one.first); });
      const bool unset =
          std::ranges::any_of(options.unset, [&](const auto& name) { return has_name(text, name); });
      if (!replaced && !unset) environment_.push_back(text);
    }
    for (const auto& [name, value] : options.environment) environment_.push_back(name + "=" + value);
    argv_ = pointers_to(arguments_);
    envp_ = pointers_to(environment_);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  [[noreturn]] void become(const ProgramOptions& options, const Pipe& in, const Pipe& out, const Pipe& err) {
    (void)dup2(options.null_input ? open("/dev/null", O_RDONLY) : in.read_end, 0);
    (void)dup2(out.write_end, 1);
    (void)dup2(err.write_end, 2);
    if (!options.directory.empty() && chdir(options.directory.c_str()) != 0) _exit(126);
    environ = envp_.data();
    if (options.before_exec) options.before_exec();
    (void)execvp(argv_[0], argv_.data());
    _exit(127);
  }

 private:
  static std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> list;
    list.reserve(texts.size() + 1);
    for (std::string& text : texts) list.push_back(text.data());
    list.push_back(nullptr);
    return list;
  }

  std::vector<std::string> arguments_;
  std::vector<std::string> environment_;
  std::vector<char*> argv_;
  std::vector<char*> envp_;
};

void read_some(int& fd, std::string& text) {
  std::array<char, 65536> buffer{};
  const ssize_t count = read(fd, buffer.data(), buffer.size());
  if (count <= 0) {
    close_fd(fd);
  } else {
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace

ProgramResult run_program(const std::vector<std::string>& arguments, const ProgramOptions& options) {
  (void)signal(SIGPIPE, SIG_IGN);
  Program program(arguments, options);
  Pipe in = make_pipe();
  Pipe out = make_pipe();
  Pipe err = make_pipe();
  const pid_t pid = fork();
  if (pid == 0) {
    (void)signal(SIGPIPE, SIG_DFL);
    program.become(options, in, out, err);
  }
  close_fd(in.read_end);
  close_fd(out.write_end);
  close_fd(err.write_end);
  if (options.after_start) options.after_start(pid);

  ProgramResult result;
  std::size_t written = 0;
  const auto deadline = std::chrono::steady_clock::now() + options.timeout;
  (void)fcntl(in.write_end, F_SETFL, O_NONBLOCK);
  while (out.read_end >= 0 || err.read_end >= 0) {
    if (written == options.input.size()) close_fd(in.write_end);
    std::array<pollfd, 3> polled{
        {{out.read_end, POLLIN, 0}, {err.read_end, POLLIN, 0}, {in.write_end, POLLOUT, 0}}};
    (void)poll(polled.data(), polled.size(), 100);
    if (polled[0].revents != 0) read_some(out.read_end, result.out);
    if (polled[1].revents != 0) read_some(err.read_end, result.err);
    if (polled[2].revents != 0) {
      const ssize_t count =
          write(in.write_end, options.input.data() + written, options.input.size() - written);
      if (count < 0) {
        written = options.input.size();
      } else {
        written += static_cast<std::size_t>(count);
      }
    }
    if (std::chrono::steady_clock::now() > deadline) {
      result.timed_out = true;
      (void)kill(pid, SIGKILL);
      break;
    }
  }
  close_fd(in.write_end);
  close_fd(out.read_end);
  close_fd(err.read_end);
  int status = 0;
  (void)waitpid(pid, &status, 0);
  result.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace sbx::test
