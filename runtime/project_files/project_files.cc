#include "project_files/project_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <map>

#include "base/names.h"
#include "base/times.h"
#include "os/file.h"
#include "project_files/answers.h"
#include "project_files/names.h"
#include "project_files/upload_note.h"
#include "resource/project_record.h"

namespace sbx::project_files {
namespace {

constexpr std::uint64_t kMostMemory = 1U << 30U;  // of a worker: a copy of ours, and what unpacking takes

ContentRules rules_of(const UploadRules& rules) { return {rules.file_bytes, rules.types}; }

std::string directory_of(const ProjectPlace& place) { return place.state_dir + "/projects/" + place.id; }

Result<void> check_there(const ProjectPlace& place) {
  TRY(check_name("--project", place.id));
  const Result<ProjectRecord> record = read_project_record(directory_of(place));
  if (record || record.error().error_number != ENOENT) return {};
  return fail(Error{"there is no project '" + place.id + "' in '" + place.state_dir + "/projects'", ENOENT});
}

std::uint64_t size_if_regular(int fd) {
  struct stat status {};
  const bool known = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  return known ? static_cast<std::uint64_t>(status.st_size) : 0;
}

}  // namespace

// --- opening ---------------------------------------------------------------------------------------------

Result<ProjectFiles> ProjectFiles::finish(const ProjectPlace& place, const ProjectWish& wish) {
  std::vector<std::string> degradations;
  Project project = TRY(open_project(place.state_dir, place.id, wish, place.service_id, degradations));
  FileIndex index = TRY_DOING("project '" + place.id + "'", FileIndex::open(directory_of(place)));
  return ProjectFiles(std::move(project), directory_of(place), place.service_id, std::move(index));
}

Result<ProjectFiles> ProjectFiles::open(const ProjectPlace& place, Access access) {
  TRY(check_there(place));
  ProjectWish wish;
  wish.mode = access == Access::write ? WorkspaceMode::persistent : WorkspaceMode::ephemeral;
  return finish(place, wish);
}

Result<ProjectFiles> ProjectFiles::open_or_make(const ProjectPlace& place, const ProjectWish& wish) {
  ProjectWish persistent = wish;
  persistent.mode = WorkspaceMode::persistent;
  return finish(place, persistent);
}

std::string ProjectFiles::default_folder() const {
  return project_.layout == WorkspaceLayout::split ? "project_files" : "";
}

// --- the worker ------------------------------------------------------------------------------------------

tree::Worker ProjectFiles::worker() const {
  tree::Worker worker;
  worker.owner = service_id_;
  worker.rights = tree::Rights::read_files;
  worker.memory_bytes = kMostMemory;
  return worker;
}

Result<std::string> ProjectFiles::work(const tree::Worker& worker, const tree::Work& work) const {
  tzset();  // what libarchive asks for the time zone has been read before the worker's root is another
  return tree::work_in(project_.generation.get(), worker, work);
}

Result<UniqueFd> ProjectFiles::open_lock() const {
  return os::open_at(AT_FDCWD, directory_ + "/files.lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
}

Result<UniqueFd> ProjectFiles::lock() const {
  std::optional<UniqueFd> held = TRY(os::lock_file(AT_FDCWD, directory_ + "/files.lock", true));
  return std::move(*held);
}

Result<std::string> ProjectFiles::folder_for(const std::string& asked) const {
  if (asked.empty()) return default_folder();
  return check_path(asked);
}

void ProjectFiles::show_progress_of(int content, tree::Worker& worker) const {
  const std::uint64_t total = size_if_regular(content);
  if (!progress_ || total == 0) return;
  // The worker reads from the same open file.
  worker.tick = [this, content, total] {
    progress_(static_cast<std::uint64_t>(std::max<off_t>(0, lseek(content, 0, SEEK_CUR))), total);
  };
}

// --- content ---------------------------------------------------------------------------------------------

Result<StoredFile> ProjectFiles::note(const FileFacts& facts, const std::string& original,
                                      const std::string& by) const {
  const std::optional<StoredFile> old = TRY(index_.by_path(facts.path));
  StoredFile file = old.value_or(StoredFile());
  const bool same = old && old->file.sha256 == facts.sha256 && !old->missing;
  if (!old) {
    file.id = new_run_id();
    file.original_name = original;
    file.created_ms = utc_ms();
  }
  if (!same) {
    file.updated_ms = utc_ms();
    file.by = by;
  }
  file.file = facts;
  file.missing = false;
  TRY(index_.write(file));
  return file;
}

Result<PutAnswer> ProjectFiles::write(WriteOrder order, const std::string& by, Content content) const {
  order.framed = content.framed;
  const ContentTypes types = TRY(ContentTypes::load());
  const UploadNote note_of_it = TRY(UploadNote::make(directory_, order.folder));
  order.draft = note_of_it.name();
  const UniqueFd lock = TRY(open_lock());
  tree::Worker doing = worker();
  doing.content_in = content.fd;
  doing.lock = lock.get();
  show_progress_of(content.fd, doing);
  const tree::Work act = [&]() -> Result<std::string> {
    const Written written = TRY(project_files::write(order, types));
    return encode(written);
  };
  const std::string answer = TRY(work(doing, act));
  const Written written = TRY(decode_written(answer));
  if (folder_of(written.file.path) != order.folder) return fail("its worker wrote to another folder");
  PutAnswer done;
  done.file = TRY(note(written.file, order.name, by));
  done.created = written.created;
  done.deduplicated = written.deduplicated;
  return done;
}

Result<PutAnswer> ProjectFiles::put(const PutRequest& request, Content content) const {
  WriteOrder order;
  order.folder = TRY(folder_for(request.folder));
  TRY(check_new_name(request.name));
  order.name = request.name;
  order.parents = request.parents;
  order.taken = request.taken;
  order.rules = rules_of(request.rules);
  return write(std::move(order), request.by, content);
}

Result<PutAnswer> ProjectFiles::edit(const EditRequest& request, Content content) const {
  const std::string path = TRY(check_path(request.path));
  if (path.empty()) return fail(Error{"the workspace is a folder", EISDIR});
  WriteOrder order;
  order.folder = folder_of(path);
  order.name = name_of(path);
  order.existing = true;
  order.expected = request.expected;
  order.rules = rules_of(request.rules);
  return write(std::move(order), request.by, content);
}

Result<files::Part> ProjectFiles::get(const FileRequest& request, Content out) const {
  FileRequest checked = request;
  checked.path = TRY(check_path(request.path));
  const std::optional<StoredFile> stored = TRY(index_.by_path(checked.path));
  tree::Worker doing = worker();
  doing.content_out = out.fd;
  const tree::Work act = [&]() -> Result<std::string> {
    const auto known = stored ? std::optional(stored->file) : std::nullopt;
    const files::Part part = TRY(read(checked, out.framed, known));
    wire::Writer told;
    told.put(part.from);
    told.put(part.size);
    return std::move(told).take();
  };
  const std::string answer = TRY(work(doing, act));
  wire::Reader in(answer);
  files::Part part;
  part.from = in.get<std::uint64_t>();
  part.size = in.get<std::uint64_t>();
  TRY(in.finish("what a worker read"));
  return part;
}

// --- archives --------------------------------------------------------------------------------------------

Result<void> ProjectFiles::get_archive(const std::string& folder, ArchiveFormat format, Content out) const {
  const std::string path = TRY(check_path(folder));
  const Utf8Names names;
  tree::Worker doing = worker();
  doing.content_out = out.fd;
  const tree::Work act = [&]() -> Result<std::string> {
    TRY(pack(path, format, out.framed));
    return std::string();
  };
  (void)TRY(work(doing, act));
  return {};
}

Result<ExtractAnswer> ProjectFiles::extract(const ExtractRequest& request, Content archive) const {
  UnpackOrder order;
  order.folder = TRY(folder_for(request.folder));
  TRY(check_new_name(request.name));
  order.name = request.name;
  order.rules = request.rules;
  order.framed = archive.framed;
  const ContentTypes types = TRY(ContentTypes::load());
  const UploadNote note_of_it = TRY(UploadNote::make(directory_, order.folder));
  order.draft = note_of_it.name();
  const Utf8Names names;
  const UniqueFd lock = TRY(open_lock());
  tree::Worker doing = worker();
  doing.content_in = archive.fd;
  doing.lock = lock.get();
  show_progress_of(archive.fd, doing);
  const tree::Work act = [&]() -> Result<std::string> {
    const Unpacked unpacked = TRY(unpack(order, types));
    return encode(unpacked);
  };
  const std::string answer = TRY(work(doing, act));
  Unpacked unpacked = TRY(decode_unpacked(answer));
  ExtractAnswer done;
  done.folder = unpacked.folder;
  done.refused = std::move(unpacked.refused);
  done.refused_count = unpacked.refused_count;
  const std::int64_t now = utc_ms();
  for (FileFacts& facts : unpacked.files) {
    const std::string original = name_of(facts.path);
    done.files.push_back({new_run_id(), original, std::move(facts), now, now, request.by, false});
  }
  TRY(index_.write_all(done.files));
  return done;
}

// A writer alone removes something. What cannot be removed now is noted on.
Result<std::vector<std::string>> ProjectFiles::drop_unfinished() const {
  std::vector<std::string> dropped;
  std::vector<UploadNote> abandoned = TRY(UploadNote::abandoned(directory_));
  for (UploadNote& upload : abandoned) {
    FileRequest request;
    request.path = join(upload.folder(), upload.name());
    request.recursive = true;
    const Result<std::string> done = work(worker(), [&]() -> Result<std::string> {
      TRY(project_files::remove(request));
      return std::string();
    });
    if (done) dropped.push_back(request.path);
    if (done || done.error().error_number == ENOENT) upload.nothing_is_left();
  }
  return dropped;
}

// --- names -----------------------------------------------------------------------------------------------

Result<Listing> ProjectFiles::list(const FileRequest& request) const {
  FileRequest checked = request;
  checked.path = TRY(check_path(request.path));
  const tree::Work act = [&]() -> Result<std::string> {
    const FileAnswer listed = TRY(project_files::list(checked));
    return encode_file_answer(listed);
  };
  const std::string answer = TRY(work(worker(), act));
  const FileAnswer found = TRY(decode_file_answer(answer));
  Listing listing;
  listing.more = found.more;
  for (const FileEntry& entry : found.entries) {
    const std::string path = join(checked.path, entry.name);
    std::optional<StoredFile> stored = TRY(index_.by_path(path));
    listing.files.push_back({path, entry.stat, std::move(stored)});
  }
  return listing;
}

Result<ListedFile> ProjectFiles::look(const std::string& path) const {
  const std::string checked = TRY(check_path(path));
  const tree::Work act = [&]() -> Result<std::string> {
    const FileStat found = TRY(project_files::look(checked));
    return encode(found);
  };
  const std::string answer = TRY(work(worker(), act));
  FileStat stat = TRY(decode_stat(answer));
  std::optional<StoredFile> stored = TRY(index_.by_path(checked));
  return ListedFile{checked, std::move(stat), std::move(stored)};
}

Result<Listing> ProjectFiles::list_all(const std::string& folder, std::size_t most) const {
  const std::string path = TRY(check_path(folder));
  const tree::Work act = [&]() -> Result<std::string> {
    const Walked found = TRY(walk(path, most));
    return encode(found);
  };
  const std::string answer = TRY(work(worker(), act));
  Walked walked = TRY(decode_walked(answer));
  std::map<std::string, StoredFile> stored;
  std::vector<StoredFile> rows = TRY(index_.below(path));
  for (StoredFile& file : rows) {
    std::string at = file.file.path;
    stored.emplace(std::move(at), std::move(file));
  }
  Listing listing;
  listing.more = walked.more;
  for (TreeEntry& entry : walked.entries) {
    const auto row = stored.find(entry.path);
    listing.files.push_back({std::move(entry.path), std::move(entry.stat),
                             row == stored.end() ? std::nullopt : std::optional(row->second)});
  }
  return listing;
}

Result<void> ProjectFiles::remove(const std::string& path, bool recursive) const {
  FileRequest request;
  request.path = TRY(check_path(path));
  request.recursive = recursive;
  if (request.path.empty()) return fail(Error{"the workspace itself stays", EINVAL});
  const UniqueFd held = TRY(lock());
  const Result<std::string> done = work(worker(), [&]() -> Result<std::string> {
    TRY(project_files::remove(request));
    return std::string();
  });
  if (!done) return fail(done.error());
  return index_.forget(request.path);
}

Result<ListedFile> ProjectFiles::move(const std::string& from, const std::string& to, bool parents,
                                      bool replace) const {
  FileRequest request;
  request.path = TRY(check_path(from));
  request.to = TRY(check_new_path(to));
  request.parents = parents;
  request.replace = replace;
  if (request.path.empty()) return fail(Error{"the workspace itself stays", EINVAL});
  const UniqueFd held = TRY(lock());
  const tree::Work act = [&]() -> Result<std::string> {
    const FileStat moved = TRY(project_files::move(request));
    return encode(moved);
  };
  const std::string answer = TRY(work(worker(), act));
  FileStat stat = TRY(decode_stat(answer));
  TRY(index_.move(request.path, request.to));
  std::optional<StoredFile> stored = TRY(index_.by_path(request.to));
  return ListedFile{request.to, std::move(stat), std::move(stored)};
}

Result<FileStat> ProjectFiles::make_folder(const std::string& path, bool parents) const {
  FileRequest request;
  request.path = TRY(check_new_path(path));
  request.parents = parents;
  const tree::Work act = [&]() -> Result<std::string> {
    const FileStat made = TRY(project_files::make_folder(request));
    return encode(made);
  };
  const std::string answer = TRY(work(worker(), act));
  return decode_stat(answer);
}

Result<std::string> ProjectFiles::path_of(const std::string& path_or_id) const {
  if (!check_run_id("id", path_or_id)) return path_or_id;
  const std::optional<StoredFile> stored = TRY(index_.by_id(path_or_id));
  return stored ? stored->file.path : path_or_id;
}

}  // namespace sbx::project_files
