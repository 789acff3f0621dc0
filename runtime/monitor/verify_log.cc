#include "monitor/verify_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <nlohmann/json.hpp>

#include "os/file.h"

namespace sbx {
namespace {

struct LogPart {
  std::string path;
  UniqueFd fd;
  std::uint64_t size = 0;
};

struct WholeLog {
  std::vector<LogPart> parts;  // the oldest first
  LogHead noted;
};

Result<std::optional<LogPart>> open_part(const std::string& path) {
  auto fd = os::open_at(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (!fd && fd.error().error_number == ENOENT) return std::optional<LogPart>();
  if (!fd) return fail(std::move(fd).error());
  const struct stat status = TRY(os::stat_fd(fd->get(), path));
  if (!S_ISREG(status.st_mode)) return fail("'" + path + "' is not a regular file");
  return std::optional(LogPart{path, std::move(*fd), static_cast<std::uint64_t>(status.st_size)});
}

// All of it as it is at one moment: nobody appends or rotates meanwhile.
Result<WholeLog> open_all(const std::string& path) {
  constexpr unsigned kMostParts = 10'000;
  WholeLog log;
  auto lock = os::lock_file(AT_FDCWD, path + ".lock", true);
  if (!lock) return fail(std::move(lock).error());
  std::array<char, 512> text{};
  if (const ssize_t size = pread((*lock)->get(), text.data(), text.size(), 0); size > 0)
    log.noted = decode_log_head({text.data(), static_cast<std::size_t>(size)});
  for (unsigned i = 0; i < kMostParts; ++i) {
    auto part = TRY(open_part(i == 0 ? path : path + "." + std::to_string(i)));
    if (part) log.parts.push_back(std::move(*part));
    if (!part && i > 0) break;
  }
  std::ranges::reverse(log.parts);
  return log;
}

// Calls `each` with every line, the last one also where it has no end.
Result<void> read_lines(const LogPart& part, const std::function<void(std::string_view)>& each) {
  constexpr std::size_t kBlock = 1U << 20U;
  std::string text;
  std::uint64_t read_so_far = 0;
  std::string block(kBlock, '\0');
  while (read_so_far < part.size) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(kBlock, part.size - read_so_far));
    const ssize_t size = pread(part.fd.get(), block.data(), wanted, static_cast<off_t>(read_so_far));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return fail(system_error("read", part.path, size < 0 ? errno : EIO));
    read_so_far += static_cast<std::uint64_t>(size);
    text.append(block, 0, static_cast<std::size_t>(size));
    std::size_t from = 0;
    for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', from)) {
      each(std::string_view(text).substr(from, end - from));
      from = end + 1;
    }
    text.erase(0, from);
  }
  if (!text.empty()) each(text);
  return {};
}

std::string numbers(std::uint64_t from, std::uint64_t to) {
  if (from == to) return "line " + std::to_string(from) + " of the chain is";
  return "lines " + std::to_string(from) + " to " + std::to_string(to) + " of the chain are";
}

class Verifier {
 public:
  explicit Verifier(const std::optional<LogPin>& pin) : pin_(pin) {}

  void begin(const std::string& file) {
    file_ = file;
    line_ = 0;
  }

  void take(std::string_view line) {
    ++line_;
    const auto link = link_of(line);
    if (!link) return take_unlinked(line);
    const std::string hash = hash_of_line(line);
    if (log_.lines == 0) {
      begin_chain(*link);
    } else {
      follow(*link);
    }
    ++log_.lines;
    log_.head.seq = link->seq;
    log_.head.hash = hash;
    if (pin_ && pin_->seq == link->seq) {
      pinned_ = true;
      if (pin_->hash != hash) problem("it is not the line that --head tells");
    }
  }

  VerifiedLog finish(const LogHead& noted) {
    line_ = 0;
    log_.lost = noted.lost;
    if (noted.seq > log_.head.seq) {
      problem(numbers(log_.head.seq + 1, noted.seq) + " missing at the end");
    } else if (!noted.hash.empty() && noted.seq == log_.head.seq && noted.hash != log_.head.hash) {
      problem("its last line was changed");
    }
    if (pin_ && !pinned_ && (log_.first_seq == 0 || pin_->seq >= log_.first_seq))
      problem("line " + std::to_string(pin_->seq) + " of the chain, which --head tells, is missing");
    return std::move(log_);
  }

 private:
  void take_unlinked(std::string_view line) {
    if (log_.lines == 0) {
      before_ = hash_of_line(line);
      ++log_.unlinked;
    } else if (nlohmann::json::accept(line)) {
      problem("it is no line of the chain: somebody else wrote it");
    } else {
      ++log_.torn;
    }
  }

  void begin_chain(const LogLink& link) {
    log_.first_seq = link.seq;
    if (link.seq > 1) return;  // what was before was rotated away, and its hash cannot be held against it
    if (link.prev != (before_.empty() ? kNoLine : before_)) problem("what was before it was changed");
  }

  void follow(const LogLink& link) {
    const LogHead& above = log_.head;
    if (link.prev == above.hash && link.seq == above.seq + 1) return;
    if (link.seq > above.seq + 1) return problem(numbers(above.seq + 1, link.seq - 1) + " missing before it");
    if (link.seq == above.seq + 1)
      return problem("it, or line " + std::to_string(above.seq) + " of the chain above it, was changed");
    problem("it is line " + std::to_string(link.seq) + " of the chain, and comes after line " +
            std::to_string(above.seq) + ": it was moved or copied");
  }

  void problem(std::string text) {
    ++log_.problem_count;
    if (log_.problems.size() < kMostProblems) log_.problems.push_back({file_, line_, std::move(text)});
  }

  const std::optional<LogPin>& pin_;
  VerifiedLog log_;
  std::string before_;  // hash of the last line before the chain
  std::string file_;
  std::uint64_t line_ = 0;
  bool pinned_ = false;
};

}  // namespace

Result<VerifiedLog> verify_log(const std::string& path, const std::optional<LogPin>& pin) {
  const WholeLog log = TRY(open_all(path));
  Verifier verifier(pin);
  for (const LogPart& part : log.parts) {
    verifier.begin(part.path);
    TRY(read_lines(part, [&](std::string_view line) { verifier.take(line); }));
  }
  return verifier.finish(log.noted);
}

}  // namespace sbx
