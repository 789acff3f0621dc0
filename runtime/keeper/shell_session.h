// A shell that stays in a living sandbox: lines come to it one after the other, and what one sets (directory,
// variables, functions, traps) the next one finds. Lines go to it, and their ends come back, over a socket of
// its own; the output of a line is what had come through the shell's pipes when it told the end.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "resource/command_group.h"
#include "supervise/execution.h"

namespace sbx {

struct CommandHome;

class ShellSession {
 public:
  // Its first line may come at once. `id` is unused so far in this sandbox.
  static Result<std::unique_ptr<ShellSession>> start(const CommandHome& home, std::uint32_t id,
                                                     std::string name);
  ShellSession(const ShellSession&) = delete;
  ShellSession& operator=(const ShellSession&) = delete;
  ~ShellSession();

  void wait_in(PollSet& turn);
  void check();

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool idle() const { return line_ == nullptr; }
  // The shell has ended: by `exit`, or because it could not go on.
  [[nodiscard]] bool over() const { return over_; }
  [[nodiscard]] CommandGroup& group() { return group_; }
  // Of one that is over: what is left of it.
  [[nodiscard]] CommandGroup take_group() { return std::move(group_); }

  // Our ends of its output, for an execution that is one line.
  Result<std::array<CapturePipe, 2>> output() const;
  // When it is idle. `line` lives until it has ended, or is let go.
  void run(Execution& line, const std::string& text);
  void let_go(const Execution& line);
  // SIGINT to what the line started, at which the shell gives up the line.
  void interrupt();
  // What a caller sends besides. SIGKILL is the end of the session.
  void signal(int number);
  // The same as interrupt(); where it has not ended in half a second, the shell ends, too.
  void end_soon();

 private:
  ShellSession(const CommandHome& home, std::uint32_t id, std::string name, CommandGroup group,
               UniqueFd socket);
  void read_socket();
  void write_socket();
  bool take_word(const std::string& word);
  void begin_line();
  void end_line(int status);
  void look_at_shell();
  void drop_output() const;

  const CommandHome& home_;
  std::string name_;
  CommandGroup group_;
  UniqueFd socket_;
  std::array<UniqueFd, 2> pipes_;  // our ends of its output
  Execution shell_;
  int shell_pid_ = 0;
  bool ready_ = false;
  std::string to_send_;
  std::string received_;
  std::uint32_t number_ = 0;  // of the line
  int status_ = 0;            // of the last one
  Execution* line_ = nullptr;
  std::string text_;
  bool interrupted_ = false;
  std::int64_t give_up_at_ = kNever;
  bool over_ = false;
};

}  // namespace sbx
