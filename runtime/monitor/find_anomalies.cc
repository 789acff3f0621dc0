#include "monitor/find_anomalies.h"

#include "monitor/read_log.h"
#include "os/file.h"

namespace sbx {

Result<Anomalies> find_anomalies(const std::string& path, std::int64_t since_ms, std::int64_t now_ms) {
  const WholeLog log = TRY(open_log(path));
  Anomalies anomalies;
  for (const LogPart& part : log.parts) {
    const struct stat status = TRY(os::stat_fd(part.fd.get(), part.path));
    if (status.st_mtim.tv_sec < since_ms / 1'000) continue;
    TRY(read_lines(part, 0, [&](const LogLine& line) -> Result<void> {
      if (const auto run = run_in_line(line.text)) {
        anomalies.observe(*run);
      } else if (const auto event = event_in_line(line.text)) {
        anomalies.observe(*event);
      }
      return {};
    }));
  }
  anomalies.pass(now_ms);
  return anomalies;
}

}  // namespace sbx
