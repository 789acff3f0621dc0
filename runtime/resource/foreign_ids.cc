#include "resource/foreign_ids.h"

#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "os/file.h"
#include "plan/sandbox_plan.h"
#include "resource/host_needs.h"

namespace sbx {
namespace {

constexpr std::size_t kMaxFileBytes = 256U << 20U;

std::uint64_t end_of(const IdPool& pool) { return pool.first + std::uint64_t{pool.ranges} * kIdsPerSandbox; }

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [after, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || after != end) return {};
  return value;
}

// The fields of "a:b:c" lines.
template <class F>
void for_each_entry(std::string_view text, F use) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::vector<std::string_view> fields;
    for (std::string_view line = text.substr(0, end); !line.empty() || !fields.empty();) {
      const std::size_t colon = line.find(':');
      fields.push_back(line.substr(0, colon));
      if (colon == std::string_view::npos) break;
      line.remove_prefix(colon + 1);
    }
    if (!fields.empty() && !fields[0].starts_with('#')) use(fields);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

std::vector<IdRange> parse_account_ids(std::string_view file, std::string_view text) {
  std::vector<IdRange> ranges;
  for_each_entry(text, [&](const std::vector<std::string_view>& fields) {
    const auto id = fields.size() > 2 ? number_in(fields[2]) : std::nullopt;
    if (id) ranges.push_back({std::string(file) + ": " + std::string(fields[0]), *id, 1});
  });
  return ranges;
}

std::vector<IdRange> parse_subordinate_ids(std::string_view file, std::string_view text) {
  std::vector<IdRange> ranges;
  for_each_entry(text, [&](const std::vector<std::string_view>& fields) {
    const auto first = fields.size() > 2 ? number_in(fields[1]) : std::nullopt;
    const auto count = fields.size() > 2 ? number_in(fields[2]) : std::nullopt;
    if (first && count) ranges.push_back({std::string(file) + ": " + std::string(fields[0]), *first, *count});
  });
  return ranges;
}

Result<std::vector<IdRange>> foreign_ids() {
  std::vector<IdRange> all;
  const auto add = [&all](const char* file, auto parse) -> Result<void> {
    const std::optional<UniqueFd> fd = TRY(os::open_if_exists(AT_FDCWD, file, O_RDONLY));
    if (!fd) return {};
    const std::string text = TRY(os::read_all(fd->get(), file, kMaxFileBytes));
    const std::vector<IdRange> ranges = parse(file, text);
    all.insert(all.end(), ranges.begin(), ranges.end());
    return {};
  };
  TRY(add("/etc/passwd", parse_account_ids));
  TRY(add("/etc/group", parse_account_ids));
  TRY(add("/etc/subuid", parse_subordinate_ids));
  TRY(add("/etc/subgid", parse_subordinate_ids));
  // DynamicUser= and systemd-nspawn (systemd's UIDS-GIDS document), whether or not systemd runs today.
  all.push_back({"systemd's dynamic users", 61184, 65519 - 61184 + 1});
  all.push_back({"systemd's containers", 524'288, 1'879'048'191 - 524'288 + 1});
  return all;
}

std::vector<std::string> pool_overlaps(const IdPool& pool, const std::vector<IdRange>& others) {
  const std::uint64_t first = pool.first;
  std::vector<std::string> owners;
  for (const IdRange& range : others) {
    const std::uint64_t skipped = first > range.first ? first - range.first : 0;
    if (range.first >= end_of(pool) || range.count <= skipped) continue;
    if (std::ranges::find(owners, range.owner) == owners.end()) owners.push_back(range.owner);
  }
  return owners;
}

std::string pool_text(const IdPool& pool) {
  return std::to_string(pool.first) + " to " + std::to_string(end_of(pool) - 1);
}

Result<void> check_id_pool(const IdPool& pool) {
  const std::vector<IdRange> others = TRY_DOING("checking whose ids the id pool has", foreign_ids());
  const std::vector<std::string> owners = pool_overlaps(pool, others);
  if (owners.empty()) return {};
  std::string text = "the id pool, " + pool_text(pool) + ", overlaps with ";
  for (const std::string& owner : owners) text += (&owner == &owners.front() ? "" : ", ") + owner;
  return fail(with_need(Error{std::move(text)}, HostNeed::id_pool));
}

}  // namespace sbx
