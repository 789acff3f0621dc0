// A sandbox of many commands, from its request to the end of its last process, in a keeper of its own.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "keeper/file_command.h"
#include "keeper/live_command.h"
#include "keeper/peer.h"
#include "keeper/site.h"
#include "monitor/audit_event.h"
#include "run/inputs.h"
#include "run/sandbox.h"
#include "supervise/sandbox_watch.h"
#include "wire/keeper_protocol.h"

namespace sbx {

// `text` goes as a memfd; an API that is gone is seen at its socket.
void tell_api(int control, KeeperMessageType type, std::int64_t value, std::string_view text);

class LiveSandbox {
 public:
  // `control`: the API's end speaks wire/keeper_protocol.h.
  // No owner: it is made ahead, and does nothing until it is adopted.
  LiveSandbox(const Site& site, RunRequest request, std::optional<PeerIdentity> owner, UniqueFd control);

  // All of its life. What went wrong was told to the API.
  void run();

 private:
  Result<void> make();
  Result<void> choose_name();
  Result<void> launch();
  Result<void> make_again();
  void end_reset();
  void serve();
  void read_control();
  Result<void> adopt(std::vector<UniqueFd> descriptors, std::int64_t token);
  void take_command(const KeeperMessage& message, std::vector<UniqueFd> descriptors);
  Result<std::shared_ptr<ShellSession>> session(const std::string& name);
  void remove_sessions();
  void take_files(const KeeperMessage& message, std::vector<UniqueFd> descriptors);
  Result<void> check_room() const;
  void memory_ran_out();
  void look_for_memory(std::int64_t now);
  void check_commands();
  void begin_stop(std::int64_t grace_ms);
  void begin_reset(std::optional<Caller> caller);
  void begin_end(const std::string& why);
  [[nodiscard]] bool gone() const;
  [[nodiscard]] bool quiet() const;
  Result<void> write_journal();
  [[nodiscard]] AuditEvent event(const char* name, std::optional<Caller> caller) const;
  void record(AuditEvent event, const std::string& why_not = {});
  void record_end();
  void drop_groups();
  void clean_up();
  void tell(KeeperMessageType type, std::int64_t value = 0, std::string_view text = {}) const {
    if (control_.valid()) tell_api(control_.get(), type, value, text);
  }
  std::string describe();

  const Site& site_;
  RunRequest request_;
  std::optional<PeerIdentity> owner_;
  UniqueFd control_;
  Policy policy_;
  LimitSet granted_;
  RunResult about_;  // what every result says of the sandbox
  IdClaim ids_;
  bool claimed_ = false;
  Inputs inputs_;
  std::optional<Runner> runner_;  // of the image
  SandboxPlan plan_;
  std::vector<std::string> inputs_degradations_;  // before anything is launched
  SandboxReport report_;
  std::optional<Sandbox> sandbox_;
  std::unique_ptr<LaunchChannel> channel_;
  std::optional<SandboxWatch> watch_;
  std::optional<CommandHome> home_;
  std::list<LiveCommand> commands_;
  std::list<FileCommand> files_;
  std::list<std::shared_ptr<ShellSession>> sessions_;
  std::vector<CommandGroup> leftovers_;  // of commands and sessions that ended
  std::uint32_t next_command_ = 1;
  std::size_t running_ = 0;
  bool journal_is_old_ = true;
  std::int64_t look_for_memory_at_ = kNever;
  std::int64_t look_for_memory_until_ = kNever;
  std::int64_t stop_deadline_ = kNever;
  std::int64_t give_up_deadline_ = kNever;
  bool stopping_ = false;  // no new command
  bool resetting_ = false;
  bool ending_ = false;
  std::string why_ended_;
  std::optional<Caller> asked_by_;  // the reset that goes on, or the end
};

}  // namespace sbx
