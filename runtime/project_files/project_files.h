// The files of a project: brought, told, given, changed and removed by who is no program in it, while
// programs may work with them. The host's root opens the project and keeps the list of files (file_index.h);
// all that is in it or comes into it is read and written by a worker that is the owner of its files and sees
// nothing else (operations.h, tree/worker.h).
//
// Locks: whoever changes something is a writer of the project, as a persistent run is (resource/projects.h),
// and has STATE/projects/ID/files.lock from before a name changes until the list says so.
//
// Numbers of errors: those of operations.h and of open_project; ENOENT, too, where there is no such project.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/policy.h"
#include "project_files/archive.h"
#include "project_files/content_in.h"
#include "project_files/file_index.h"
#include "project_files/operations.h"
#include "resource/projects.h"
#include "tree/worker.h"

namespace sbx::project_files {

struct ProjectPlace {
  std::string state_dir;
  std::string id;
  std::uint32_t service_id = 0;
};

enum class Access : std::uint8_t { read, write };

// Of a new file.
struct PutRequest {
  std::string folder;  // "" is where files go by default: project_files, or the top of a flat project
  std::string name;
  bool parents = true;
  Taken taken = Taken::rename;
  UploadRules rules;
  std::string by;
};

struct EditRequest {
  std::string path;
  std::string expected;  // SHA-256 of what it replaces; empty: any
  UploadRules rules;
  std::string by;
};

struct PutAnswer {
  StoredFile file;
  bool created = false;       // else it took another one's place, or
  bool deduplicated = false;  // is the one that was there
};

// One of a folder, or below it.
struct ListedFile {
  std::string path;
  FileStat stat;
  std::optional<StoredFile> stored;  // nothing: a program made it, and nobody has asked for more
};
struct Listing {
  std::vector<ListedFile> files;
  bool more = false;
};

struct ExtractRequest {
  std::string folder;  // as PutRequest has it
  std::string name;    // of the new folder, which gets a number where it is taken
  UnpackRules rules;
  std::string by;
};

struct ExtractAnswer {
  std::string folder;
  std::vector<StoredFile> files;
  std::vector<RefusedMember> refused;
  std::uint64_t refused_count = 0;
};

// How the list and the files differed; the list has been repaired, and no file was touched.
struct CheckReport {
  std::vector<std::string> missing;     // had a row, and no file any more: the row says so from now on
  std::vector<std::string> returned;    // were missing
  std::vector<std::string> changed;     // content was another: the row has size, hash and type of it now
  std::vector<std::string> unknown;     // have no row
  std::vector<std::string> adopted;     // got one now
  std::vector<std::string> unfinished;  // of uploads that were killed or go on, by their names
  std::vector<std::string> unreadable;  // could not be looked at
  bool more = false;                    // there is more than was looked at
};

// The list and the files of every project that has a list, one after the other; `each` gets what came of it.
// Whoever starts a supervisor or cleans up does this: nothing is adopted, and of uploads that were killed
// nothing is left (then `unfinished` has them, too).
void check_all(const std::string& state_dir, std::uint32_t service_id,
               const std::function<void(const std::string& project, const Result<CheckReport>&)>& each);

// How many bytes of content went through, of how many; 0: it is not known how many.
using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;

class ProjectFiles {
 public:
  // A project that is there. Write: it is made writable as for a run.
  static Result<ProjectFiles> open(const ProjectPlace& place, Access access);
  // The same for writing; what is not there is made as a run of this wish makes it.
  static Result<ProjectFiles> open_or_make(const ProjectPlace& place, const ProjectWish& wish);

  // From here on, of uploads and downloads from and to files.
  void show_progress(Progress progress) { progress_ = std::move(progress); }

  // --- `content` is read until its end ---
  [[nodiscard]] Result<PutAnswer> put(const PutRequest& request, Content content) const;
  [[nodiscard]] Result<PutAnswer> edit(const EditRequest& request, Content content) const;
  [[nodiscard]] Result<ExtractAnswer> extract(const ExtractRequest& request, Content archive) const;

  // --- to `out`; framed as read (operations.h) has it ---
  // `request`: `path`, and which part of it.
  [[nodiscard]] Result<files::Part> get(const FileRequest& request, Content out) const;
  [[nodiscard]] Result<void> get_archive(const std::string& folder, ArchiveFormat format, Content out) const;

  // --- names ---
  // `path`, `after` and `entries` of a FileRequest; at most kMostFileEntries.
  [[nodiscard]] Result<Listing> list(const FileRequest& request) const;
  [[nodiscard]] Result<ListedFile> look(const std::string& path) const;
  [[nodiscard]] Result<Listing> list_all(const std::string& folder, std::size_t most) const;
  [[nodiscard]] Result<void> remove(const std::string& path, bool recursive) const;
  // What is there under the new name.
  [[nodiscard]] Result<ListedFile> move(const std::string& from, const std::string& to, bool parents,
                                        bool replace) const;
  [[nodiscard]] Result<FileStat> make_folder(const std::string& path, bool parents) const;

  // The path of a file by its id, else what was given.
  [[nodiscard]] Result<std::string> path_of(const std::string& path_or_id) const;
  // What uploads that were killed left, by their names. Opened for writing.
  [[nodiscard]] Result<std::vector<std::string>> drop_unfinished() const;
  // `adopt`: what has no row gets one.
  [[nodiscard]] Result<CheckReport> check(bool adopt) const;

  // Where files go by default.
  [[nodiscard]] std::string default_folder() const;

 private:
  ProjectFiles(Project project, std::string directory, std::uint32_t service_id, FileIndex index)
      : project_(std::move(project)),
        directory_(std::move(directory)),
        service_id_(service_id),
        index_(std::move(index)) {}
  static Result<ProjectFiles> finish(const ProjectPlace& place, const ProjectWish& wish);

  [[nodiscard]] Result<std::string> folder_for(const std::string& asked) const;
  void show_progress_of(int content, tree::Worker& worker) const;
  [[nodiscard]] tree::Worker worker() const;
  [[nodiscard]] Result<std::string> work(const tree::Worker& worker, const tree::Work& work) const;
  [[nodiscard]] Result<UniqueFd> open_lock() const;
  [[nodiscard]] Result<UniqueFd> lock() const;
  [[nodiscard]] Result<PutAnswer> write(WriteOrder order, const std::string& by, Content content) const;
  [[nodiscard]] Result<StoredFile> note(const FileFacts& facts, const std::string& original,
                                        const std::string& by) const;

  Project project_;
  std::string directory_;  // STATE/projects/ID
  std::uint32_t service_id_;
  FileIndex index_;
  Progress progress_;
};

}  // namespace sbx::project_files
