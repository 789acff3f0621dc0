#include "monitor/audit_event.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace sbx {
namespace {

using nlohmann::json;

TEST_CASE("an event says who did what, and what came of it") {
  AuditEvent event;
  event.event = "file.move";
  event.caller = Caller{1000, ""};
  event.project_id = "demo";
  event.subject = "a";
  event.to = "b/a";
  json told = json::parse(event_to_json(event));
  CHECK(told["time"].get<std::string>().ends_with("Z"));
  told.erase("time");
  const json expected{{"event", "file.move"}, {"caller", {{"uid", 1000}}}, {"project_id", "demo"},
                      {"task_id", nullptr},   {"sandbox_id", nullptr},     {"subject", "a"},
                      {"to", "b/a"},          {"outcome", "done"},         {"message", nullptr}};
  CHECK(told.dump() == expected.dump());
  event.caller = Caller{0, "ci"};
  event.failed = true;
  event.message = "there is no such file";
  const json failed = json::parse(event_to_json(event));
  CHECK(failed["caller"].dump() == R"({"token":"ci"})");
  CHECK(failed["outcome"].get<std::string>() == "failed");
  CHECK(failed["message"].get<std::string>() == "there is no such file");
  event.caller.reset();
  CHECK(json::parse(event_to_json(event))["caller"].is_null());
}

TEST_CASE("an event that was made ahead gets the time when it is true") {
  const json told = json::parse(
      with_time_now(R"({"event":"sandbox.destroy","time":"2001-01-01T00:00:00.000Z","message":"x"})"));
  CHECK(told["time"].get<std::string>() > "2026");
  CHECK(told["message"].get<std::string>() == "x");
  for (const char* other : {R"({"run_id":"1","time":"2001"})", "no object", "[]"})
    CHECK(with_time_now(other) == other);
}

TEST_CASE("names that are no text stay what they are, and no byte of them reaches a terminal") {
  AuditEvent event;
  event.event = "file.upload";
  event.subject = "\x1b[2J\xff\n\u00e9";
  const std::string text = event_to_json(event);
  CHECK(std::ranges::all_of(text, [](char c) { return c >= ' ' && c < '\x7f'; }));
  const json told = json::parse(text);
  CHECK(told["subject_base64"].get<std::string>() == "G1sySv8Kw6k=");
  CHECK_FALSE(told.contains("to_base64"));
}

TEST_CASE("what is done with files are events, and looking at them is none") {
  FileRequest request;
  const auto name = [&](FileOperation operation) {
    request.operation = operation;
    const char* found = file_event_name(request);
    return std::string(found == nullptr ? "" : found);
  };
  CHECK(name(FileOperation::read) == "file.download");
  CHECK(name(FileOperation::write) == "file.upload");
  CHECK(name(FileOperation::remove) == "file.delete");
  CHECK(name(FileOperation::directory) == "file.mkdir");
  CHECK(name(FileOperation::move) == "file.move");
  CHECK(name(FileOperation::list).empty());
  CHECK(name(FileOperation::stat).empty());
  request.expected = "7692";
  CHECK(name(FileOperation::write) == "file.edit");
}

}  // namespace
}  // namespace sbx
