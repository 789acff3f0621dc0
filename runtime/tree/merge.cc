#include "tree/merge.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>

#include "os/file.h"
#include "tree/copy.h"
#include "tree/entries.h"

namespace sbx::tree {
namespace {

struct Name {
  std::string directory;  // "." for the top
  std::string name;
};

Name split(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return {".", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

bool stays_directory(const Change& change) {
  return change.before && change.after && S_ISDIR(change.before->mode) && S_ISDIR(change.after->mode);
}

using ByPath = std::map<std::string, const Change*>;

ByPath by_path(const Changes& changes) {
  ByPath map;
  for (const Change& change : changes) map.emplace(change.path, &change);
  return map;
}

// Whether a directory that `others` have is no directory after `changes`, above `path`.
bool lost_its_place(const std::string& path, const ByPath& changes) {
  for (std::size_t end = path.find('/'); end != std::string::npos; end = path.find('/', end + 1)) {
    const auto above = changes.find(path.substr(0, end));
    if (above == changes.end()) continue;
    const std::optional<EntryState>& after = above->second->after;
    if (!after || !S_ISDIR(after->mode)) return true;
  }
  return false;
}

Result<bool> differ(const Change& ours, const Change& theirs,
                    const std::function<Result<bool>(const std::string&)>& same) {
  if (!ours.after || !theirs.after) return ours.after.has_value() != theirs.after.has_value();
  // Of a file both changed, one its permissions and the other its content: neither has what both want.
  if (ours.after->mode != theirs.after->mode) return true;
  if (S_ISDIR(ours.after->mode)) return false;
  return !TRY(same(ours.path));
}

Result<UniqueFd> open_below(int top, const std::string& directory) {
  return os::open_resolved(top, directory, O_RDONLY | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

Result<void> remove_entry(int directory, const std::string& name, bool is_directory) {
  if (unlinkat(directory, name.c_str(), is_directory ? AT_REMOVEDIR : 0) == 0) return {};
  return fail(system_error(is_directory ? "rmdir" : "unlink", name, errno));
}

Result<void> apply(const Change& change, int from, int target) {
  const Name place = split(change.path);
  Result<UniqueFd> opened = open_below(target, place.directory);
  if (!opened && !change.after && opened.error().error_number == ENOENT) return {};  // deleted there, too
  const UniqueFd directory = TRY(std::move(opened));
  const bool was_directory = change.before && S_ISDIR(change.before->mode);
  const bool replaced = change.before && !stays_directory(change);
  // The same may have been deleted on the other way already.
  if (replaced && TRY(stat_entry(directory.get(), place.name)))
    TRY(remove_entry(directory.get(), place.name, was_directory));
  if (!change.after) return {};
  const UniqueFd source = TRY(open_below(from, place.directory));
  if (!S_ISDIR(change.after->mode)) {
    if (!change.before && TRY(stat_entry(directory.get(), place.name))) return {};  // the same was added
    if (S_ISREG(change.after->mode)) TRY(remove_overlay_notes(source.get(), place.name));
    return copy_entry(source.get(), place.name, directory.get(), place.name, CopyKind::shared);
  }
  if (mkdirat(directory.get(), place.name.c_str(), 0700) != 0 && errno != EEXIST)
    return fail(system_error("mkdirat", place.name, errno));
  const UniqueFd made = TRY(open_directory(directory.get(), place.name));
  const UniqueFd model = TRY(open_directory(source.get(), place.name));
  return copy_attributes(model.get(), made.get());
}

}  // namespace

Result<std::vector<std::string>> find_conflicts(const Changes& ours, const Changes& theirs,
                                                const std::function<Result<bool>(const std::string&)>& same) {
  const ByPath our_paths = by_path(ours);
  const ByPath their_paths = by_path(theirs);
  std::set<std::string> conflicts;
  for (const Change& change : theirs) {
    const auto our = our_paths.find(change.path);
    if (our != our_paths.end() && TRY(differ(*our->second, change, same))) conflicts.insert(change.path);
    if (change.after && lost_its_place(change.path, our_paths)) conflicts.insert(change.path);
  }
  for (const Change& change : ours) {
    if (change.after && lost_its_place(change.path, their_paths)) conflicts.insert(change.path);
  }
  return std::vector<std::string>(conflicts.begin(), conflicts.end());
}

Result<void> apply_changes(const Changes& changes, int from, int target) {
  for (const Change& change : changes) {
    TRY_DOING("'" + change.path + "'", apply(change, from, target));
  }
  return {};
}

}  // namespace sbx::tree
