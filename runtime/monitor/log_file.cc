// spdlog carries the record; the sink is ours. spdlog's own rotating sink keeps its file open and its size in
// memory: with several writers it renames the file away under the others and loses lines.
#ifndef FMT_HEADER_ONLY
#define FMT_HEADER_ONLY  // Debian's fmt and spdlog have no static library
#endif

#include "monitor/log_file.h"

#include <spdlog/details/null_mutex.h>
#include <spdlog/formatter.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <thread>

#include "base/times.h"
#include "monitor/chain.h"
#include "monitor/syslog.h"
#include "os/file.h"

namespace sbx {
namespace {

using namespace std::chrono_literals;

// A writer holds the lock for well under a millisecond. One that was stopped while it held it must not stop
// the runs of everybody else.
constexpr auto kLockTimeout = 5s;
constexpr auto kLongestPause = 5ms;

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
}

// The lock is a file of its own: the log itself is renamed away by a rotation.
Result<UniqueFd> lock_log(const std::string& path) {
  const std::string lock_path = path + ".lock";
  const auto deadline = std::chrono::steady_clock::now() + kLockTimeout;
  std::chrono::microseconds pause = 50us;
  while (true) {
    Result<std::optional<UniqueFd>> lock = os::lock_file(AT_FDCWD, lock_path, false);
    if (!lock && lock.error().error_number == ENOENT) {
      TRY(os::make_directories(directory_of(path), 0700));
      lock = os::lock_file(AT_FDCWD, lock_path, false);
    }
    if (!lock) return fail(std::move(lock).error());
    if (*lock) return std::move(**lock);
    if (std::chrono::steady_clock::now() > deadline) {
      return fail("'" + lock_path + "' has been locked by another process for 5 s");
    }
    std::this_thread::sleep_for(pause);
    pause = std::min<std::chrono::microseconds>(pause * 2, kLongestPause);
  }
}

struct OpenLog {
  UniqueFd fd;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  bool torn = false;  // the last line has no end
};

Result<OpenLog> open_log(const std::string& path) {
  OpenLog log;
  // O_NONBLOCK: a FIFO in the place of the log must be refused, not waited for.
  log.fd = TRY(
      os::open_at(AT_FDCWD, path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600));
  const struct stat status = TRY(os::stat_fd(log.fd.get(), path));
  if (!S_ISREG(status.st_mode)) return fail("'" + path + "' is not a regular file");
  log.inode = status.st_ino;
  log.size = static_cast<std::uint64_t>(status.st_size);
  if (log.size > 0) {
    char last = 0;
    if (pread(log.fd.get(), &last, 1, status.st_size - 1) != 1)
      return fail(system_error("read", path, errno));
    log.torn = last != '\n';
  }
  return log;
}

// --- the head of the chain -----------------------------------------------------------------------------

LogHead read_head(int lock) {
  std::array<char, 512> text{};
  const ssize_t size = pread(lock, text.data(), text.size(), 0);
  return size <= 0 ? LogHead{} : decode_log_head({text.data(), static_cast<std::size_t>(size)});
}

// One that could not be written is found again in the log itself.
void write_head(int lock, const LogHead& head) {
  const std::string text = encode_log_head(head);
  (void)!pwrite(lock, text.data(), text.size(), 0);
}

// The end of the file, as many whole lines as are in it; at most kMostLine of it.
Result<std::string> read_end(const OpenLog& log, const std::string& path) {
  constexpr std::uint64_t kMostLine = 16U << 20U;
  std::string text;
  for (std::uint64_t wanted = 65'536;; wanted *= 4) {
    wanted = std::min({wanted, log.size, kMostLine});
    text.resize(wanted);
    const ssize_t size = pread(log.fd.get(), text.data(), wanted, static_cast<off_t>(log.size - wanted));
    if (size != static_cast<ssize_t>(wanted)) return fail(system_error("read", path, size < 0 ? errno : EIO));
    const bool whole = wanted == log.size || wanted == kMostLine;
    // Also the line above the last one, should that be torn.
    if (whole || std::ranges::count(text, '\n') > 2) return text;
  }
}

// What the file itself says: for a head that was not written, or of another file. A line that was torn is no
// part of the chain; of a log from before there was one the last line is.
Result<LogHead> head_in(const OpenLog& log, const std::string& path) {
  LogHead head;
  if (log.size == 0) return head;
  const std::string text = TRY(read_end(log, path));
  std::string_view rest = text;
  if (rest.ends_with('\n')) rest.remove_suffix(1);
  std::string last;
  while (true) {
    const std::size_t above = rest.find_last_of('\n');
    const std::string_view line = above == std::string_view::npos ? rest : rest.substr(above + 1);
    if (const auto link = link_of(line)) return LogHead{.seq = link->seq, .hash = hash_of_line(line)};
    if (last.empty()) last = hash_of_line(line);
    if (above == std::string_view::npos) return LogHead{.hash = last};
    rest = rest.substr(0, above);
  }
}

// Where what was noted goes further than the file does, lines are missing in that: the chain does not close
// over them.
Result<LogHead> find_head(int lock, const OpenLog& log, const std::string& path) {
  LogHead noted = read_head(lock);
  if (noted.inode == log.inode && noted.size == log.size && !log.torn) return noted;
  LogHead found = TRY(head_in(log, path));
  if (!noted.hash.empty() && (found.hash.empty() || noted.seq >= found.seq)) return noted;
  found.lost = noted.lost;
  found.error_number = noted.error_number;
  found.lost_since_ms = noted.lost_since_ms;
  return found;
}

// Oldest first, the log itself last: a crash in between leaves a gap in the numbers, never a lost new line.
Result<void> rotate(const std::string& path, unsigned keep) {
  if (keep == 0) {
    if (unlink(path.c_str()) != 0) return fail(system_error("unlink", path, errno));
    return {};
  }
  for (unsigned i = keep; i-- > 0;) {
    const std::string from = i == 0 ? path : path + "." + std::to_string(i);
    const std::string to = path + "." + std::to_string(i + 1);
    if (rename(from.c_str(), to.c_str()) != 0 && errno != ENOENT)
      return fail(system_error("rename", from, errno));
  }
  return {};
}

// Puts one line after another into `bytes`.
Result<void> add_line(std::string_view record, LogHead& head, std::string& bytes) {
  const std::string line = TRY(with_link(record, {head.seq + 1, head.hash.empty() ? kNoLine : head.hash}));
  head.seq += 1;
  head.hash = hash_of_line(line);
  bytes += line + "\n";
  return {};
}

std::string lost_record(const LogHead& head) {
  return R"({"event":"log.lost","time":")" + rfc3339(utc_ms()) + R"(","since":")" +
         rfc3339(head.lost_since_ms) + R"(","lines":)" + std::to_string(head.lost) + R"(,"why":")" +
         errno_name(head.error_number) + "\"}";
}

Result<void> write_lines(const OpenLog& log, const std::string& bytes, const std::string& path) {
  // One write(2), unless the disk is full: then the rest is tried once more for the reason, and taken back.
  Result<void> written = os::write_all(log.fd.get(), bytes, path);
  if (!written && ftruncate(log.fd.get(), static_cast<off_t>(log.size)) != 0)
    return fail(std::move(written).error().while_doing("a torn line is left"));
  return written;
}

// The lines that were.
Result<std::string> append_record(const MonitorLogOptions& options, int lock, std::string_view record) {
  OpenLog log = TRY(open_log(options.path));
  LogHead head = TRY(find_head(lock, log, options.path));
  std::string bytes;
  if (head.lost > 0) TRY(add_line(lost_record(head), head, bytes));
  TRY(add_line(record, head, bytes));
  const std::string end_of_torn = log.torn ? "\n" : "";
  if (options.rotate_bytes > 0 && log.size > 0 && log.size + bytes.size() > options.rotate_bytes) {
    // Only for those who read the rotated files one after the other; on a full disk they see one torn line.
    (void)os::write_all(log.fd.get(), end_of_torn, options.path);
    TRY_DOING("rotating '" + options.path + "'", rotate(options.path, options.keep));
    log = TRY(open_log(options.path));
  } else {
    bytes.insert(0, end_of_torn);
  }
  TRY(write_lines(log, bytes, options.path));
  head.inode = log.inode;
  head.size = log.size + bytes.size();
  head.lost = 0;
  write_head(lock, head);
  return bytes.substr(bytes.starts_with('\n') ? 1 : 0);
}

Result<std::string> append_locked(const MonitorLogOptions& options, std::string_view record) {
  const UniqueFd lock = TRY(lock_log(options.path));
  Result<std::string> appended = append_record(options, lock.get(), record);
  if (appended) return appended;
  LogHead head = read_head(lock.get());
  if (head.lost++ == 0) head.lost_since_ms = utc_ms();
  head.error_number = appended.error().error_number;
  write_head(lock.get(), head);
  return appended;
}

// Also what could not be written here.
void tell_host(const std::string& socket, std::string_view lines) {
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    send_to_syslog(socket, lines.substr(0, end));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
}

// The record is a finished line of JSON already; spdlog's pattern formatter would only cost its set-up.
class LineFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    out.append(message.payload.begin(), message.payload.end());
  }
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LineFormatter>();
  }
};

// One process writes one record: the lock that counts is the flock.
class LockedFileSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit LockedFileSink(const MonitorLogOptions& options)
      : base_sink(std::make_unique<LineFormatter>()), options_(options) {}
  [[nodiscard]] Result<void> take_result() { return std::move(result_); }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t record;
    formatter_->format(message, record);
    const std::string_view text(record.data(), record.size());
    Result<std::string> lines = append_locked(options_, text);
    if (!options_.syslog.empty()) tell_host(options_.syslog, lines ? std::string_view(*lines) : text);
    result_ = lines ? Result<void>() : fail(std::move(lines).error());
  }
  void flush_() override {}

 private:
  const MonitorLogOptions& options_;
  Result<void> result_ = fail("the line did not reach the log");
};

}  // namespace

Result<void> append_to_monitor_log(const MonitorLogOptions& options, std::string_view record) {
  TRY(with_link(record, {1, kNoLine}));
  if (options.path == "/dev/null") {  // the way to have none; its lock would be a file in /dev
    if (!options.syslog.empty()) send_to_syslog(options.syslog, record);
    return {};
  }
  try {
    const auto sink = std::make_shared<LockedFileSink>(options);
    spdlog::logger logger("monitor", sink);
    std::string failure;
    logger.set_error_handler([&failure](const std::string& text) { failure = text; });
    logger.log(spdlog::level::info, spdlog::string_view_t(record.data(), record.size()));
    if (!failure.empty()) return fail("monitor log: " + failure);
    Result<void> result = sink->take_result();
    if (!result) return fail(std::move(result).error().while_doing("monitor log"));
    return result;
  } catch (const std::exception& error) {
    return fail("monitor log: " + std::string(error.what()));
  }
}

}  // namespace sbx
