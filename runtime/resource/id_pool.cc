#include "resource/id_pool.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <optional>

#include "os/file.h"
#include "plan/sandbox_plan.h"

namespace sbx {
namespace {

constexpr std::string_view kCgroup = "cgroup ";
constexpr std::string_view kRecord = "record ";
constexpr std::string_view kLog = "log ";

Result<UniqueFd> open_directory(const std::string& path) {
  if (auto opened = os::open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY); opened) return opened;
  TRY(os::make_directories(path, 0700));
  return os::open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
}

// Is something left of the sandbox with this journal? A journal that is gone keeps nothing.
bool has_leftovers(const std::string& journal) {
  struct stat status {};
  if (stat(journal.c_str(), &status) == 0) return status.st_size != 0;
  return errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG;
}

// The machine's lock of a range, which from now on names `journal`. Empty: taken, or another run directory
// has to sweep it first.
Result<std::optional<UniqueFd>> lock_range(int claims, std::uint32_t first_id, const std::string& journal) {
  const std::string name = std::to_string(first_id / kIdsPerSandbox);
  std::optional<UniqueFd> range = TRY(os::lock_file(claims, name, false));
  if (!range) return range;
  const std::string last = TRY(os::read_all(range->get(), name));
  if (last == journal) return range;
  if (!last.empty() && has_leftovers(last)) return std::optional<UniqueFd>{};
  if (ftruncate(range->get(), 0) != 0) return fail(system_error("ftruncate", name, errno));
  if (lseek(range->get(), 0, SEEK_SET) != 0) return fail(system_error("lseek", name, errno));
  TRY(os::write_all(range->get(), journal, name));
  return range;
}

}  // namespace

std::string journal_text(const Journal& journal) {
  std::string text;
  for (const std::string& directory : journal.cgroups) text += std::string(kCgroup) + directory + "\n";
  if (!journal.log.empty()) text += std::string(kLog) + journal.log + "\n";
  for (const std::string& record : journal.records) text += std::string(kRecord) + record + "\n";
  return text;
}

// A journal cut short by a kill -9 in the middle of its write keeps its whole lines.
Journal parse_journal(std::string_view text) {
  Journal journal;
  for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line.starts_with(kCgroup)) journal.cgroups.emplace_back(line.substr(kCgroup.size()));
    if (line.starts_with(kLog)) journal.log = line.substr(kLog.size());
    if (line.starts_with(kRecord)) journal.records.emplace_back(line.substr(kRecord.size()));
  }
  return journal;
}

Result<void> IdClaim::write_journal(const Journal& journal) const {
  const std::string text = journal_text(journal);
  if (ftruncate(lock_.get(), 0) != 0) return fail(system_error("ftruncate", path_, errno));
  const ssize_t written = pwrite(lock_.get(), text.data(), text.size(), 0);
  if (written < 0) return fail(system_error("writing the journal", path_, errno));
  if (static_cast<std::size_t>(written) != text.size())
    return fail(system_error("writing the journal", path_, ENOSPC));
  return {};
}

Result<void> IdClaim::clear_journal() const {
  if (ftruncate(lock_.get(), 0) != 0) return fail(system_error("ftruncate", path_, errno));
  return {};
}

Result<IdClaim> claim_ids(const std::string& run_dir, const IdPool& pool, const std::string& machine_claims) {
  const std::string doing = "claiming ids in '" + machine_claims + "'";
  const UniqueFd claims = TRY_DOING(doing, open_directory(machine_claims));
  (void)TRY(open_directory(run_dir + "/ids"));
  for (std::uint32_t slot = 1; slot < pool.ranges; ++slot) {
    const std::string path = run_dir + "/ids/" + std::to_string(slot);
    const std::uint32_t first_id = pool.first + slot * kIdsPerSandbox;
    std::optional<UniqueFd> range = TRY_DOING(doing, lock_range(claims.get(), first_id, path));
    if (!range) continue;
    std::optional<UniqueFd> lock = TRY(os::lock_file(AT_FDCWD, path, false));
    if (!lock) continue;
    const struct stat status = TRY(os::stat_fd(lock->get(), "an id claim"));
    if (status.st_size != 0) continue;  // an orphan that could not be recovered yet
    return IdClaim(first_id, path, std::move(*lock), *std::move(range));
  }
  return fail("no id range is free: all " + std::to_string(pool.ranges - 1) +
              " of the pool are in use on this machine (id_pool.ranges sets how many there are)");
}

Result<std::vector<Orphan>> find_orphans(const std::string& run_dir, const IdPool& pool) {
  const UniqueFd directory = TRY(open_directory(run_dir + "/ids"));
  std::vector<Orphan> orphans;
  for (const std::string& name : TRY(os::list_directory(directory.get(), "."))) {
    std::uint32_t slot = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), slot);
    if (error != std::errc{} || *end != '\0' || slot == 0) continue;
    // Also above pool.ranges: it may have been larger.
    struct stat status {};
    if (fstatat(directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 || status.st_size == 0)
      continue;
    std::optional<UniqueFd> lock = TRY(os::lock_file(directory.get(), name, false));
    if (!lock) continue;  // alive
    const auto text = os::read_all(lock->get(), name);
    if (!text) continue;          // it stays claimed by nobody and is tried again
    if (text->empty()) continue;  // it ended by itself since we saw that it has a journal
    orphans.push_back(
        {IdClaim(pool.first + slot * kIdsPerSandbox, run_dir + "/ids/" + name, std::move(*lock)),
         parse_journal(*text)});
  }
  return orphans;
}

}  // namespace sbx
