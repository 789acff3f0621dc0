#include <fcntl.h>
#include <unistd.h>

#include "os/file.h"
#include "outcome/run_result.h"
#include "resource/cgroup.h"
#include "resource/id_pool.h"
#include "run/run_one.h"

namespace sbx {
namespace {

constexpr std::string_view kSweeping = "sweeping what killed runs left";

// The run's supervisor may have been killed between its record and the end of its journal.
bool is_recorded(const std::string& log, const std::string& record) {
  constexpr off_t kTail = 1 << 20;
  constexpr std::string_view kKey = "\"run_id\":\"";
  const std::size_t at = record.find(kKey);
  if (at == std::string::npos) return false;
  const std::string id = record.substr(at, kKey.size() + 36);
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

Result<void> recover(const Settings& settings, const Orphan& orphan) {
  TRY(remove_cgroup_directories(orphan.journal.cgroups));
  // A journal that was cut short or spoiled has no record worth a line.
  const std::string& record = orphan.journal.record;
  MonitorLogOptions log = settings.log;
  if (!orphan.journal.log.empty()) log.path = orphan.journal.log;  // the killed run's own
  if (is_result_json(record) && !is_recorded(log.path, record)) TRY(append_to_monitor_log(log, record));
  return orphan.claim.clear_journal();
}

}  // namespace

Result<unsigned> sweep_orphans(const Settings& settings) {
  unsigned swept = 0;
  Result<void> first;
  for (const Orphan& orphan : TRY_DOING(kSweeping, find_orphans(settings.run_dir, settings.ids))) {
    Result<void> recovered = recover(settings, orphan);
    if (recovered) ++swept;
    if (!recovered && first) first = std::move(recovered);  // the others are swept all the same
  }
  TRY_DOING(kSweeping, std::move(first));
  return swept;
}

}  // namespace sbx
