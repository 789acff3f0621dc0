// Configurations in the history's file, and what a request and one of them come to together.
#include <array>
#include <cerrno>

#include "api/configuration_table.h"
#include "api/history_schema.h"
#include "api/parse_request.h"
#include "unit/api/history_place.h"

namespace sbx::api {

using namespace testing;

namespace {

Configuration named(const std::string& project, const std::string& name, const std::string& owner = "uid:1") {
  return {project, name, owner, "{}", 1, 1};
}

Result<void> put(Opened& opened, const Configuration& configuration) {
  return opened.history.with_database(
      [&](const Database& database) { return put_configuration(database, configuration); });
}

std::optional<Configuration> find(Opened& opened, const std::string& project, const std::string& name) {
  std::optional<Configuration> found;
  CHECK(opened.history.with_database([&](const Database& database) -> Result<void> {
    auto there = find_configuration(database, project, name);
    REQUIRE(there);
    found = *there;
    return {};
  }));
  return found;
}

}  // namespace

TEST_CASE("a configuration is there for the next process, and what replaces it keeps its owner") {
  const Place place;
  {
    Opened opened(place);
    CHECK(put(opened, named("p", "n")));
    Configuration other{"p", "n", "uid:2", R"({"image":"i"})", 5, 7};
    CHECK(put(opened, other));
    CHECK(put(opened, named("q", "n")));
  }
  Opened opened(place);
  const auto found = find(opened, "p", "n");
  REQUIRE(found);
  CHECK(found->owner == "uid:1");
  CHECK(found->json == R"({"image":"i"})");
  CHECK(found->created_ms == 1);
  CHECK(found->updated_ms == 7);
  CHECK(opened.history.with_database(
      [](const Database& database) { return remove_configuration(database, "p", "n"); }));
  CHECK_FALSE(find(opened, "p", "n"));
  CHECK(find(opened, "q", "n"));
}

TEST_CASE("a project has so many configurations, and an owner in all projects") {
  const Place place;
  Opened opened(place);
  std::int64_t stored = 0;
  for (int project = 0; stored < kMostOfOwner; ++project) {
    for (std::int64_t i = 0; i < kMostOfProject; ++i, ++stored)
      REQUIRE(put(opened, named("p" + std::to_string(project), "n" + std::to_string(i))));
  }
  const auto of_project = put(opened, named("p0", "more", "uid:2"));
  REQUIRE_FALSE(of_project);
  CHECK(of_project.error().error_number == EDQUOT);
  CHECK(of_project.error().text == "the project 'p0' has 100 configurations, the most: remove one");
  const auto of_owner = put(opened, named("another", "n"));
  REQUIRE_FALSE(of_owner);
  CHECK(of_owner.error().text == "'uid:1' has 1000 configurations, the most: remove one");
  CHECK(put(opened, named("another", "n", "uid:2")));
  // In the place of one that is there.
  CHECK(put(opened, named("p0", "n1")));
}

TEST_CASE("a history of the version before gets a place for configurations, and keeps its runs") {
  const Place place;
  const RunRecord run = new_run();
  {
    auto database = Database::open(place.file(), "history");
    REQUIRE(database);
    REQUIRE(database->execute(kHistoryRuns));
    REQUIRE(database->execute(kHistoryKeys));
    REQUIRE(database->execute("PRAGMA user_version = 2"));
    auto file = HistoryFile::open(place.file());
    REQUIRE(file);
    REQUIRE(file->insert(run, {}));
  }
  Opened opened(place);
  CHECK(*opened.history.find(run.about.id));
  CHECK(put(opened, named("p", "n")));
  CHECK(place.broken().empty());
}

TEST_CASE("a configuration that cannot be stored now is told so, and nothing of it stays") {
  const Place place;
  Opened opened(place);
  const auto other = Database::open(place.file(), "history");
  REQUIRE(other->execute("BEGIN IMMEDIATE"));
  const auto stored = put(opened, named("p", "n"));
  REQUIRE_FALSE(stored);
  CHECK(stored.error().error_number == EBUSY);
  CHECK_FALSE(find(opened, "p", "n"));
  REQUIRE(other->execute("COMMIT"));
  CHECK_FALSE(find(opened, "p", "n"));
  CHECK(put(opened, named("p", "n")));
}

TEST_CASE("a file that turns out to be broken when a configuration is stored is begun anew") {
  const Place place;
  {
    Opened opened(place);
    for (int i = 0; i < 100; ++i)
      REQUIRE(put(opened, {"p", "n" + std::to_string(i), "uid:1", std::string(1000, 'x'), 1, 1}));
  }
  const auto size = fs::file_size(place.file());
  REQUIRE(size > 40'000);
  std::fstream file(place.file(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(8192);
  file << std::string(size - 8192, '\x7F');
  file.close();
  Opened opened(place);
  CHECK(put(opened, named("p", "n1")));
  CHECK(find(opened, "p", "n1")->json == "{}");
  CHECK_FALSE(find(opened, "p", "n2"));
  CHECK(place.broken().size() == 1);
}

TEST_CASE("what a request lacks comes from the configuration, of env, labels and limits each name") {
  constexpr std::array<std::string_view, 3> kMerged{"env", "labels", "limits"};
  const auto request = JsonObject::parse(
      R"({"image":"mine","policy":null,"env_vars":{"A":"1","B":""},"limits":{"pids":9,"cpus":null}})");
  const auto stored = JsonObject::parse(
      R"({"environment_type":"its","policy":"strict","env":{"B":"2","C":"3"},"labels":{"l":"x"},
          "limits":{"pids":5,"cpus":0.5,"memory_bytes":1000000},"idle_ms":7})");
  REQUIRE((request && stored));
  JsonObject own = *request;
  own.rename("env_vars", "env");
  JsonObject its = *stored;
  its.rename("environment_type", "image");
  its.rename("env_vars", "env");
  const auto asked = parse_sandbox(own.completed_by(its, kMerged));
  REQUIRE(asked);
  CHECK(asked->request.image == "mine");
  CHECK(asked->request.policy == "strict");
  CHECK(asked->request.environment == std::vector<EnvironmentVariable>{{"A", "1"}, {"B", ""}, {"C", "3"}});
  CHECK(asked->labels == Labels{{"l", "x"}});
  CHECK(asked->request.limits.pids == 9);
  CHECK(asked->request.limits.milli_cpus == 500U);
  CHECK(asked->request.limits.memory_bytes == 1'000'000);
  CHECK(asked->idle_ms == 7);
}

}  // namespace sbx::api
