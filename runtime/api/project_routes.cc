#include "api/project_routes.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <deque>

#include "api/api_words.h"
#include "api/project_question.h"
#include "api/query.h"
#include "base/names.h"

namespace sbx::api {
namespace {

constexpr std::size_t kMostListed = 1'000;
// What was told to end is gone a moment after it has said so.
constexpr std::chrono::milliseconds kPause{50};
constexpr int kMostTries = 100;

constexpr int kConflict = 409;
constexpr int kUnavailable = 503;

OrderedJson parse_answer(const std::string& text) { return OrderedJson::parse(text, nullptr, false); }

Result<void> read_limits(const JsonObject& body, ProjectQuestion& question) {
  const LimitSet limits = TRY(body.limits("limits"));
  LimitSet known;
  known.disk_bytes = question.bytes = limits.disk_bytes;
  known.inodes = question.inodes = limits.inodes;
  if (!(known == limits)) return fail("'limits': those of a project are disk_bytes and inodes");
  return {};
}

Result<ProjectQuestion> parse_project(const JsonObject& body) {
  constexpr std::array<std::string_view, 3> kKeys{"project_id", "limits", "policy"};
  TRY(body.only(kKeys));
  ProjectQuestion question;
  question.action = ProjectAction::create;
  const auto id = TRY(body.text("project_id"));
  if (!id) return fail("'project_id': give one");
  TRY(check_name("'project_id'", *id));
  question.project = *id;
  if (const auto policy = TRY(body.text("policy"))) question.policy = *policy;
  TRY(check_name("'policy'", question.policy));
  TRY(read_limits(body, question));
  return question;
}

// Of one key, which is a name.
Result<std::string> parse_name(const JsonObject& body, std::string_view key) {
  const std::array<std::string_view, 1> keys{key};
  TRY(body.only(keys));
  const auto name = TRY(body.text(key));
  if (!name) return fail("'" + std::string(key) + "': give one");
  TRY(check_name("'" + std::string(key) + "'", *name));
  return *name;
}

struct Page {
  std::string behind;
  std::size_t limit = kMostListed;
};

Result<Page> parse_page(const http::Request& request) {
  constexpr std::array<std::string_view, 2> kKnown{"limit", "cursor"};
  TRY(check_query(request, kKnown));
  Page page;
  for (const auto& [name, value] : request.query) {
    if (name == "limit") page.limit = TRY(parse_limit(value, kMostListed));
    if (name == "cursor" && !check_name(name, value)) return fail(std::string(kNoCursor));
    if (name == "cursor") page.behind = value;
  }
  return page;
}

}  // namespace

void ProjectRoutes::add_routes(Router& router) {
  const auto add = [&](const char* method, const std::string& path, auto member) -> Router::Route& {
    return router.add(method, "/v1/projects" + path,
                      [this, member](const SharedCall& call) { (this->*member)(call); });
  };
  // Of what the path names, and answered as it is.
  const auto pass = [&](const char* method, const std::string& path, ProjectAction action) {
    router.add(method, "/v1/projects/{project}" + path, [this, action](const SharedCall& call) {
      const auto question = question_of(call, action);
      if (!question) return;
      ask(call, *question, [call](const OrderedJson& json) {
        if (json.empty()) return call->exchange->respond({204, {}, ""});
        answer_json(*call, 200, json);
      });
    });
  };
  add("GET", "", &ProjectRoutes::list).takes_its_own();
  add("POST", "", &ProjectRoutes::create);
  router
      .add(
          "DELETE", "/v1/projects", [this](const SharedCall& call) { remove_all(call); }, Scope::admin)
      .takes({"force"});
  add("GET", "/{project}", &ProjectRoutes::show);
  add("PATCH", "/{project}", &ProjectRoutes::limit);
  add("DELETE", "/{project}", &ProjectRoutes::remove).takes({"force"});
  add("POST", "/{project}/rename", &ProjectRoutes::rename).takes({"force"});
  pass("GET", "/transactions", ProjectAction::transactions);
  add("GET", "/{project}/transactions/{transaction}/diff", &ProjectRoutes::diff).takes({"format"});
  add("POST", "/{project}/transactions/{transaction}/commit", &ProjectRoutes::commit);
  pass("DELETE", "/transactions/{transaction}", ProjectAction::discard);
  pass("GET", "/snapshots", ProjectAction::snapshots);
  add("POST", "/{project}/snapshots", &ProjectRoutes::take_snapshot);
  pass("POST", "/snapshots/{snapshot}/restore", ProjectAction::restore_snapshot);
  pass("DELETE", "/snapshots/{snapshot}", ProjectAction::remove_snapshot);
}

void ProjectRoutes::ask_as(const SharedCall& call, ProjectQuestion question, const Done& done) {
  auto asker = call->client.asker(call->exchange->peer_socket());
  if (!asker) return done(fail(Error{asker.error().text, EAGAIN}));
  queries_.ask(std::move(question), std::make_shared<const Asker>(std::move(*asker)), done);
}

void ProjectRoutes::ask(const SharedCall& call, ProjectQuestion question,
                        std::function<void(OrderedJson)> then) {
  ask_as(call, std::move(question), [call, then = std::move(then)](const Result<std::string>& text) {
    if (!text) return answer_project_error(*call, text.error());
    OrderedJson json = parse_answer(*text);
    if (!json.is_object()) return answer_problem(*call, kUnavailable, "an answer of another build");
    then(std::move(json));
  });
}

// --- what there is ---------------------------------------------------------------------------------------

OrderedJson ProjectRoutes::with_living(const Call& call, OrderedJson project) const {
  OrderedJson living = OrderedJson::array();
  for (const auto& sandbox : sandboxes_.in_project(project.value("project_id", ""))) {
    if (Sandboxes::sees(call, *sandbox)) living.push_back(sandbox->id());
  }
  project["sandboxes"] = std::move(living);
  return project;
}

void ProjectRoutes::list(const SharedCall& call) {
  const auto page = parse_page(call->request);
  if (!page) return answer_problem(*call, 400, page.error().text);
  ask(call, {}, [this, call, page = *page](const OrderedJson& json) {
    OrderedJson shown = OrderedJson::array();
    OrderedJson next;
    for (const OrderedJson& project : json.value("projects", OrderedJson::array())) {
      const std::string id = project.value("project_id", "");
      if (id <= page.behind || !call->client.why_not_project(id).empty()) continue;
      if (shown.size() == page.limit) {
        next = shown.back()["project_id"];
        break;
      }
      shown.push_back(with_living(*call, project));
    }
    answer_json(*call, 200, {{"projects", std::move(shown)}, {"next_cursor", std::move(next)}});
  });
}

void ProjectRoutes::show(const SharedCall& call) {
  const auto question = question_of(call, ProjectAction::show);
  if (!question) return;
  ask(call, *question, [this, call](OrderedJson json) {
    const auto names = configurations_.names_of(call, call->parts.front());
    if (!names) return answer_problem(*call, kUnavailable, names.error().text, {{"Retry-After", "1"}});
    OrderedJson project = with_living(*call, std::move(json));
    project["configurations"] = *names;
    answer_json(*call, 200, project);
  });
}

void ProjectRoutes::create(const SharedCall& call) {
  with_body(call, [this, call](const JsonObject& body) {
    const auto question = parse_project(body);
    if (!question) return answer_problem(*call, 400, question.error().text);
    RunRequest run;
    run.project = question->project;
    run.policy = question->policy;
    if (const std::string why = call->client.why_not(run); !why.empty())
      return answer_problem(*call, 403, why);
    ask(call, *question, [this, call](OrderedJson json) {
      const std::string place = "/v1/projects/" + json.value("project_id", "");
      answer_json(*call, 201, with_living(*call, std::move(json)), {{"Location", place}});
    });
  });
}

void ProjectRoutes::limit(const SharedCall& call) {
  const auto named = question_of(call, ProjectAction::limit);
  if (!named) return;
  with_body(call, [this, call, question = *named](const JsonObject& body) mutable {
    constexpr std::array<std::string_view, 1> kKeys{"limits"};
    const auto known = body.only(kKeys);
    const auto read = known ? read_limits(body, question) : known;
    if (!read) return answer_problem(*call, 400, read.error().text);
    if (!question.bytes && !question.inodes)
      return answer_problem(*call, 400, "'limits': give disk_bytes or inodes");
    ask(call, question,
        [this, call](OrderedJson json) { answer_json(*call, 200, with_living(*call, std::move(json))); });
  });
}

// --- another name, the end -------------------------------------------------------------------------------

std::string ProjectRoutes::why_not_end(const Call& call, const std::string& project) const {
  for (const auto& sandbox : sandboxes_.in_project(project)) {
    if (!Sandboxes::sees(call, *sandbox)) return "a sandbox of another user lives in '" + project + "'";
  }
  for (const auto& run : runs_.in_project(project)) {
    if (!call.client.sees(run->about().owner, project, run->has_binds()))
      return "a run of another user is in '" + project + "'";
  }
  return {};
}

// Runs in sandboxes of many commands end with those.
void ProjectRoutes::end_all_in(const std::string& project, std::function<void()> then) {
  // Called when the last one that holds it is over.
  const std::shared_ptr<void> all(nullptr, [this, then = std::move(then)](void*) { loop_.post(then); });
  for (const auto& sandbox : sandboxes_.in_project(project)) {
    sandbox->when_over([all] {});
    if (may_ask(sandbox->state(), SandboxRequest::destroy)) sandbox->destroy(WhyDestroyed::project);
  }
  for (const auto& run : runs_.in_project(project)) {
    const auto follower = std::make_shared<Run::Follower>();
    *follower = run->follow([run, follower, all] {
      if (run->ended()) follower->reset();
    });
    run->signal(SIGTERM);
    run->signal(SIGTERM);
  }
}

void ProjectRoutes::ask_until_free(const SharedCall& call, const ProjectQuestion& question, const Done& done,
                                   int left) {
  ask_as(call, question, [this, call, question, done, left](const Result<std::string>& text) {
    const bool busy = !text && text.error().error_number == EBUSY;
    if (!busy || left == 0) return done(text);
    const auto timer = std::make_shared<http::Timer>();
    *timer = loop_.after(kPause, [this, call, question, done, left, timer] {
      ask_until_free(call, question, done, left - 1);
    });
  });
}

void ProjectRoutes::ask_alone(const SharedCall& call, const ProjectQuestion& question, const Done& done) {
  const auto force = flag_of(call->request, "force");
  if (!force) return answer_problem(*call, 400, force.error().text);
  if (!*force) return ask_as(call, question, done);
  if (const std::string why = why_not_end(*call, question.project); !why.empty())
    return done(fail(Error{why, EBUSY}));
  end_all_in(question.project,
             [this, call, question, done] { ask_until_free(call, question, done, kMostTries); });
}

void ProjectRoutes::rename(const SharedCall& call) {
  const auto named = question_of(call, ProjectAction::rename);
  if (!named) return;
  with_body(call, [this, call, question = *named](const JsonObject& body) mutable {
    const auto name = parse_name(body, "project_id");
    if (!name) return answer_problem(*call, 400, name.error().text);
    if (!is_for(call, *name)) return;
    question.name = *name;
    ask_alone(call, question, [this, call, question](const Result<std::string>& text) {
      if (!text) return answer_project_error(*call, text.error());
      const auto moved = configurations_.move_all(question.project, question.name);
      if (!moved)
        return answer_problem(*call, kUnavailable,
                              "the project has its new name, but what it has stored under '" +
                                  question.project + "/configurations' has not: " + moved.error().text);
      answer_json(*call, 200, with_living(*call, parse_answer(*text)));
    });
  });
}

void ProjectRoutes::remove(const SharedCall& call) {
  const auto question = question_of(call, ProjectAction::remove);
  if (!question) return;
  ask_alone(call, *question, [this, call, question = *question](const Result<std::string>& text) {
    if (!text) return answer_project_error(*call, text.error());
    const auto removed = configurations_.remove_all(question.project);
    if (!removed)
      return answer_problem(
          *call, kUnavailable,
          "the project is deleted, but not its stored configurations: " + removed.error().text);
    call->exchange->respond({204, {}, ""});
  });
}

// One after the other, whatever becomes of each.
struct ProjectRoutes::Removal {
  SharedCall call;
  std::deque<std::string> left;
  OrderedJson deleted = OrderedJson::array();
  OrderedJson refused = OrderedJson::array();
};

void ProjectRoutes::remove_all(const SharedCall& call) {
  ask(call, {}, [this, call](const OrderedJson& json) {
    const auto removal = std::make_shared<Removal>();
    removal->call = call;
    for (const OrderedJson& project : json.value("projects", OrderedJson::array())) {
      const std::string id = project.value("project_id", "");
      if (call->client.why_not_project(id).empty()) removal->left.push_back(id);
    }
    remove_next(removal);
  });
}

void ProjectRoutes::remove_next(const std::shared_ptr<Removal>& removal) {
  if (removal->left.empty())
    return answer_json(*removal->call, 200, {{"deleted", removal->deleted}, {"refused", removal->refused}});
  ProjectQuestion question;
  question.action = ProjectAction::remove;
  question.project = removal->left.front();
  removal->left.pop_front();
  ask_alone(removal->call, question, [this, removal, id = question.project](const Result<std::string>& text) {
    const auto removed = text ? configurations_.remove_all(id) : fail(text.error());
    if (removed) removal->deleted.push_back(id);
    if (!removed)
      removal->refused.push_back({{"project_id", id}, {"detail", in_api_words(removed.error().text)}});
    remove_next(removal);
  });
}

// --- transactions and snapshots --------------------------------------------------------------------------

void ProjectRoutes::diff(const SharedCall& call) {
  const std::string* format = call->request.query_value("format");
  const bool patch = format != nullptr && *format == "patch";
  if (format != nullptr && !patch && *format != "json")
    return answer_problem(*call, 400, "format: 'json' or 'patch'");
  const auto question = question_of(call, patch ? ProjectAction::patch : ProjectAction::diff);
  if (!question) return;
  if (!patch) return ask(call, *question, [call](const OrderedJson& json) { answer_json(*call, 200, json); });
  ask_as(call, *question, [call](const Result<std::string>& text) {
    if (!text) return answer_project_error(*call, text.error());
    call->exchange->respond({200, {{"Content-Type", "text/x-diff"}}, *text});
  });
}

void ProjectRoutes::commit(const SharedCall& call) {
  const auto question = question_of(call, ProjectAction::commit);
  if (!question) return;
  ask(call, *question, [call](const OrderedJson& json) {
    const OrderedJson conflicts = json.value("conflicts", OrderedJson::array());
    if (conflicts.empty()) return call->exchange->respond({204, {}, ""});
    OrderedJson problem{{"type", "about:blank"},
                        {"title", "Conflict"},
                        {"status", kConflict},
                        {"detail",
                         "not committed: the project has changed since the transaction began, and "
                         "not to the same, at these paths"},
                        {"conflicts", conflicts}};
    call->exchange->respond({kConflict,
                             {{"Content-Type", "application/problem+json"}},
                             problem.dump(-1, ' ', true, OrderedJson::error_handler_t::replace) + "\n"});
  });
}

void ProjectRoutes::take_snapshot(const SharedCall& call) {
  const auto named = question_of(call, ProjectAction::take_snapshot);
  if (!named) return;
  with_body(call, [this, call, question = *named](const JsonObject& body) mutable {
    const auto name = parse_name(body, "name");
    if (!name) return answer_problem(*call, 400, name.error().text);
    question.name = *name;
    ask(call, question, [call](const OrderedJson& json) { answer_json(*call, 201, json); });
  });
}

}  // namespace sbx::api
