#include "projects/answer_files.h"

#include <sys/stat.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "project_files/names.h"
#include "projects/file_json.h"
#include "projects/wish.h"

namespace sbx {
namespace {

using Json = nlohmann::ordered_json;
using project_files::Access;
using project_files::ProjectFiles;

constexpr std::size_t kMostWalked = 10'000;
constexpr project_files::Content kIn{kProjectContentIn, true};
constexpr project_files::Content kOut{kProjectContentOut, true};

bool is_pipe(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

std::string name_of(const PeerIdentity& peer) {
  return peer.token ? "token:" + peer.token->name : "uid:" + std::to_string(peer.uid);
}

class Answer {
 public:
  Answer(const Settings& settings, const ProjectQuestion& question, const PeerIdentity& peer)
      : settings_(settings), question_(question), file_(*question.file), peer_(peer) {}

  [[nodiscard]] Result<Json> make() const {
    switch (question_.action) {
    case ProjectAction::file: return of_one();
    case ProjectAction::upload: return upload();
    case ProjectAction::extract: return extract();
    case ProjectAction::fetch_archive: return fetch_archive();
    case ProjectAction::walk: return walk();
    case ProjectAction::check_files: return check();
    default: return fail("a question of another build");
    }
  }

 private:
  [[nodiscard]] project_files::ProjectPlace place() const {
    return {settings_.state_dir, question_.project, settings_.ids.service_id()};
  }
  [[nodiscard]] Result<ProjectFiles> open(Access access) const { return ProjectFiles::open(place(), access); }
  [[nodiscard]] Result<ProjectFiles> open_or_make() const {
    const ProjectWish wish = TRY(wish_of(settings_, question_));
    return ProjectFiles::open_or_make(place(), wish);
  }
  // Where files go by default is no path.
  [[nodiscard]] std::string folder() const { return file_.request.path == "." ? "" : file_.request.path; }
  [[nodiscard]] Result<UploadRules> rules() const {
    const Result<Policy> policy = load_policy(question_.policy, settings_.policy_dirs);
    if (!policy) return fail(policy.error().text);  // not the file is what is missing
    return policy->uploads;
  }

  [[nodiscard]] Result<Json> of_one() const {
    switch (file_.request.operation) {
    case FileOperation::read: return read();
    case FileOperation::write: return write();
    case FileOperation::list: return list();
    case FileOperation::stat: return stat();
    case FileOperation::remove: return remove();
    case FileOperation::directory: return make_folder();
    case FileOperation::move: return move();
    }
    return fail("a question of another build");
  }

  [[nodiscard]] Result<Json> read() const {
    const ProjectFiles files = TRY(open(Access::read));
    FileRequest request = file_.request;
    request.path = TRY(files.path_of(request.path));
    (void)TRY(files.get(request, kOut));
    return Json::object();
  }

  // A new file or other content of one; with `expected` of that alone, with `fresh` only a new one.
  [[nodiscard]] Result<Json> write() const {
    const ProjectFiles files = TRY(file_.request.expected.empty() ? open_or_make() : open(Access::write));
    const std::string named = TRY(files.path_of(file_.request.path));
    const std::string path = TRY(project_files::check_path(named));
    if (!file_.request.expected.empty()) return edit(files, path);
    project_files::PutRequest request;
    request.folder = project_files::folder_of(path);
    if (request.folder.empty()) request.folder = ".";
    request.name = project_files::name_of(path);
    request.parents = file_.request.parents;
    request.taken = file_.request.fresh ? Taken::refuse : Taken::replace;
    return put(files, std::move(request));
  }

  [[nodiscard]] Result<Json> edit(const ProjectFiles& files, const std::string& path) const {
    project_files::EditRequest request;
    request.path = path;
    request.expected = file_.request.expected;
    request.rules = TRY(rules());
    request.by = name_of(peer_);
    const project_files::PutAnswer answer = TRY(files.edit(request, kIn));
    return file_json(answer);
  }

  [[nodiscard]] Result<Json> put(const ProjectFiles& files, project_files::PutRequest request) const {
    request.rules = TRY(rules());
    request.by = name_of(peer_);
    const project_files::PutAnswer answer = TRY(files.put(request, kIn));
    return file_json(answer);
  }

  [[nodiscard]] Result<Json> upload() const {
    project_files::PutRequest request;
    request.folder = folder();
    request.name = question_.name;
    request.taken = file_.taken;
    const ProjectFiles files = TRY(open_or_make());
    return put(files, std::move(request));
  }

  [[nodiscard]] Result<Json> extract() const {
    const UploadRules uploads = TRY(rules());
    project_files::ExtractRequest request;
    request.folder = folder();
    request.name = question_.name;
    request.rules.on_refused = file_.on_refused;
    request.rules.content = {uploads.file_bytes, uploads.types};
    request.by = name_of(peer_);
    const ProjectFiles files = TRY(open_or_make());
    const project_files::ExtractAnswer answer = TRY(files.extract(request, kIn));
    return file_json(answer);
  }

  [[nodiscard]] Result<Json> fetch_archive() const {
    const ProjectFiles files = TRY(open(Access::read));
    TRY(files.get_archive(file_.request.path, file_.format, kOut));
    return Json::object();
  }

  [[nodiscard]] Result<Json> list() const {
    const ProjectFiles files = TRY(open(Access::read));
    const project_files::Listing listing = TRY(files.list(file_.request));
    Json json = file_json(listing);
    json["last"] = listing.files.empty() ? "" : base64(project_files::name_of(listing.files.back().path));
    return json;
  }

  [[nodiscard]] Result<Json> walk() const {
    const ProjectFiles files = TRY(open(Access::read));
    const project_files::Listing listing = TRY(files.list_all(file_.request.path, kMostWalked));
    return file_json(listing);
  }

  [[nodiscard]] Result<Json> stat() const {
    const ProjectFiles files = TRY(open(Access::read));
    const std::string path = TRY(files.path_of(file_.request.path));
    const project_files::ListedFile found = TRY(files.look(path));
    return file_json(found);
  }

  [[nodiscard]] Result<Json> remove() const {
    const ProjectFiles files = TRY(open(Access::write));
    const std::string path = TRY(files.path_of(file_.request.path));
    TRY(files.remove(path, file_.request.recursive));
    return Json::object();
  }

  [[nodiscard]] Result<Json> make_folder() const {
    const ProjectFiles files = TRY(open_or_make());
    FileStat stat = TRY(files.make_folder(file_.request.path, file_.request.parents));
    return file_json(project_files::ListedFile{file_.request.path, std::move(stat), {}});
  }

  [[nodiscard]] Result<Json> move() const {
    const ProjectFiles files = TRY(open(Access::write));
    const std::string from = TRY(files.path_of(file_.request.path));
    const project_files::ListedFile moved =
        TRY(files.move(from, file_.request.to, file_.request.parents, file_.request.replace));
    return file_json(moved);
  }

  [[nodiscard]] Result<Json> check() const {
    const ProjectFiles files = TRY(open(Access::read));
    const project_files::CheckReport report = TRY(files.check(file_.adopt));
    return file_json(report);
  }

  const Settings& settings_;
  const ProjectQuestion& question_;
  const ProjectFileQuestion& file_;
  const PeerIdentity& peer_;
};

}  // namespace

Result<std::string> answer_about_files(const Settings& settings, const ProjectQuestion& question,
                                       const PeerIdentity& peer) {
  const bool content = has_content_in(question) || has_content_out(question);
  if (!question.file || (content && !(is_pipe(kProjectContentIn) && is_pipe(kProjectContentOut))))
    return fail("a question of another build");
  const Json json = TRY(Answer(settings, question, peer).make());
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace sbx
