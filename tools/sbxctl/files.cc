// sbxctl files: files of a project, brought and fetched. As root, on the host; what guests or others wrote is
// read and written in a worker (project_files/project_files.h).
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/printable.h"
#include "base/scope_exit.h"
#include "commands.h"
#include "editor.h"
#include "os/file.h"
#include "policy/policy.h"
#include "progress.h"
#include "project_files/names.h"
#include "project_files/project_files.h"
#include "projects/file_json.h"
#include "resource/own_directories.h"

namespace sbx {
namespace {

using Json = nlohmann::ordered_json;
using project_files::Access;
using project_files::ProjectFiles;

constexpr int kExitRefused = 3;
constexpr std::size_t kMostShown = 1'000'000;
constexpr const char* kBy = "sbxctl";

struct Line {
  std::string project;
  std::vector<std::string> names;
  std::string path;
  std::string to;
  std::string as;
  std::string policy = "default";
  std::string on_taken = "rename";
  std::string on_refused = "fail";
  std::string output;
  std::string archive;
  std::string range;
  std::string if_match;
  bool extract = false;
  bool recursive = false;
  bool replace = false;
  bool adopt = false;
  bool json = false;
};

struct Place {
  const Settings& settings;
  const Line& line;

  [[nodiscard]] project_files::ProjectPlace project() const {
    return {settings.state_dir, line.project, settings.ids.service_id()};
  }
  [[nodiscard]] Result<ProjectFiles> open(Access access) const {
    return ProjectFiles::open(project(), access);
  }
  // What is an event of the log, done or not.
  template <class T>
  Result<T> noted(const char* event, const std::string& subject, Result<T> done,
                  const std::string& to = {}) const {
    AuditEvent about;
    about.event = event;
    about.project_id = line.project;
    about.subject = subject;
    about.to = to;
    record(settings, std::move(about), done);
    return done;
  }
};

using Work = std::function<Result<int>(const Place&)>;

// Refused for what is there already, or for now: worth another try that knows it.
int report(const Error& error) {
  (void)report_failure(error.text);
  constexpr std::array<int, 3> kRefused{EBUSY, EEXIST, ESTALE};
  const bool refused = std::ranges::find(kRefused, error.error_number) != kRefused.end();
  return refused ? kExitRefused : kExitFailed;
}

int with_files(const Settings& settings, const Line& line, const Work& work) {
  if (geteuid() != 0) return report_failure("only root can look into projects");
  const Result<int> done = [&]() -> Result<int> {
    TRY(check_own_directories(settings.state_dir, settings.run_dir));
    return work({settings, line});
  }();
  return done ? *done : report(done.error());
}

void print(const Json& json) {
  (void)printf("%s\n", json.dump(2, ' ', true, Json::error_handler_t::replace).c_str());
}

void print_line(const project_files::ListedFile& listed) {
  const std::string id = listed.stored ? listed.stored->id : std::string(1, '-');
  const bool is_folder = listed.stat.type == FileType::directory;
  const std::string link = listed.stat.target.empty() ? "" : " -> " + printable(listed.stat.target);
  const std::string mime = listed.stored ? "  " + printable(listed.stored->file.mime) : "";
  (void)printf("%-36s  %10s  %s%s%s%s\n", id.c_str(),
               is_folder ? "-" : readable_bytes(listed.stat.size).c_str(), printable(listed.path).c_str(),
               is_folder ? "/" : "", link.c_str(), mime.c_str());
}

ProjectWish wish_of(const Policy& policy) {
  ProjectWish wish;
  wish.layout = policy.workspace_layout;
  wish.limits = {policy.limits.disk_bytes, policy.limits.inodes};
  wish.may_be_unlimited = std::ranges::find(policy.allow_degraded, "disk") != policy.allow_degraded.end();
  return wish;
}

// --- put -------------------------------------------------------------------------------------------------

// What an archive unpacks to: "data" of "data.tar.gz".
std::string without_ending(std::string name) {
  for (const std::string_view ending : {".zip", ".gz", ".bz2", ".xz", ".zst", ".tgz", ".tar"}) {
    if (name.size() > ending.size() && name.ends_with(ending)) name.resize(name.size() - ending.size());
  }
  return name;
}

class Upload {
 public:
  Upload(const Line& line, const Policy& policy, ProjectFiles& files)
      : line_(line), policy_(policy), files_(files) {}

  Result<void> put(const std::string& source) {
    const bool is_input = source == "-";
    name_ = !line_.as.empty() ? line_.as : std::filesystem::path(source).filename().string();
    if (is_input && line_.as.empty()) return fail("'-' is standard input; say what it is called (--as)");
    UniqueFd opened;
    if (!is_input) opened = TRY(os::open_at(AT_FDCWD, source, O_RDONLY | O_NOCTTY));
    const int content = is_input ? STDIN_FILENO : opened.get();
    ProgressDisplay display(printable(name_));
    files_.show_progress([&](std::uint64_t done, std::uint64_t total) {
      display.update({done, total, 0, 0});
    });
    Result<void> done = line_.extract ? extract(content) : store(content);
    display.finish();
    return done;
  }

  [[nodiscard]] const Json& told() const { return told_; }
  // Of the last one.
  [[nodiscard]] std::string path() const { return line_.to.empty() ? name_ : line_.to + "/" + name_; }

 private:
  Result<void> store(int content) {
    project_files::PutRequest request;
    request.folder = line_.to;
    request.name = name_;
    request.taken = line_.on_taken == "rename"    ? project_files::Taken::rename
                    : line_.on_taken == "replace" ? project_files::Taken::replace
                                                  : project_files::Taken::refuse;
    request.rules = policy_.uploads;
    request.by = kBy;
    const project_files::PutAnswer answer = TRY(files_.put(request, {content}));
    told_.push_back(file_json(answer));
    const char* what = answer.deduplicated ? " (was there)" : answer.created ? "" : " (replaced)";
    if (!line_.json)
      (void)printf("%s  %s%s\n", answer.file.id.c_str(), printable(answer.file.file.path).c_str(), what);
    return {};
  }

  Result<void> extract(int content) {
    project_files::ExtractRequest request;
    request.folder = line_.to;
    request.name = line_.as.empty() ? without_ending(name_) : name_;
    request.rules.on_refused =
        line_.on_refused == "fail" ? project_files::OnRefused::fail : project_files::OnRefused::skip;
    request.rules.content = {policy_.uploads.file_bytes, policy_.uploads.types};
    request.by = kBy;
    const project_files::ExtractAnswer answer = TRY(files_.extract(request, {content}));
    for (const project_files::RefusedMember& member : answer.refused)
      (void)report_failure("left out: '" + member.name + "': " + member.why);
    told_.push_back(file_json(answer));
    if (!line_.json)
      (void)printf("%s/  %zu %s, %llu refused\n", printable(answer.folder).c_str(), answer.files.size(),
                   answer.files.size() == 1 ? "file" : "files",
                   static_cast<unsigned long long>(answer.refused_count));
    return {};
  }

  const Line& line_;
  const Policy& policy_;
  ProjectFiles& files_;
  std::string name_;
  Json told_ = Json::array();
};

Result<int> put(const Place& place) {
  const Line& line = place.line;
  if (!line.as.empty() && line.names.size() != 1) return fail("--as is the name of one file");
  const Policy policy = TRY(load_policy(line.policy, place.settings.policy_dirs));
  ProjectFiles files = TRY(ProjectFiles::open_or_make(place.project(), wish_of(policy)));
  Upload upload(line, policy, files);
  for (const std::string& name : line.names) {
    Result<void> done = upload.put(name);
    TRY(place.noted("file.upload", upload.path(), std::move(done)));
  }
  if (line.json) print(upload.told());
  return kExitOk;
}

// --- get -------------------------------------------------------------------------------------------------

Result<std::optional<std::uint64_t>> number_in(std::string_view text, const std::string& range) {
  if (text.empty()) return std::optional<std::uint64_t>();
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > INT64_MAX)
    return fail("--range '" + range + "' is not FROM-TO, FROM- or -LAST, in bytes");
  return std::optional(value);
}

// As HTTP has them: both ends are in it.
Result<void> read_range(const std::string& range, FileRequest& request) {
  if (range.empty()) return {};
  const std::size_t dash = range.find('-');
  const std::optional<std::uint64_t> from = TRY(number_in(range.substr(0, dash), range));
  const std::string_view rest = dash == std::string::npos ? "" : std::string_view(range).substr(dash + 1);
  const std::optional<std::uint64_t> to = TRY(number_in(rest, range));
  if (dash == std::string::npos || (!from && !to) || (from && to && *from > *to))
    return fail("--range '" + range + "' is not FROM-TO, FROM- or -LAST, in bytes");
  request.from = from;
  if (to) request.most = from ? *to - *from + 1 : *to;
  return {};
}

// Of `-o`: there when all of it is.
class Output {
 public:
  explicit Output(std::string path)
      : path_(std::move(path)), draft_(path_ + ".new." + std::to_string(getpid())) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() {
    if (file_.valid()) (void)unlink(draft_.c_str());
  }

  Result<int> open() {
    if (path_.empty() || path_ == "-") return STDOUT_FILENO;
    file_ = TRY(os::open_at(AT_FDCWD, draft_, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666));
    return file_.get();
  }
  Result<void> finish() {
    if (!file_.valid()) return {};
    if (rename(draft_.c_str(), path_.c_str()) != 0) return fail(system_error("rename", path_, errno));
    file_.reset();
    return {};
  }

 private:
  std::string path_;
  std::string draft_;
  UniqueFd file_;
};

Result<void> copy_out(const ProjectFiles& files, const FileRequest& request, const std::string& archive,
                      int out) {
  if (!archive.empty()) {
    const auto format =
        archive == "zip" ? project_files::ArchiveFormat::zip : project_files::ArchiveFormat::tar;
    return files.get_archive(request.path, format, {out});
  }
  const Result<files::Part> done = files.get(request, {out});
  if (done) return {};
  if (done.error().error_number != EISDIR) return fail(done.error());
  return fail(Error{done.error().text + "; --archive tar or zip gets all of it", EISDIR});
}

Result<int> get(const Place& place) {
  const Line& line = place.line;
  FileRequest request;
  TRY(read_range(line.range, request));
  const ProjectFiles files = TRY(place.open(Access::read));
  request.path = TRY(files.path_of(line.path));
  Output output(line.output);
  const int out = TRY(output.open());
  TRY(place.noted("file.download", request.path, copy_out(files, request, line.archive, out)));
  TRY(output.finish());
  return kExitOk;
}

// --- names -----------------------------------------------------------------------------------------------

Result<project_files::Listing> list_pages(const ProjectFiles& files, const std::string& folder) {
  FileRequest request;
  request.operation = FileOperation::list;
  request.path = folder;
  project_files::Listing all;
  do {
    project_files::Listing page = TRY(files.list(request));
    all.more = page.more && all.files.size() < kMostShown;
    for (project_files::ListedFile& file : page.files) all.files.push_back(std::move(file));
    if (!all.files.empty()) request.after = project_files::name_of(all.files.back().path);
  } while (all.more);
  return all;
}

Result<int> list(const Place& place) {
  const Line& line = place.line;
  const ProjectFiles files = TRY(place.open(Access::read));
  Result<project_files::Listing> found =
      line.recursive ? files.list_all(line.path, kMostShown) : list_pages(files, line.path);
  const project_files::Listing listing = TRY(std::move(found));
  if (line.json) print(file_json(listing));
  for (const project_files::ListedFile& file : listing.files) {
    if (!line.json) print_line(file);
  }
  if (listing.more) (void)report_failure("there is more than is shown here");
  return kExitOk;
}

Result<int> remove(const Place& place) {
  const ProjectFiles files = TRY(place.open(Access::write));
  for (const std::string& name : place.line.names) {
    const std::string path = TRY(files.path_of(name));
    TRY(place.noted("file.delete", path, files.remove(path, place.line.recursive)));
  }
  return kExitOk;
}

Result<int> move(const Place& place) {
  const Line& line = place.line;
  const ProjectFiles files = TRY(place.open(Access::write));
  const std::string from = TRY(files.path_of(line.path));
  const std::string to = line.to.ends_with('/') ? line.to + project_files::name_of(from) : line.to;
  const project_files::ListedFile moved =
      TRY(place.noted("file.move", from, files.move(from, to, true, line.replace), to));
  if (line.json) print(file_json(moved));
  return kExitOk;
}

// --- edit ------------------------------------------------------------------------------------------------

Result<int> edit(const Place& place) {
  const Line& line = place.line;
  const Policy policy = TRY(load_policy(line.policy, place.settings.policy_dirs));
  const ProjectFiles files = TRY(place.open(Access::write));
  project_files::EditRequest request;
  request.path = TRY(files.path_of(line.path));
  request.expected = line.if_match;
  request.rules = policy.uploads;
  request.by = kBy;
  PrivateCopy copy;
  int content = STDIN_FILENO;
  if (isatty(STDIN_FILENO) == 1) {
    FileRequest whole;
    whole.path = request.path;
    const int draft = TRY(copy.make(project_files::name_of(request.path)));
    (void)TRY(files.get(whole, {draft}));
    const EditedCopy edited = TRY(copy.edit());
    if (!edited.changed) {
      (void)fprintf(stderr, "sbxctl: nothing was changed\n");
      return kExitOk;
    }
    if (request.expected.empty()) request.expected = edited.before;
    content = edited.file;
  }
  const project_files::PutAnswer answer =
      TRY(place.noted("file.edit", request.path, files.edit(request, {content})));
  if (line.json) print(file_json(answer.file));
  return kExitOk;
}

// --- check -----------------------------------------------------------------------------------------------

Result<int> check(const Place& place) {
  const Line& line = place.line;
  const ProjectFiles files = TRY(place.open(Access::read));
  const project_files::CheckReport report = TRY(files.check(line.adopt));
  using Named = std::pair<const char*, const std::vector<std::string>*>;
  const std::array<Named, 7> kinds{{{"missing", &report.missing},
                                    {"returned", &report.returned},
                                    {"changed", &report.changed},
                                    {"unknown", &report.unknown},
                                    {"adopted", &report.adopted},
                                    {"unfinished", &report.unfinished},
                                    {"unreadable", &report.unreadable}}};
  if (line.json) print(file_json(report));
  for (const auto& [kind, paths] : kinds) {
    if (line.json) break;
    for (const std::string& path : *paths) (void)printf("%-10s %s\n", kind, printable(path).c_str());
  }
  return kExitOk;
}

// --- the command line ------------------------------------------------------------------------------------

class Commands {
 public:
  Commands(CLI::App& parent, const Settings& settings, Action& action)
      : parent_(parent), settings_(settings), action_(action), line_(std::make_shared<Line>()) {
    parent.require_subcommand(1);
  }

  CLI::App* add(const char* name, const char* help, Work work) {
    CLI::App* command = parent_.add_subcommand(name, help);
    command->add_option("--project", line_->project, "The project")->required();
    command->callback([&settings = settings_, &action = action_, line = line_, work = std::move(work)] {
      action = [&settings, line, work] { return with_files(settings, *line, work); };
    });
    return command;
  }

  [[nodiscard]] Line& line() { return *line_; }

 private:
  CLI::App& parent_;
  const Settings& settings_;
  Action& action_;
  std::shared_ptr<Line> line_;
};

void add_put(Commands& commands) {
  Line& line = commands.line();
  CLI::App* app = commands.add("put", "Bring files into it", put);
  app->add_option("FILE", line.names, "Files here; '-' is standard input")->required();
  app->add_option("--to", line.to,
                  "The folder; it is made (default: project_files, or the top of a flat project)");
  app->add_option("--as", line.as, "What it is called there");
  app->add_option("--on-taken", line.on_taken, "What is done where the name is taken")
      ->check(CLI::IsMember({"rename", "replace", "refuse"}));
  app->add_flag("--extract", line.extract, "They are archives (tar, zip): each becomes a new folder");
  app->add_option("--on-refused", line.on_refused, "With --extract: what a refused member means for the rest")
      ->check(CLI::IsMember({"fail", "skip"}));
  app->add_option("--policy", line.policy, "Whose rules for uploads hold, and a new project is made under");
  app->add_flag("--json", line.json, "As JSON");
}

void add_get(Commands& commands) {
  Line& line = commands.line();
  CLI::App* app = commands.add("get", "Fetch a file or a folder", get);
  app->add_option("PATH|ID", line.path, "Which one")->required();
  app->add_option("-o,--output", line.output, "Where to (default, and '-': standard output)");
  CLI::Option* archive = app->add_option("--archive", line.archive, "All of a folder, as an archive");
  archive->check(CLI::IsMember({"tar", "zip"}));
  app->add_option("--range", line.range, "A part of a file: FROM-TO, FROM- or -LAST, in bytes")
      ->excludes(archive);
}

}  // namespace

void add_files_commands(CLI::App& app, const Settings& settings, Action& action) {
  CLI::App* top = app.add_subcommand("files", "Files of a project: bring, fetch and look after them");
  Commands commands(*top, settings, action);
  Line& line = commands.line();
  add_put(commands);
  add_get(commands);
  CLI::App* shown = commands.add("ls", "What is in a folder", list);
  shown->add_option("FOLDER", line.path, "Which one (default: the top of the workspace)");
  shown->add_flag("--recursive", line.recursive, "And in those below");
  shown->add_flag("--json", line.json, "As JSON");
  CLI::App* removed = commands.add("rm", "Remove files", remove);
  removed->add_option("PATH|ID", line.names, "Which ones")->required();
  removed->add_flag("--recursive", line.recursive, "Folders, too, with all that is in them");
  CLI::App* moved = commands.add("mv", "Give a file or folder another name", move);
  moved->add_option("PATH|ID", line.path, "Which one")->required();
  moved->add_option("TO", line.to, "The new path; with '/' at its end the folder")->required();
  moved->add_flag("--replace", line.replace, "Also onto a file that is there");
  moved->add_flag("--json", line.json, "As JSON");
  CLI::App* edited =
      commands.add("edit", "Give a file other content: standard input, or what an editor makes of it", edit);
  edited->add_option("PATH|ID", line.path, "Which one")->required();
  edited->add_option("--if-match", line.if_match, "Only if its SHA-256 is this one")
      ->check([](const std::string& text) {
        return is_sha256_hex(text) ? "" : "is not 64 digits of lower-case hex";
      });
  edited->add_option("--policy", line.policy, "Whose rules for uploads hold");
  edited->add_flag("--json", line.json, "As JSON");
  CLI::App* checked =
      commands.add("check", "Compare the list of files with the files, and repair the list", check);
  checked->add_flag("--adopt", line.adopt, "What programs made gets an id, too");
  checked->add_flag("--json", line.json, "As JSON");
  top->footer(
      "Exit status 3: refused because of what is there (a name is taken, a hash is another), or something "
      "uses the "
      "project now.");
}

}  // namespace sbx
