#include "api/run_json.h"

#include "api/spill_reader.h"
#include "base/times.h"
#include "base/utf8.h"

namespace sbx::api {
namespace {

constexpr std::size_t kMostOutput = 8U << 20U;  // of a stream, in a result; all of it is at …/output

// Into the `stdout` or `stderr` of a result, which has its length.
void put_output(OrderedJson& stream, const Run& run, std::size_t index) {
  if (!stream.is_object()) return;
  Result<UniqueFd> file = run.open_output();
  if (!file) return;
  const Result<std::string> bytes = read_spilled(std::move(*file), index, kMostOutput + 1);
  if (!bytes || bytes->size() > kMostOutput) {
    stream["elsewhere"] = "/v1/runs/" + run.about().id + "/output";
  } else if (valid_utf8_prefix(*bytes) == bytes->size()) {
    stream["text"] = *bytes;
  } else {
    stream["base64"] = base64(*bytes);
  }
}

}  // namespace

OrderedJson run_json(const Run& run, bool with_output) {
  const RunSummary& about = run.about();
  OrderedJson json;
  if (run.ended()) {
    json = OrderedJson::parse(run.result(), nullptr, false);
    if (json.is_object()) {  // as it was told before the end
      json["created_at"] = rfc3339(about.created_ms);
      if (!about.sandbox.empty()) json["sandbox_id"] = about.sandbox;
    }
    if (with_output && json.is_object()) {
      if (json.contains("stdout")) put_output(json["stdout"], run, 0);
      if (json.contains("stderr")) put_output(json["stderr"], run, 1);
    }
  } else {
    json = {{"schema", 1},
            {"run_id", about.id},
            {"task_id", about.task.empty() ? OrderedJson(nullptr) : OrderedJson(about.task)},
            {"project_id", about.project.empty() ? OrderedJson(nullptr) : OrderedJson(about.project)},
            {"sandbox_id", about.sandbox.empty() ? OrderedJson(nullptr) : OrderedJson(about.sandbox)},
            {"status", run.started() ? "running" : "queued"},
            {"created_at", rfc3339(about.created_ms)}};
  }
  json["labels"] = about.labels;
  return json;
}

}  // namespace sbx::api
