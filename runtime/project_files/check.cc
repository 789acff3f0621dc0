#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <map>
#include <set>

#include "base/names.h"
#include "base/times.h"
#include "files/draft.h"
#include "os/file.h"
#include "project_files/answers.h"
#include "project_files/names.h"
#include "project_files/project_files.h"
#include "project_files/upload_note.h"

namespace sbx::project_files {
namespace {

constexpr std::size_t kMostLooked = 1'000'000;

bool is_draft(const std::string& path) { return name_of(path).starts_with(files::kDraftName); }

// What there is and what the list says, side by side.
class Comparison {
 public:
  Comparison(std::vector<StoredFile> rows, const Walked& walked, CheckReport& report) : report_(report) {
    for (StoredFile& row : rows) {
      std::string path = row.file.path;
      rows_.emplace(std::move(path), std::move(row));
    }
    report.more = walked.more;
    for (const TreeEntry& entry : walked.entries) look_at(entry);
    if (!walked.more) note_missing();
  }

  // Whose content has to be looked at.
  [[nodiscard]] const std::vector<std::string>& to_identify() const { return to_identify_; }

  // The rows that are to be written.
  std::vector<StoredFile> repaired(const std::vector<FileFacts>& found, bool adopt) {
    std::map<std::string, const FileFacts*> by_path;
    for (const FileFacts& facts : found) by_path.emplace(facts.path, &facts);
    for (const std::string& path : to_identify_) {
      const auto facts = by_path.find(path);
      const auto row = rows_.find(path);
      if (facts == by_path.end()) {
        report_.unreadable.push_back(path);
      } else if (row != rows_.end()) {
        update(row->second, *facts->second);
      } else if (adopt) {
        const std::int64_t now = utc_ms();
        report_.adopted.push_back(path);
        written_.push_back({new_run_id(), name_of(path), *facts->second, now, now, "", false});
      }
    }
    if (adopt)
      std::erase_if(report_.unknown, [&](const std::string& path) { return by_path.contains(path); });
    return std::move(written_);
  }

  void identify_unknown() {
    to_identify_.insert(to_identify_.end(), report_.unknown.begin(), report_.unknown.end());
  }

 private:
  void look_at(const TreeEntry& entry) {
    if (is_draft(entry.path)) report_.unfinished.push_back(entry.path);
    if (entry.stat.type != FileType::file || is_draft(entry.path)) return;
    const auto row = rows_.find(entry.path);
    if (row == rows_.end()) {
      report_.unknown.push_back(entry.path);
      return;
    }
    seen_.insert(entry.path);
    const FileFacts& known = row->second.file;
    if (row->second.missing || known.size != entry.stat.size || known.changed_ns != entry.changed_ns)
      to_identify_.push_back(entry.path);
  }

  void note_missing() {
    for (auto& [path, row] : rows_) {
      if (seen_.contains(path) || row.missing) continue;
      row.missing = true;
      report_.missing.push_back(path);
      written_.push_back(row);
    }
  }

  void update(StoredFile& row, const FileFacts& facts) {
    const bool other = row.file.sha256 != facts.sha256;
    if (row.missing) report_.returned.push_back(facts.path);
    if (other) {
      report_.changed.push_back(facts.path);
      row.updated_ms = utc_ms();
      row.by.clear();
    }
    row.missing = false;
    row.file = facts;
    written_.push_back(row);
  }

  CheckReport& report_;
  std::map<std::string, StoredFile> rows_;
  std::set<std::string> seen_;
  std::vector<std::string> to_identify_;
  std::vector<StoredFile> written_;
};

// A project that nobody may write to now keeps them until the next time.
std::vector<std::string> drop_what_was_killed(const ProjectPlace& place) {
  {
    const auto abandoned = UploadNote::abandoned(place.state_dir + "/projects/" + place.id);
    if (!abandoned || abandoned->empty()) return {};
  }
  const Result<ProjectFiles> files = ProjectFiles::open(place, Access::write);
  const auto dropped = files ? files->drop_unfinished() : fail(files.error());
  return dropped ? *dropped : std::vector<std::string>();
}

Result<CheckReport> check_one(const ProjectPlace& place) {
  std::vector<std::string> dropped = drop_what_was_killed(place);
  const ProjectFiles files = TRY(ProjectFiles::open(place, Access::read));
  CheckReport report = TRY(files.check(false));
  std::ranges::move(dropped, std::back_inserter(report.unfinished));
  return report;
}

}  // namespace

void check_all(const std::string& state_dir, std::uint32_t service_id,
               const std::function<void(const std::string& project, const Result<CheckReport>&)>& each) {
  const Result<std::vector<std::string>> projects = os::list_directory(AT_FDCWD, state_dir + "/projects");
  if (!projects) {
    if (projects.error().error_number != ENOENT) each("", fail(projects.error()));
    return;
  }
  for (const std::string& id : *projects) {
    if (id.starts_with('.')) continue;  // deleted ones
    if (access((state_dir + "/projects/" + id + "/files.sqlite").c_str(), F_OK) != 0) continue;
    each(id, check_one({state_dir, id, service_id}));
  }
}

Result<CheckReport> ProjectFiles::check(bool adopt) const {
  const ContentTypes types = TRY(ContentTypes::load());
  const UniqueFd held = TRY(lock());
  const tree::Work walk_all = []() -> Result<std::string> {
    const Walked walked = TRY(walk("", kMostLooked));
    return encode(walked);
  };
  const std::string found = TRY(work(worker(), walk_all));
  const Walked walked = TRY(decode_walked(found));
  std::vector<StoredFile> rows = TRY(index_.below(""));
  CheckReport report;
  Comparison comparison(std::move(rows), walked, report);
  if (adopt) comparison.identify_unknown();
  const tree::Work look = [&]() -> Result<std::string> {
    const std::vector<FileFacts> facts = TRY(identify(comparison.to_identify(), types));
    return encode(facts);
  };
  const std::string looked = TRY(work(worker(), look));
  const std::vector<FileFacts> facts = TRY(decode_files(looked));
  TRY(index_.write_all(comparison.repaired(facts, adopt)));
  return report;
}

}  // namespace sbx::project_files
