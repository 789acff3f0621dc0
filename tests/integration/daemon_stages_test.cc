// The steps of a run among its events.
#include "integration/daemon.h"
#include "toy_image.h"

namespace sbx::test {

TEST_SUITE_BEGIN("v2");

namespace {

constexpr const char* kRunner = R"(
languages:
  - name: toy
    file: main.toy
    report: junit
    actions:
      run: [/bin/toy, "{file}", "{args}"]
      test: [/bin/toy, "{file}", "{report}"]
  - name: toyc
    file: main.toyc
    tool: toy
    actions:
      compile: [/bin/toy, --compile, "{file}", "{out}"]
      run: [/bin/toy, "{out}/main.toy", "{args}"]
)";

// "stage:run stdout exit"; `ids`: of each.
std::string kinds(const std::string& stream, std::vector<std::string>* ids = nullptr) {
  std::istringstream lines(stream);
  std::string all;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("id: ") && ids != nullptr) ids->push_back(line.substr(4));
    if (!line.starts_with("data: ")) continue;
    const json event = json::parse(line.substr(6));
    all += (all.empty() ? "" : " ") + event["type"].get<std::string>();
    if (event["type"] == "stage") all += ":" + event["data"].get<std::string>();
  }
  return all;
}

}  // namespace

TEST_CASE(
    "the steps of a run are told when they begin, again when it is replayed, and once after a reconnect") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  import_toy(place, "toy-1", kRunner);
  const Daemon daemon(place);
  const std::string sandbox = daemon.create({{"image", "toy-1"}});
  for (const std::string& path : {std::string("/v1/runs"), "/v1/sandboxes/" + sandbox + "/exec"}) {
    CAPTURE(path);
    const auto events_of = [&](json request, std::vector<std::string>* ids = nullptr) {
      if (path == "/v1/runs") request["image"] = "toy-1";
      const HttpAnswer begun = daemon.post(path, request);
      INFO(begun.text);
      REQUIRE(begun.status == 202);
      const std::string url = "/v1/runs/" + begun.body["run_id"].get<std::string>() + "/events";
      const std::string live = daemon.get(url).text;
      CHECK(daemon.get(url).text == live);
      std::vector<std::string> all;
      const std::string found = kinds(live, &all);
      for (std::size_t i = 0; i + 1 < all.size(); ++i) {
        const std::string rest = kinds(daemon.get(url + "?after=" + all[i]).text);
        std::string expected = found;
        for (std::size_t skipped = 0; skipped <= i; ++skipped) expected.erase(0, expected.find(' ') + 1);
        CHECK(rest == expected);
      }
      if (ids != nullptr) *ids = all;
      return found;
    };
    std::vector<std::string> ids;
    CHECK(events_of({{"language", "toyc"}, {"code", "compile print compiling\nprint running"}}, &ids) ==
          "stage:compile stage:run stdout exit");
    CHECK(ids == std::vector<std::string>{"0.0.1", "0.0.2", "8.0.2", "8.0.2"});
    CHECK(events_of({{"language", "toyc"}, {"code", "compile exit 3"}}) == "stage:compile exit");
    CHECK(events_of({{"language", "toy"}, {"code", "print a"}, {"action", "test"}}) ==
          "stage:test stdout exit");
    CHECK(events_of({{"command", {"/bin/toy", "/none"}}}).starts_with("stage:run "));
    CHECK(events_of({{"command", {"/none"}}}) == "stage:run exit");
  }
  // What never began has none.
  const json refused =
      daemon.run({{"image", "toy-1"}, {"command", {"x"}}, {"limits", {{"memory_bytes", 1ULL << 50U}}}});
  CHECK(kinds(daemon.get("/v1/runs/" + refused["run_id"].get<std::string>() + "/events").text) == "exit");
}

}  // namespace sbx::test
