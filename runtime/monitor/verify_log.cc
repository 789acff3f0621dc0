#include "monitor/verify_log.h"

#include <nlohmann/json.hpp>

#include "monitor/read_log.h"

namespace sbx {
namespace {

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
  const WholeLog log = TRY(open_log(path));
  Verifier verifier(pin);
  for (const LogPart& part : log.parts) {
    verifier.begin(part.path);
    TRY(read_lines(part, 0, [&](const LogLine& line) -> Result<void> {
      verifier.take(line.text);
      return {};
    }));
  }
  return verifier.finish(log.noted);
}

}  // namespace sbx
