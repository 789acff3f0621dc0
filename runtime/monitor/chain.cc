#include "monitor/chain.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <sstream>

#include "base/hash.h"

namespace sbx {
namespace {

constexpr std::size_t kHashDigits = 64;
constexpr std::string_view kSeq = "\"seq\":";
constexpr std::string_view kPrev = ",\"prev\":\"";
constexpr std::string_view kEnd = "\"}";
constexpr const char* kHeadMark = "sbx-log-head-1";
constexpr int kHeadWidth = 256;

}  // namespace

const std::string kNoLine(kHashDigits, '0');

Result<std::string> with_link(std::string_view record, const LogLink& link) {
  if (!record.starts_with('{') || !record.ends_with('}') || record.find('\n') != std::string_view::npos)
    return fail("monitor log: the line is no object of JSON on one line");
  std::string line(record.substr(0, record.size() - 1));
  if (line.size() > 1) line += ',';
  line += kSeq;
  line += std::to_string(link.seq);
  line += kPrev;
  line += link.prev;
  line += kEnd;
  return line;
}

std::optional<LogLink> link_of(std::string_view line) {
  const std::size_t end = kPrev.size() + kHashDigits + kEnd.size();
  if (line.size() < end || !line.ends_with(kEnd)) return {};
  const std::string_view behind = line.substr(line.size() - end);
  const std::string_view hash = behind.substr(kPrev.size(), kHashDigits);
  if (!behind.starts_with(kPrev) || !is_sha256_hex(hash)) return {};
  std::string_view before = line.substr(0, line.size() - end);
  const std::size_t digits = before.find_last_not_of("0123456789") + 1;
  LogLink link{0, std::string(hash)};
  const auto [last, error] = std::from_chars(before.data() + digits, before.data() + before.size(), link.seq);
  if (error != std::errc() || last != before.data() + before.size() || link.seq == 0) return {};
  before = before.substr(0, digits);
  if (!before.ends_with(kSeq)) return {};
  before.remove_suffix(kSeq.size());
  if (!before.starts_with('{') || !(before.ends_with(',') || before == "{")) return {};
  return link;
}

std::string hash_of_line(std::string_view line) { return sha256_hex(line); }

std::string encode_log_head(const LogHead& head) {
  std::array<char, kHeadWidth + 1> text{};
  std::string fields = std::string(kHeadMark) + " " + std::to_string(head.seq) + " " +
                       (head.hash.empty() ? kNoLine : head.hash) + " " + std::to_string(head.inode) + " " +
                       std::to_string(head.size) + " " + std::to_string(head.lost) + " " +
                       std::to_string(head.error_number) + " " + std::to_string(head.lost_since_ms);
  (void)std::snprintf(text.data(), text.size(), "%-*s", kHeadWidth - 1, fields.c_str());
  std::string whole(text.data());
  whole += '\n';
  return whole;
}

LogHead decode_log_head(std::string_view text) {
  std::istringstream fields{std::string(text)};
  std::string mark;
  LogHead head;
  fields >> mark >> head.seq >> head.hash >> head.inode >> head.size >> head.lost >> head.error_number >>
      head.lost_since_ms;
  if (!fields || mark != kHeadMark || !is_sha256_hex(head.hash)) return {};
  if (head.hash == kNoLine) head.hash.clear();
  return head;
}

}  // namespace sbx
