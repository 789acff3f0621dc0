#include "api/project_file_routes.h"

#include <array>
#include <cerrno>

#include "api/file_request.h"
#include "api/multipart.h"
#include "api/project_question.h"
#include "api/query.h"
#include "base/names.h"
#include "base/printable.h"

namespace sbx::api {
namespace {

constexpr std::string_view kTop = ".";

// One of `words`, by its place; nothing is said: the first.
template <class T, std::size_t N>
Result<T> choice(const http::Request& request, std::string_view name,
                 const std::array<std::string_view, N>& words) {
  const std::string* value = request.query_value(name);
  if (value == nullptr) return static_cast<T>(0);
  const auto found = std::ranges::find(words, *value);
  if (found != words.end()) return static_cast<T>(found - words.begin());
  std::string known;
  for (const std::string_view word : words) known += (known.empty() ? "" : ", ") + std::string(word);
  return fail(std::string(name) + ": one of " + known + ", not '" + printable(value->substr(0, 64)) + "'");
}

constexpr std::array<std::string_view, 3> kTaken{"rename", "replace", "refuse"};
constexpr std::array<std::string_view, 2> kOnRefused{"fail", "skip"};
constexpr std::array<std::string_view, 2> kFormats{"tar", "zip"};

// Without a path it is about the top.
http::Request with_path(http::Request request) {
  if (request.query_value("path") == nullptr && request.query_value("path_base64") == nullptr)
    request.query.emplace_back("path", kTop);
  return request;
}

Result<std::string> policy_of(const http::Request& request) {
  const std::string* policy = request.query_value("policy");
  if (policy == nullptr) return std::string("default");
  TRY(check_name("policy", *policy));
  return *policy;
}

std::vector<std::string_view> fields_of(FileOperation operation) {
  switch (operation) {
  case FileOperation::write:
  case FileOperation::directory: return {"path", "path_base64", "parents", "policy"};
  case FileOperation::list: return {"path", "path_base64", "limit", "cursor", "recursive"};
  case FileOperation::move: return {"from", "from_base64", "to", "to_base64", "parents", "replace"};
  case FileOperation::remove: return {"path", "path_base64", "recursive"};
  case FileOperation::read: return {"path", "path_base64", "archive"};
  case FileOperation::stat: break;
  }
  return {"path", "path_base64"};
}

// What a question about files has besides its project; an error is one of the request.
Result<void> read_operation(const http::Request& request, FileOperation operation,
                            ProjectQuestion& question) {
  question.file = ProjectFileQuestion{};
  question.file->request = TRY(parse_file_request(operation, request, fields_of(operation)));
  // Folders are made on the way, if it is not said that they are not.
  question.file->request.parents = TRY(flag_of(request, "parents", true));
  question.policy = TRY(policy_of(request));
  return {};
}

// Of a folder, where something new comes.
Result<void> read_new(const http::Request& request, const char* field, ProjectQuestion& question) {
  constexpr std::size_t kMostName = 255;
  const http::Request asked = with_path(request);
  question.file = ProjectFileQuestion{};
  question.file->request = TRY(
      parse_file_request(FileOperation::directory, asked, {"path", "path_base64", "name", field, "policy"}));
  question.policy = TRY(policy_of(request));
  const std::string* name = request.query_value("name");
  if (name == nullptr) return {};
  if (name->empty() || name->size() > kMostName) return fail("name: give one, of at most 255 bytes");
  question.name = *name;
  return {};
}

Result<void> read_upload(const http::Request& request, ProjectQuestion& question) {
  TRY(read_new(request, "taken", question));
  question.file->taken = TRY((choice<Taken>(request, "taken", kTaken)));
  return {};
}

Result<void> read_extract(const http::Request& request, ProjectQuestion& question) {
  TRY(read_new(request, "on_refused", question));
  if (question.name.empty()) return fail("name: give one for the new folder");
  question.file->on_refused = TRY((choice<OnRefused>(request, "on_refused", kOnRefused)));
  return {};
}

Result<void> read_fetch(const http::Request& request, ProjectQuestion& question) {
  const bool packed = request.query_value("archive") != nullptr;
  TRY(read_operation(packed ? with_path(request) : request, FileOperation::read, question));
  if (!packed) return {};
  question.action = ProjectAction::fetch_archive;
  question.file->format = TRY((choice<ArchiveFormat>(request, "archive", kFormats)));
  question.file->request.from = question.file->request.most = std::nullopt;  // nobody knows its length
  return {};
}

}  // namespace

void ProjectFileRoutes::add_routes(Router& router) {
  const auto add = [&](const char* method, const std::string& path, auto handler) {
    router.add(method, "/v1/projects/{project}/files" + path, std::move(handler)).takes_its_own();
  };
  const auto operation = [this](FileOperation what) {
    return [this, what](const SharedCall& call) { operate(call, what); };
  };
  const auto own = [this](auto member) {
    return [this, member](const SharedCall& call) { (this->*member)(call); };
  };
  add("GET", "", own(&ProjectFileRoutes::fetch));
  add("PUT", "", operation(FileOperation::write));
  add("POST", "", own(&ProjectFileRoutes::upload));
  add("DELETE", "", operation(FileOperation::remove));
  add("GET", "/list", own(&ProjectFileRoutes::list));
  add("GET", "/stat", operation(FileOperation::stat));
  add("POST", "/directory", operation(FileOperation::directory));
  add("POST", "/move", operation(FileOperation::move));
  add("POST", "/extract", own(&ProjectFileRoutes::extract));
  add("POST", "/check", own(&ProjectFileRoutes::check));
}

void ProjectFileRoutes::ask(const SharedCall& call, const ProjectQuestion& question,
                            std::function<void(const OrderedJson&)> then) {
  auto asker = call->client.asker(call->exchange->peer_socket());
  if (!asker) return answer_file_error(*call, question, Error{asker.error().text, EAGAIN});
  queries_.ask(question, std::make_shared<const Asker>(std::move(*asker)),
               [call, question, then = std::move(then)](const Result<std::string>& text) {
                 if (!text) return answer_file_error(*call, question, text.error());
                 const OrderedJson json = OrderedJson::parse(*text, nullptr, false);
                 if (!json.is_object()) return answer_problem(*call, 503, "an answer of another build");
                 then(json);
               });
}

void ProjectFileRoutes::operate(const SharedCall& call, FileOperation operation) {
  auto question = question_of(call, ProjectAction::file);
  if (!question) return;
  if (const auto read = read_operation(call->request, operation, *question); !read)
    return answer_problem(*call, 400, read.error().text);
  if (operation == FileOperation::write) return transfers_.take(call, *question);
  ask(call, *question, [call, operation](const OrderedJson& json) {
    if (json.empty()) return call->exchange->respond({204, {}, ""});
    answer_json(*call, operation == FileOperation::directory ? 201 : 200, json);
  });
}

void ProjectFileRoutes::list(const SharedCall& call) {
  auto question = question_of(call, ProjectAction::file);
  if (!question) return;
  const auto recursive = flag_of(call->request, "recursive");
  const auto read = read_operation(with_path(call->request), FileOperation::list, *question);
  if (!recursive || !read)
    return answer_problem(*call, 400, recursive ? read.error().text : recursive.error().text);
  if (*recursive) question->action = ProjectAction::walk;
  ask(call, *question, [call](OrderedJson json) {
    if (json.contains("last")) {
      const bool more = json.value("more", false);
      const std::string last = json.value("last", "");
      json.erase("last");
      json.erase("more");
      json["next_cursor"] = more ? OrderedJson(last) : OrderedJson(nullptr);
    }
    answer_json(*call, 200, json);
  });
}

void ProjectFileRoutes::fetch(const SharedCall& call) {
  auto question = question_of(call, ProjectAction::file);
  if (!question) return;
  if (const auto read = read_fetch(call->request, *question); !read)
    return answer_problem(*call, 400, read.error().text);
  transfers_.fetch(call, *question);
}

void ProjectFileRoutes::upload(const SharedCall& call) {
  auto question = question_of(call, ProjectAction::upload);
  if (!question) return;
  const std::string* type = call->request.header("Content-Type");
  const auto boundary = multipart_boundary(type == nullptr ? "" : *type);
  if (!boundary) return answer_problem(*call, 415, boundary.error().text);
  if (const auto read = read_upload(call->request, *question); !read)
    return answer_problem(*call, 400, read.error().text);
  if (boundary->has_value() != question->name.empty())
    return answer_problem(*call, 400,
                          *boundary ? "name: each file of multipart/form-data has its own"
                                    : "name: give one for the file, or send files as multipart/form-data");
  if (*boundary) return transfers_.take_each(call, *question, **boundary);
  transfers_.take(call, *question);
}

void ProjectFileRoutes::extract(const SharedCall& call) {
  auto question = question_of(call, ProjectAction::extract);
  if (!question) return;
  if (const auto read = read_extract(call->request, *question); !read)
    return answer_problem(*call, 400, read.error().text);
  transfers_.take(call, *question);
}

void ProjectFileRoutes::check(const SharedCall& call) {
  auto question = question_of(call, ProjectAction::check_files);
  if (!question) return;
  constexpr std::array<std::string_view, 1> kKnown{"adopt"};
  const auto known = check_query(call->request, kKnown);
  const auto adopt = flag_of(call->request, "adopt");
  if (!known || !adopt) return answer_problem(*call, 400, known ? adopt.error().text : known.error().text);
  question->file = ProjectFileQuestion{};
  question->file->request.path = kTop;
  question->file->adopt = *adopt;
  ask(call, *question, [call](const OrderedJson& json) { answer_json(*call, 200, json); });
}

}  // namespace sbx::api
