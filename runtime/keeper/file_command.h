// sbx-files in a living sandbox, for one request of the API's: a command as any other of it, but no run. What
// it changes or takes along is an event of the log.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "keeper/command_home.h"
#include "monitor/audit_event.h"
#include "resource/command_group.h"
#include "supervise/execution.h"
#include "wire/files_protocol.h"

namespace sbx {

class FileCommand {
 public:
  // `id` is unused so far in this sandbox. `client` is told how it ended; when it is closed, so is the
  // command. `pipes`: its standard input and output. `event`: what it is in the log, if anything.
  FileCommand(const CommandHome& home, std::uint32_t id, UniqueFd client, std::vector<UniqueFd> pipes,
              std::optional<AuditEvent> event);
  FileCommand(const FileCommand&) = delete;
  FileCommand& operator=(const FileCommand&) = delete;
  ~FileCommand();

  void wait_in(PollSet& turn);
  void check();
  // The sandbox's memory ran out: was it this one that was killed? True: it was.
  bool check_memory();
  void cancel(const std::string& why);

  [[nodiscard]] bool finished() const { return finished_; }
  // What is left of a finished one: none of its processes.
  [[nodiscard]] std::optional<CommandGroup> take_group() { return std::exchange(group_, std::nullopt); }

 private:
  Result<void> begin(std::vector<UniqueFd> pipes);
  void finish();
  void answer(FilesEnd end, const std::string& why);

  const CommandHome& home_;
  std::uint32_t id_;
  UniqueFd client_;
  std::optional<AuditEvent> event_;
  bool finished_ = false;
  std::optional<CommandGroup> group_;
  std::unique_ptr<Execution> execution_;
};

}  // namespace sbx
