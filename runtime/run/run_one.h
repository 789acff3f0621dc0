// One run, from its request to its record: request → policy → plan → launch → supervise → outcome → monitor.
// A stage that fails is still an outcome and a record.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "launch/exec_payload.h"
#include "launch/launch_channel.h"
#include "os/file_rights.h"
#include "outcome/run_result.h"
#include "policy/policy.h"
#include "request/run_request.h"
#include "resource/cgroup.h"
#include "run/settings.h"

namespace sbx {

struct RunContext {
  const Settings& settings;
  const Policy& policy;
  const Result<void>& image_there;  // as far as it was to be built first (run/build_missing.h)
  const Result<void>& places;       // state and run directory are ours alone
  const Result<CgroupLayout>& cgroups;
  const Result<std::unique_ptr<SandboxStarter>>& starter;
  bool last_launch = false;  // the starter is not used again after this run
  int client = -1;           // sbxrun's socket
  Caller caller;
  std::string mode = "direct";
  CpuMask cpus{};  // those that the program may use
  // Called with the limit of memory that it gets; missing: nobody wants to know.
  std::function<void(std::uint64_t bytes)> note_memory;
  std::optional<os::FileRights> bind_rights{};  // whose rights count for binds; missing: root's
};

struct RunReport {
  RunResult result;
  std::string json;    // of the result, with captured output
  std::string notice;  // what could not be done for the record; empty: nothing
};

// Runs the request. `passed` are the stream descriptors that came with it.
RunReport run_one(const RunContext& context, const RunRequest& request, std::vector<UniqueFd> passed);

struct Sweep {
  std::vector<std::string> removed;  // of each killed run: its id, and what of it there was
  std::string failure;               // the first; empty: none
  // For a person; empty: there was nothing.
  [[nodiscard]] std::string done() const;
};

// Only in a run directory that is ours alone: a journal says what root kills and logs.
// Finds what killed supervisors left behind, removes it and writes its record. Errors are told, not fatal.
Sweep sweep_orphans(const Settings& settings);

// What a run would be, in the form that the request's action asks for. Runs, makes and changes nothing; an
// error is the one that a run would end with.
Result<std::string> describe_run(const Settings& settings, const Policy& policy, RunRequest request,
                                 const std::optional<os::FileRights>& bind_rights = {});

}  // namespace sbx
