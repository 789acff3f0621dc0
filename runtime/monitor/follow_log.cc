#include "monitor/follow_log.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/times.h"
#include "monitor/read_log.h"
#include "os/file.h"

namespace sbx {
namespace {

// What is in memory at once.
constexpr std::size_t kMostRuns = 1'000;

class Follower {
 public:
  Follower(RunStore& store, LogPlace noted) : store_(store), place_(noted), noted_(noted) {}

  Result<void> read(const LogPart& part, std::uint64_t from) {
    place_ = {part.inode, from};
    return read_lines(part, from, [&](const LogLine& line) { return take(line); });
  }

  Result<std::uint64_t> finish() {
    TRY(put());
    return lines_;
  }

 private:
  Result<void> take(const LogLine& line) {
    if (!line.ended) return {};  // it may be written still
    ++lines_;
    place_.offset = line.next;
    if (auto run = run_in_line(line.text)) runs_.push_back(std::move(*run));
    return runs_.size() < kMostRuns ? Result<void>() : put();
  }

  Result<void> put() {
    if (place_ == noted_) return {};
    TRY(store_.add(runs_, noted_, place_));
    runs_.clear();
    noted_ = place_;
    return {};
  }

  RunStore& store_;
  LogPlace place_;
  LogPlace noted_;
  std::vector<RunEntry> runs_;
  std::uint64_t lines_ = 0;
};

// An inode may have been given to another file since: that one is shorter, or what ends there is no line.
Result<bool> is_place_in(const LogPart& part, const LogPlace& place) {
  if (part.inode != place.inode || place.offset > part.size) return false;
  if (place.offset == 0) return true;
  char before = '\0';
  if (pread(part.fd.get(), &before, 1, static_cast<off_t>(place.offset - 1)) != 1)
    return fail(system_error("read", part.path, errno));
  return before == '\n';
}

}  // namespace

Result<std::uint64_t> follow_log(const std::string& path, RunStore& store) {
  const LogPlace noted = TRY(store.place());
  const WholeLog log = TRY(open_log(path));
  auto part = log.parts.begin();
  std::uint64_t from = 0;
  for (auto each = log.parts.begin(); each != log.parts.end(); ++each) {
    const bool there = TRY(is_place_in(*each, noted));
    if (!there) continue;
    part = each;
    from = noted.offset;
  }
  Follower follower(store, noted);
  for (; part != log.parts.end(); ++part) TRY(follower.read(*part, std::exchange(from, 0)));
  return follower.finish();
}

Result<RunStore> open_followed(const std::string& state_dir, const std::string& log_path,
                               const RunLimits& limits, std::string& told) {
  const std::string directory = state_dir + "/monitor";
  const std::string path = directory + "/runs.db";
  TRY(os::make_directories(directory, 0700));
  const auto bring = [&]() -> Result<RunStore> {
    RunStore store = TRY(RunStore::open(path));
    (void)TRY(follow_log(log_path, store));
    TRY(store.forget(limits, utc_ms()));
    return store;
  };
  auto store = bring();
  if (store || store.error().error_number != EUCLEAN) return store;
  told = store.error().text + "; it is kept as '" + path + ".broken', and made anew from the log";
  for (const char* file : {"", "-wal", "-shm"})
    (void)rename((path + file).c_str(), (path + ".broken" + file).c_str());
  return bring();
}

}  // namespace sbx
