#include "api/configurations.h"

#include <array>
#include <cerrno>

#include "base/names.h"
#include "base/times.h"

namespace sbx::api {
namespace {

OrderedJson describe(const Configuration& configuration) {
  return {{"project_id", configuration.project},
          {"name", configuration.name},
          {"created_at", rfc3339(configuration.created_ms)},
          {"updated_at", rfc3339(configuration.updated_ms)}};
}

OrderedJson describe_whole(const Configuration& configuration) {
  OrderedJson json = describe(configuration);
  json["configuration"] = OrderedJson::parse(configuration.json, nullptr, false);
  return json;
}

bool sees(const Call& call, const Configuration& configuration) {
  return call.client.sees(configuration.owner, configuration.project);
}

void answer_late(const SharedCall& call, const Error& error) {
  answer_problem(*call, 503, error.text, {{"Retry-After", "1"}});
}

// Both names of one thing as one.
JsonObject canonical(JsonObject object) {
  object.rename("env_vars", "env");
  object.rename("environment_type", "image");
  return object;
}

}  // namespace

void Configurations::add_routes(Router& router) {
  const auto add = [&](const char* method, const char* path, auto member) {
    router.add(method, path, [this, member](const SharedCall& call) { (this->*member)(call); });
  };
  add("GET", "/v1/projects/{project}/configurations", &Configurations::list);
  add("PUT", "/v1/projects/{project}/configurations/{name}", &Configurations::put);
  add("GET", "/v1/projects/{project}/configurations/{name}", &Configurations::get);
  add("DELETE", "/v1/projects/{project}/configurations/{name}", &Configurations::remove);
}

Result<std::optional<Configuration>> Configurations::find(const std::string& project,
                                                          const std::string& name) const {
  std::optional<Configuration> found;
  const auto look = [&](const Database& database) -> Result<void> {
    found = TRY(find_configuration(database, project, name));
    return {};
  };
  TRY(history_.with_database(look));
  return found;
}

std::optional<Configuration> Configurations::find_seen(const SharedCall& call) const {
  const std::string& project = call->parts[0];
  const std::string& name = call->parts[1];
  Result<std::optional<Configuration>> found = find(project, name);
  if (!found) return answer_late(call, found.error()), std::nullopt;
  if (*found && sees(*call, **found)) return std::move(*found);
  answer_problem(*call, 404, "the project '" + project + "' has no configuration '" + name + "'");
  return {};
}

void Configurations::put(const SharedCall& call) {
  for (const auto& [what, name] :
       {std::pair{"project_id", call->parts[0]}, {"configuration", call->parts[1]}}) {
    if (const auto good = check_name(what, name); !good) return answer_problem(*call, 400, good.error().text);
  }
  with_body(call, [this, call](const JsonObject& body) { store(call, body); });
}

void Configurations::store(const SharedCall& call, const JsonObject& body) {
  const std::string& project = call->parts[0];
  const std::string& name = call->parts[1];
  for (const char* key : {"project_id", "task_id", "session_id", "configuration", "transaction"}) {
    if (body.has(key))
      return answer_problem(*call, 400, "'" + std::string(key) + "': belongs to the request of a sandbox");
  }
  const auto its_project = JsonObject::parse(Json{{"project_id", project}}.dump());
  const Result<AskedSandbox> asked = parse_sandbox(body.completed_by(*its_project, {}));
  if (!asked) return answer_problem(*call, 400, asked.error().text);
  if (const std::string why = call->client.why_not(asked->request); !why.empty())
    return answer_problem(*call, 403, why);
  const std::int64_t now = utc_ms();
  Configuration configuration{project, name, call->client.owner(), body.dump(), now, now};
  if (configuration.json.size() > kMostConfigurationBytes)
    return answer_problem(*call, 413, "a configuration has at most 64 KiB");
  const auto before = find(project, name);
  if (!before) return answer_late(call, before.error());
  if (*before && !sees(*call, **before))
    return answer_problem(*call, 409,
                          "the project '" + project + "' has a configuration '" + name + "' of another user");
  if (*before) configuration.created_ms = (*before)->created_ms;
  const auto stored = history_.with_database(
      [&](const Database& database) { return put_configuration(database, configuration); });
  if (!stored && stored.error().error_number == EDQUOT)
    return answer_problem(*call, 409, stored.error().text);
  if (!stored) return answer_late(call, stored.error());
  const int status = *before ? 200 : 201;
  record(call, ProjectAction::store_configuration,
         [call, status, answer = describe_whole(configuration)] { answer_json(*call, status, answer); });
}

void Configurations::record(const SharedCall& call, ProjectAction done, std::function<void()> then) {
  auto asker = asker_of(*call);
  if (!asker) return;
  ProjectQuestion question;
  question.action = done;
  question.project = call->parts[0];
  question.name = call->parts[1];
  queries_.ask(std::move(question), std::make_shared<const Asker>(std::move(*asker)),
               [then = std::move(then)](const Result<std::string>&) { then(); });
}

void Configurations::get(const SharedCall& call) const {
  if (const auto found = find_seen(call)) answer_json(*call, 200, describe_whole(*found));
}

void Configurations::list(const SharedCall& call) const {
  std::vector<Configuration> all;
  const auto read = history_.with_database([&](const Database& database) -> Result<void> {
    all = TRY(list_configurations(database, call->parts[0]));
    return {};
  });
  if (!read) return answer_late(call, read.error());
  OrderedJson seen = OrderedJson::array();
  for (const Configuration& one : all) {
    if (sees(*call, one)) seen.push_back(describe(one));
  }
  answer_json(*call, 200, {{"configurations", std::move(seen)}});
}

Result<std::vector<std::string>> Configurations::names_of(const SharedCall& call,
                                                          const std::string& project) const {
  std::vector<Configuration> all;
  const auto look = [&](const Database& database) -> Result<void> {
    all = TRY(list_configurations(database, project));
    return {};
  };
  TRY(history_.with_database(look));
  std::vector<std::string> names;
  for (const Configuration& one : all) {
    if (sees(*call, one)) names.push_back(one.name);
  }
  return names;
}

Result<void> Configurations::move_all(const std::string& project, const std::string& new_project) const {
  return history_.with_database(
      [&](const Database& database) { return move_configurations(database, project, new_project); });
}

Result<void> Configurations::remove_all(const std::string& project) const {
  return history_.with_database(
      [&](const Database& database) { return remove_configurations(database, project); });
}

void Configurations::remove(const SharedCall& call) {
  const auto found = find_seen(call);
  if (!found) return;
  const auto removed = history_.with_database(
      [&](const Database& database) { return remove_configuration(database, found->project, found->name); });
  if (!removed) return answer_late(call, removed.error());
  record(call, ProjectAction::remove_configuration, [call] { call->exchange->respond({204, {}, ""}); });
}

std::optional<AskedSandbox> Configurations::complete(const SharedCall& call, const JsonObject& body,
                                                     const AskedSandbox& asked) const {
  constexpr std::array<std::string_view, 3> kMerged{"env", "labels", "limits"};
  const auto refuse = [&](int status, const std::string& why) -> std::optional<AskedSandbox> {
    answer_problem(*call, status, why);
    return {};
  };
  const std::string& project = asked.request.project;
  if (project.empty()) return refuse(400, "'configuration' is one of a project: give a 'project_id'");
  const auto found = find(project, asked.configuration);
  if (!found) return answer_late(call, found.error()), std::nullopt;
  if (!*found || !sees(*call, **found))
    return refuse(422, "the project '" + project + "' has no configuration '" + asked.configuration + "'");
  const auto stored = JsonObject::parse((*found)->json);
  if (!stored) return refuse(422, "the configuration: " + stored.error().text);
  // What the one may show, the other might not have wanted to.
  if (stored->has("binds") && !body.has("binds") && (*found)->owner != call->client.owner())
    return refuse(422, "the configuration has 'binds', which are for who stored it; give your own");
  const JsonObject own = canonical(body);
  JsonObject rest = canonical(*stored);
  // Of both only one may be given: what the request has takes the place of the other.
  if (own.has("image")) rest.rename("language", "image");
  if (own.has("language")) rest.rename("image", "language");
  auto whole = parse_sandbox(own.completed_by(rest, kMerged));
  // Each alone is good: together they may be too much, or of another version.
  if (!whole) return refuse(422, "with the configuration: " + whole.error().text);
  return std::move(*whole);
}

}  // namespace sbx::api
