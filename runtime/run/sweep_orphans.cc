#include <fcntl.h>
#include <unistd.h>

#include "monitor/audit_event.h"
#include "os/file.h"
#include "os/unfinished_files.h"
#include "outcome/run_result.h"
#include "resource/cgroup.h"
#include "resource/id_pool.h"
#include "resource/project_care.h"
#include "resource/projects.h"
#include "run/run_one.h"

namespace sbx {
namespace {

constexpr const char* kSweeping = "sweeping what killed runs left";

constexpr std::string_view kSwept = "swept what killed runs left: ";
constexpr std::string_view kKey = "\"run_id\":\"";
constexpr std::size_t kIdLength = 36;

// Empty where there is none.
std::string run_id_in(const std::string& record) {
  const std::size_t at = record.find(kKey);
  return at == std::string::npos ? "" : record.substr(at + kKey.size(), kIdLength);
}

// The run's supervisor may have been killed between its record and the end of its journal.
bool is_recorded(const std::string& log, const std::string& record) {
  constexpr off_t kTail = 1 << 20;
  if (run_id_in(record).empty()) return false;
  const std::string id = std::string(kKey) + run_id_in(record);
  for (const std::string& path : {log, log + ".1"}) {
    const auto fd = os::open_at(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW);
    if (!fd) continue;
    const off_t size = lseek(fd->get(), 0, SEEK_END);
    if (size < 0 || lseek(fd->get(), size > kTail ? size - kTail : 0, SEEK_SET) < 0) continue;
    const auto text = os::read_all(fd->get(), path, kTail * 2);
    if (text && text->find(id) != std::string::npos) return true;
  }
  return false;
}

std::string some(std::size_t count, const std::string& what) {
  if (count == 0) return "";
  return ", " + std::to_string(count) + " " + what + (count == 1 ? "" : what.ends_with('s') ? "es" : "s");
}

// What was removed.
Result<std::string> recover(const Settings& settings, const Orphan& orphan) {
  const RemovedCgroups removed = TRY(remove_cgroup_directories(orphan.journal.cgroups));
  const std::string what = "its ids" + some(removed.groups, "cgroup") + some(removed.processes, "process");
  MonitorLogOptions log = settings.log;
  if (!orphan.journal.log.empty()) log.path = orphan.journal.log;  // the killed run's own
  for (const std::string& record : orphan.journal.records) {
    // A journal that was cut short or spoiled has no record worth a line.
    if (!is_result_json(record) || is_recorded(log.path, record)) continue;
    TRY(append_to_monitor_log(
        log, with_more_in_message(with_time_now(record), "; the next start removed " + what)));
  }
  TRY(orphan.claim.clear_journal());
  return what;
}

// Of a cache that was being written: how many files.
Result<std::size_t> sweep_cache(const Settings& settings) {
  const auto cache = TRY(os::open_if_exists(AT_FDCWD, settings.cache_dir(), O_RDONLY | O_DIRECTORY));
  return cache ? TRY(os::remove_unfinished_files(cache->get())) : std::size_t{0};
}

// The others are swept all the same.
void say_failure(Sweep& sweep, Error error) {
  if (sweep.failure.empty()) sweep.failure = std::move(error).while_doing(kSweeping).text;
}

void sweep_files(const Settings& settings, Sweep& sweep) {
  const Result<bool> project = remove_half_made_project(settings.state_dir);
  if (!project) say_failure(sweep, project.error());
  if (project && *project) sweep.removed.emplace_back("a project that was being made");
  const Result<std::size_t> deleted = remove_deleted_projects(settings.state_dir);
  if (!deleted) say_failure(sweep, deleted.error());
  if (deleted && *deleted > 0)
    sweep.removed.push_back("the rest of " + std::to_string(*deleted) + " deleted project" +
                            (*deleted == 1 ? "" : "s"));
  const Result<std::size_t> files = sweep_cache(settings);
  if (!files) say_failure(sweep, files.error());
  if (files && *files > 0)
    sweep.removed.push_back(std::to_string(*files) + " unfinished file" + (*files == 1 ? "" : "s") +
                            " of the cache");
}

void record_sweep(const Settings& settings, Sweep& sweep) {
  if (sweep.removed.empty() && sweep.failure.empty()) return;
  AuditEvent event;
  event.event = "cleanup";
  event.failed = !sweep.failure.empty();
  event.message = sweep.done();
  if (event.failed) event.message += (event.message.empty() ? "" : "; ") + sweep.failure;
  if (const auto recorded = record_event(settings.log, event); !recorded)
    say_failure(sweep, recorded.error());
}

void sweep_runs(const Settings& settings, Sweep& sweep) {
  const auto orphans = find_orphans(settings.run_dir, settings.ids);
  if (!orphans) return say_failure(sweep, orphans.error());
  for (const Orphan& orphan : *orphans) {
    Result<std::string> removed = recover(settings, orphan);
    if (removed) {
      const auto& records = orphan.journal.records;
      const std::string id = records.empty() ? "" : run_id_in(records.front());
      sweep.removed.push_back((id.empty() ? "a run" : id) + " (" + *removed + ")");
    } else {
      say_failure(sweep, std::move(removed).error());
    }
  }
}

}  // namespace

std::string Sweep::done() const {
  std::string text;
  for (const std::string& one : removed) text += (text.empty() ? std::string(kSwept) : ", ") + one;
  return text;
}

Sweep sweep_orphans(const Settings& settings) {
  Sweep sweep;
  sweep_files(settings, sweep);
  sweep_runs(settings, sweep);
  record_sweep(settings, sweep);
  return sweep;
}

}  // namespace sbx
