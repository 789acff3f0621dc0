#include "api/run_filter.h"

#include <doctest/doctest.h>

#include "outcome/run_result.h"

namespace sbx::api {
namespace {

using Query = std::vector<std::pair<std::string, std::string>>;

Result<RunFilter> parse(Query query) {
  http::Request request;
  request.query = std::move(query);
  return parse_run_filter(request);
}

}  // namespace

TEST_CASE("a query of the list is read into what it asks for") {
  const auto none = parse(Query{});
  REQUIRE(none);
  CHECK(none->limit == 50);
  CHECK_FALSE(none->owner);
  const auto all = parse(Query{{"limit", "500"},
                               {"cursor", "17.4"},
                               {"project_id", "p"},
                               {"task_id", "t"},
                               {"sandbox_id", "s"},
                               {"outcome", "timed_out"},
                               {"status", "timeout"},
                               {"label", "a=b=c"},
                               {"label", "d"},
                               {"label", "e="},
                               {"since", "12"},
                               {"until", "1970-01-01T01:00:01 01:00"}});
  REQUIRE(all);
  CHECK(all->limit == 500);
  CHECK(all->behind == RunPosition{17, 4});
  CHECK(all->project == "p");
  CHECK(all->task == "t");
  CHECK(all->sandbox == "s");
  CHECK(all->outcome == "timed_out");
  CHECK(all->status == "timeout");
  using Label = std::pair<std::string, std::optional<std::string>>;
  CHECK(all->labels == std::vector<Label>{{"a", "b=c"}, {"d", std::nullopt}, {"e", ""}});
  CHECK(all->since_ms == 12);
  CHECK(all->until_ms == 1000);
  for (const std::string_view outcome : kOutcomeNames) CHECK(parse(Query{{"outcome", std::string(outcome)}}));
}

TEST_CASE("what is wrong with a query is said by its name") {
  for (const auto& [name, value] : Query{{"limit", ""},
                                         {"limit", "0"},
                                         {"limit", "-1"},
                                         {"limit", "501"},
                                         {"limit", "1x"},
                                         {"cursor", ""},
                                         {"cursor", "1"},
                                         {"cursor", "1.2.3"},
                                         {"cursor", " 1.2"},
                                         {"outcome", "ok"},
                                         {"status", ""},
                                         {"since", "tomorrow"},
                                         {"until", "1.5"},
                                         {"order", "newest"}}) {
    CAPTURE(name);
    CAPTURE(value);
    const auto filter = parse(Query{{name, value}});
    REQUIRE_FALSE(filter);
    CHECK(filter.error().text.find(name) != std::string::npos);
  }
  CHECK_FALSE(parse(Query{{"task_id", "a"}, {"task_id", "b"}}));
  CHECK(parse(Query{{"label", "a"}, {"label", "a"}}));
  CHECK_FALSE(parse(Query(9, {"label", "a"})));
}

}  // namespace sbx::api
