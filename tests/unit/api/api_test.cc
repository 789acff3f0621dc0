// The parts of the API that are pure: states, events' ids, output from its file.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <set>

#include "api/call.h"
#include "api/parse_request.h"
#include "api/run_events.h"
#include "api/sandbox_name.h"
#include "api/sandbox_state.h"
#include "api/spill_reader.h"
#include "api/text_or_bytes.h"
#include "base/names.h"

namespace sbx::api {
namespace {

std::string refusal_of_body(const std::string& text) {
  const Result<JsonObject> parsed = JsonObject::parse(text);
  return parsed ? std::string() : parsed.error().text;
}

TEST_CASE("a body of JSON has a bound in depth and in values, and is not read beyond") {
  const auto list_of = [](std::size_t count, const std::string& value) {
    std::string text = "{\"a\":[";
    for (std::size_t i = 0; i < count; ++i) text += (i == 0 ? "" : ",") + value;
    return text + "]}";
  };
  CHECK(refusal_of_body(list_of(99'998, "{}")) == "");
  CHECK(refusal_of_body(list_of(99'999, "{}")) == "the body has more than 100000 values");
  CHECK(refusal_of_body(list_of(2'600'000, "[]")) == "the body has more than 100000 values");
  CHECK(refusal_of_body("{\"a\":" + std::string(31, '[') + std::string(31, ']') + "}") == "");
  CHECK(refusal_of_body("{\"a\":" + std::string(8'000'000, '[')) == "the body has more than 32 levels");
  CHECK(refusal_of_body(R"({"a": {"b": 1, "b": 2}})") == "the body: 'b' is given twice");
  CHECK(refusal_of_body(R"({"a": [{"b": 1}, {"b": 2}]})") == "");
  CHECK(refusal_of_body(R"({"a": 1,})") == "the body is no JSON: an error at byte 9");
  CHECK(refusal_of_body("[]") == "the body is no JSON object");
  CHECK(refusal_of_body("{\"a\": 1e999}").starts_with("the body is no JSON that can be read: "));
}

// A file of records, as a keeper writes them.
class SpillFile {
 public:
  SpillFile() : fd_(memfd_create("spill", MFD_CLOEXEC)) { REQUIRE(fd_.valid()); }
  void add(SpillKind kind, std::uint64_t offset, const std::string& bytes, std::uint64_t missing = 0) const {
    SpillHeader header;
    header.kind = kind;
    header.size = static_cast<std::uint32_t>(bytes.size());
    header.offset = offset;
    header.missing = missing;
    add_bytes(std::string(reinterpret_cast<const char*>(&header), sizeof header) + bytes);
  }
  void add_bytes(const std::string& bytes) const {
    REQUIRE(write(fd_.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  [[nodiscard]] UniqueFd open() const { return UniqueFd(fcntl(fd_.get(), F_DUPFD_CLOEXEC, 3)); }

 private:
  UniqueFd fd_;
};

}  // namespace

// Rows and columns in the order of the states; what docs/api.md says.
TEST_CASE("a sandbox goes from state to state by one table, and what may be asked depends on its state") {
  struct Row {
    SandboxState state;
    std::string_view next;   // x: it may become creating, ready, busy, paused, stopping, destroyed, failed
    std::string_view asked;  // x: exec, pause, resume, reset, stop, destroy, stats, files
  };
  constexpr std::array<Row, kSandboxStates.size()> kTable{{
      {SandboxState::creating, "-x--xxx", "-----x--"},
      {SandboxState::ready, "x-xxxx-", "xx-xxxxx"},
      {SandboxState::busy, "xx-xxx-", "xx-xxxxx"},
      {SandboxState::paused, "xxx-xx-", "--xxxxx-"},
      {SandboxState::stopping, "-----x-", "-----x--"},
      {SandboxState::destroyed, "-------", "--------"},
      {SandboxState::failed, "-------", "--------"},
  }};
  for (const Row& row : kTable) {
    CAPTURE(std::string(state_name(row.state)));
    CHECK(row.next.size() == kSandboxStates.size());
    for (std::size_t i = 0; i < row.next.size(); ++i) {
      CAPTURE(i);
      CHECK(may_become(row.state, static_cast<SandboxState>(i)) == (row.next[i] == 'x'));
    }
    CHECK(row.asked.size() == static_cast<std::size_t>(SandboxRequest::files) + 1);
    for (std::size_t i = 0; i < row.asked.size(); ++i) {
      CAPTURE(i);
      CHECK(may_ask(row.state, static_cast<SandboxRequest>(i)) == (row.asked[i] == 'x'));
    }
    CHECK(is_over(row.state) == (row.next == "-------"));
  }
}

TEST_CASE("the id of an event is two offsets and a number of stages, or the offsets alone; nothing else is") {
  const auto good = parse_event_id("12.345.6");
  REQUIRE(good);
  CHECK(*good == SpillPlace{{12, 345}, 6});
  CHECK(*parse_event_id("12.345") == SpillPlace{{12, 345}, std::nullopt});
  for (const char* bad : {"", ".", "1", "1.", ".1", "1.2.", "1.2.x", "1.2.3.", "1.2.3.4", "-1.2", "1.2 ",
                          "1..2", "99999999999999999999.1", "1.2.99999999999999999999"}) {
    CAPTURE(std::string(bad));
    CHECK_FALSE(parse_event_id(bad));
  }
}

TEST_CASE("output is read by record, from any offset, as far as it is whole") {
  const SpillFile file;
  file.add(SpillKind::standard_output, 0, "first");
  file.add(SpillKind::standard_error, 0, "bad");
  file.add(SpillKind::output_gap, 5, "", 10);
  file.add(SpillKind::standard_output, 15, "last");
  SpillReader all(file.open());
  for (const char* bytes : {"first", "bad", "", "last"}) {
    const auto piece = all.next();
    REQUIRE((piece && *piece));
    CHECK((*piece)->bytes == bytes);
    CHECK(((*piece)->missing == 10) == (std::string(bytes).empty()));
  }
  CHECK_FALSE(*all.next());
  SpillReader from(file.open());
  from.skip_to({.offsets = {3, 3}});
  CHECK((*from.next())->bytes == "st");
  CHECK((*from.next())->missing == 10);
  CHECK((*from.next())->offset == 15);
  CHECK(*read_spilled(file.open(), 0, 100) == "firstlast");
  CHECK(*read_spilled(file.open(), 0, 3) == "fir");
  CHECK(*read_spilled(file.open(), 1, 100) == "bad");

  // A record of which a part is there is one that is still to come.
  file.add_bytes("abc");
  SpillReader cut(file.open());
  for (int i = 0; i < 4; ++i) CHECK((*cut.next()));
  CHECK_FALSE(*cut.next());
  file.add_bytes(std::string(100, '\xFF'));
  CHECK_FALSE(cut.next());  // no kind that there is
}

TEST_CASE("stages are told where they begin, once each, and are no output") {
  const SpillFile file;
  const auto stage = [&](std::uint64_t out, const char* name, std::uint64_t error) {
    file.add(SpillKind::stage, out, name, error);
  };
  stage(0, "compile", 0);
  stage(0, "run", 0);
  file.add(SpillKind::standard_output, 0, "first");
  stage(5, "more", 0);
  file.add(SpillKind::standard_error, 0, "bad");
  const auto rest = [&](const SpillPlace& place) {
    SpillReader reader(file.open());
    reader.skip_to(place);
    std::string all;
    for (auto piece = reader.next(); *piece; piece = reader.next()) {
      CHECK(((*piece)->missing == 0));
      all += (*piece)->bytes + ((*piece)->stream == kStagePiece ? "! " : " ");
    }
    CHECK(reader.stages() == 3);
    return all;
  };
  CHECK(rest({}) == "compile! run! first more! bad ");
  CHECK(rest({{0, 0}, 1}) == "run! first more! bad ");
  CHECK(rest({{0, 0}, 2}) == "first more! bad ");
  CHECK(rest({{5, 0}, 2}) == "more! bad ");
  CHECK(rest({{5, 0}, 3}) == "bad ");
  CHECK(rest({{5, 3}, 3}).empty());
  // Without their number: those that begin exactly there again.
  CHECK(rest({{0, 0}, std::nullopt}) == "compile! run! first more! bad ");
  CHECK(rest({{2, 0}, std::nullopt}) == "rst more! bad ");
  CHECK(rest({{5, 0}, std::nullopt}) == "more! bad ");
  CHECK(rest({{5, 1}, std::nullopt}) == "ad ");
  CHECK(*read_spilled(file.open(), 0, 100) == "first");
  CHECK(*read_spilled(file.open(), 1, 100) == "bad");
  CHECK(count_spilled(file.open()) == std::array<std::uint64_t, 2>{5, 3});
}

TEST_CASE("a character that is cut waits for its rest, and what is none does not") {
  std::string text = "a\xE2\x82";
  CHECK(take_cut_character(text) == "\xE2\x82");
  CHECK(text == "a");
  text = "a\xFF";
  CHECK(take_cut_character(text).empty());
  nlohmann::ordered_json json;
  put_text_or_bytes(json, text);
  CHECK(json["encoding"] == "base64");
  CHECK(json["data"] == "Yf8=");
}

TEST_CASE("a switch of a query is on, off or refused") {
  http::Request request;
  const auto flag = [&](const char* value) {
    request.query = {{"wait", value}};
    return flag_of(request, "wait", true);
  };
  for (const char* on : {"", "1", "true"}) CHECK(flag(on).value());
  for (const char* off : {"0", "false"}) CHECK_FALSE(flag(off).value());
  CHECK(flag("maybe").error().text == "wait: 'true' or 'false', not 'maybe'");
  CHECK(flag_of(request, "output", true).value());
  CHECK_FALSE(flag_of(request, "output").value());
}

TEST_CASE("what no keeper could read is refused, and says why") {
  const auto refusal = [](const auto& parse, const Json& json) {
    const auto body = JsonObject::parse(json.dump());
    REQUIRE(body);
    const auto asked = parse(*body);
    return asked ? "" : asked.error().text;
  };
  const std::string zero = std::string("a") + '\0';
  CHECK(refusal(parse_run, {{"shell", "true"}}).empty());
  CHECK(refusal(parse_run, {{"shell", zero}}).find("NUL") != std::string::npos);
  CHECK(refusal(parse_command, {{"command", {zero}}}).find("NUL") != std::string::npos);
  CHECK(refusal(parse_sandbox, {{"env", {{"A", zero}}}}).find("NUL") != std::string::npos);
  const Json files(kMostSourceFiles + 1, {{"name", "a"}, {"content", ""}});
  CHECK(refusal(parse_run, {{"language", "c"}, {"files", files}}) == "'files': more than 1000");
  CHECK(refusal(parse_run, {{"language", "c"}, {"code", std::string(kMostSourceBytes + 1, 'x')}}) ==
        "files: more than 4M together");
  CHECK(refusal(parse_sandbox, {{"idle_ms", kMostMilliseconds + 1}}).find("100 years") != std::string::npos);
}

TEST_CASE("names of sandboxes are host names, and no two are the same") {
  const auto free = [](const std::string&) { return false; };
  CHECK(sandbox_name("", "", free) == "");
  CHECK(sandbox_name("p", "t", free) == "sbx-p-t");
  CHECK(sandbox_name("p", "", free) == "sbx-p");
  CHECK(sandbox_name("p", "a-b", free) == "sbx-p-a-b");
  std::set<std::string> names;
  const auto taken = [&](const std::string& name) { return names.contains(name); };
  const std::string name_64(64, 'x');
  for (const auto& [project, task] : {std::pair<std::string, std::string>{"a", "b-c"},
                                      {"a-b", "c"},
                                      {"", "a-b-c"},
                                      {"a-b-c", ""},
                                      {"a_b", "c"},
                                      {"a.b", "c"},
                                      {name_64, name_64},
                                      {"", name_64},
                                      {"x", "y-"},
                                      {"x", "y-"}}) {
    const std::string name = sandbox_name(project, task, taken);
    CAPTURE(name);
    CHECK(check_hostname("name", name));
    CHECK(name.starts_with("sbx-"));
    CHECK(names.insert(name).second);
  }
}

}  // namespace sbx::api
