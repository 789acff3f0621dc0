// The result as JSON. What it holds is partly the workload's and the caller's own bytes, so the text is pure
// ASCII (everything else as \uXXXX): no control sequence reaches a terminal and no odd line break a log
// reader.
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/utf8.h"
#include "outcome/run_result.h"

namespace sbx {
namespace {

using Json = nlohmann::ordered_json;

std::string one_line(const Json& json) {
  constexpr int kOneLine = -1;
  constexpr bool kAscii = true;
  return json.dump(kOneLine, ' ', kAscii, Json::error_handler_t::replace);
}

// The command in a result is for a person who looks for a run, not a copy of a program.
constexpr std::size_t kMaxArguments = 64;
constexpr std::size_t kMaxCommandBytes = 4096;
constexpr std::size_t kMaxArgumentBytes = 1024;
constexpr std::size_t kMaxInlineCodeBytes = 120;
constexpr std::size_t kDigestBytes = 96;  // what {"sha256":…} counts for; nearly its length in JSON

Json or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json stream_json(const std::optional<CapturedStream>& stream, bool with_output) {
  if (!stream) return nullptr;
  Json json = Json::object();
  if (with_output && !stream->elsewhere) {
    const std::string_view data = stream->data;
    const std::size_t valid = valid_utf8_prefix(data);
    // A limit that cut the stream inside a character does not make the text before it binary.
    if (valid == data.size() || (stream->truncated && is_cut_character(data.substr(valid)))) {
      json["text"] = data.substr(0, valid);
    } else {
      json["base64"] = base64(data);
    }
  }
  json["bytes"] = stream->bytes;
  json["truncated"] = stream->truncated;
  return json;
}

// True for an option whose value is a program: -c, -e, -p, -r, clusters such as -lc, and their long forms.
bool takes_inline_code(std::string_view argument) {
  if (argument.starts_with("--")) {
    return argument == "--eval" || argument == "--print" || argument == "--command" ||
           argument == "--execute";
  }
  constexpr std::size_t kLongestCluster = 5;
  if (argument.size() < 2 || argument.size() > kLongestCluster || argument[0] != '-') return false;
  return std::string_view("cepr").find(argument.back()) != std::string_view::npos;
}

bool is_long_inline_code(const std::vector<std::string>& command, std::size_t index) {
  const std::string& argument = command[index];
  if (argument.size() <= kMaxInlineCodeBytes || index == 0) return false;
  const std::string_view option = std::string_view(argument).substr(0, argument.find('='));
  return takes_inline_code(command[index - 1]) || (option.starts_with("--") && takes_inline_code(option));
}

Json command_json(const std::vector<std::string>& command) {
  Json list = Json::array();
  std::size_t used = 0;
  for (std::size_t i = 0; i < command.size(); ++i) {
    const std::string& argument = command[i];
    const bool hidden = argument.size() > kMaxArgumentBytes || is_long_inline_code(command, i);
    used += hidden ? kDigestBytes : argument.size();
    if (i == kMaxArguments || used > kMaxCommandBytes) {
      // The rest as one: each argument followed by a NUL byte, as in /proc/PID/cmdline.
      Sha256 hash;
      std::uint64_t bytes = 0;
      for (std::size_t rest = i; rest < command.size(); ++rest) {
        hash.update(std::string_view(command[rest].c_str(), command[rest].size() + 1));
        bytes += command[rest].size() + 1;
      }
      list.push_back({{"sha256", hash.hex()}, {"bytes", bytes}, {"arguments", command.size() - i}});
      break;
    }
    if (hidden) {
      list.push_back({{"sha256", sha256_hex(argument)}, {"bytes", argument.size()}});
    } else {
      list.push_back(argument);
    }
  }
  return list;
}

// In the unit that the field's name says: bytes, milliseconds, a count, or CPUs as a decimal number.
Json limit_json(std::uint64_t value, LimitUnit unit) {
  return unit == LimitUnit::milli_cpus ? Json(static_cast<double>(value) / 1000.0) : Json(value);
}

Json limits_json(const LimitSet& limits) {
  Json json = Json::object();
  for (const LimitField& field : kLimits) {
    const std::optional<std::uint64_t>& value = limits.*field.member;
    json[std::string(field.name)] = value ? limit_json(*value, field.unit) : Json(nullptr);
  }
  return json;
}

Json limits_hit_json(const std::vector<LimitHit>& hits) {
  Json list = Json::array();
  for (const LimitHit& hit : hits) {
    const auto* field = std::ranges::find(kLimits, hit.limit, &LimitField::name);
    const LimitUnit unit = field == kLimits.end() ? LimitUnit::count : field->unit;
    list.push_back({{"limit", hit.limit},
                    {"value", limit_json(hit.value, unit)},
                    {"reached", hit.reached ? limit_json(*hit.reached, unit) : Json(nullptr)}});
  }
  return list;
}

Json usage_json(const Usage& usage) {
  return {{"wall_ms", or_null(usage.wall_ms)},
          {"user_ms", or_null(usage.user_ms)},
          {"system_ms", or_null(usage.system_ms)},
          {"memory_peak_bytes", or_null(usage.memory_peak_bytes)},
          {"pids_peak", or_null(usage.pids_peak)},
          {"io_read_bytes", or_null(usage.io_read_bytes)},
          {"io_write_bytes", or_null(usage.io_write_bytes)},
          {"throttled_ms", or_null(usage.throttled_ms)},
          {"workspace_bytes", or_null(usage.workspace_bytes)},
          {"workspace_inodes", or_null(usage.workspace_inodes)}};
}

Json tests_json(const TestCounts& tests) {
  return {{"passed", tests.passed},
          {"failed", tests.failed},
          {"errors", tests.errors},
          {"skipped", tests.skipped}};
}

Json caller_json(const Caller& caller) {
  return caller.token.empty() ? Json{{"uid", caller.uid}} : Json{{"token", caller.token}};
}

Json setup_json(const std::vector<std::pair<std::string, double>>& steps) {
  Json json = Json::object();
  for (const auto& [step, milliseconds] : steps) json[step] = std::round(milliseconds * 1000.0) / 1000.0;
  return json;
}

Json place_json(const FailurePlace& place) {
  return {{"file", place.file}, {"line", place.line}, {"column", or_null(place.column)}};
}

// Without what the program wrote, where its output is left out.
Json failure_json(const std::optional<Failure>& failure, bool with_output) {
  if (!failure) return nullptr;
  const bool told = with_output || failure->from != FailureSource::output;
  Json json;
  json["class"] = failure_class_name(failure->kind);
  json["from"] = failure_source_name(failure->from);
  json["output_read"] = failure->output_read;
  json["subject"] = told ? or_null(failure->subject) : Json(nullptr);
  json["evidence"] = failure->evidence && with_output
                         ? Json{{"stream", failure->evidence->stream}, {"text", failure->evidence->text}}
                         : Json(nullptr);
  json["place"] = failure->place && with_output ? place_json(*failure->place) : Json(nullptr);
  json["hint"] = told ? or_null(failure->hint) : Json(nullptr);
  return json;
}

// What the program of a step came to, the same for a compile step and for the run itself.
void put_ending(Json& json, const StepResult& result, bool with_output) {
  json["status"] = result_status(result);
  json["outcome"] = outcome_name(result.outcome);
  json["exit_code"] = or_null(result.exit_code);
  json["signal"] = result.signal ? Json(signal_name(*result.signal)) : Json(nullptr);
  json["message"] = result.message;
  json["step"] = or_null(result.step);
  json["failure"] = failure_json(result.failure, with_output);
  json["limits"] = limits_json(result.limits);
  json["limits_hit"] = limits_hit_json(result.limits_hit);
  json["denied"] = Json::array();
  for (const Denial& denial : result.denied) {
    json["denied"].push_back(
        {{"syscall", denial.syscall}, {"count", denial.count}, {"family", or_null(denial.family)}});
  }
}

Json compile_json(const StepResult& step, bool with_output) {
  Json json;
  json["command"] = command_json(step.command);
  put_ending(json, step, with_output);
  json["usage"] = usage_json(step.usage);
  json["stdout"] = stream_json(step.standard_output, with_output);
  json["stderr"] = stream_json(step.standard_error, with_output);
  json["setup_ms"] = setup_json(step.setup_ms);
  json["started_at"] = or_null(step.started_at);
  return json;
}

const char* type_name(mode_t mode) {
  switch (mode & S_IFMT) {
  case S_IFREG: return "file";
  case S_IFDIR: return "directory";
  case S_IFLNK: return "link";
  case S_IFIFO: return "fifo";
  case S_IFSOCK: return "socket";
  default: return "device";
  }
}

Json entry_json(const std::optional<tree::EntryState>& entry) {
  if (!entry) return nullptr;
  constexpr mode_t kPermissions = 07777;
  std::array<char, 8> mode{};
  (void)std::snprintf(mode.data(), mode.size(), "%04o", entry->mode & kPermissions);
  return {{"type", type_name(entry->mode)}, {"mode", mode.data()}, {"bytes", entry->size}};
}

// A path that is no UTF-8 is base64, as output is.
Json change_json(const tree::Change& change) {
  const bool text = valid_utf8_prefix(change.path) == change.path.size();
  Json json;
  if (text) json["path"] = change.path;
  if (!text) json["path_base64"] = base64(change.path);
  json["change"] = !change.before ? "added" : !change.after ? "deleted" : "changed";
  json["content"] = change.content;
  json["before"] = entry_json(change.before);
  json["after"] = entry_json(change.after);
  return json;
}

Json changes_json(const ChangeList& changes) {
  Json list = Json::array();
  for (const tree::Change& change : changes.list) list.push_back(change_json(change));
  return {{"added", changes.added},
          {"changed", changes.changed},
          {"deleted", changes.deleted},
          {"truncated", changes.truncated},
          {"list", std::move(list)}};
}

}  // namespace

std::string changes_to_json(const ChangeList& changes) { return one_line(changes_json(changes)); }

std::string result_to_json(const RunResult& result, bool with_output) {
  Json json;
  json["schema"] = 1;
  json["run_id"] = result.run_id;
  json["task_id"] = or_null(result.task_id);
  json["project_id"] = or_null(result.project_id);
  json["sandbox_id"] = or_null(result.sandbox_id);
  json["mode"] = result.mode;
  json["image"] = {{"name", result.image_name}, {"digest", or_null(result.image_digest)}};
  json["language"] = or_null(result.language);
  json["action"] = or_null(result.action);
  json["code"] =
      result.code ? Json{{"sha256", result.code->sha256}, {"bytes", result.code->bytes}} : Json(nullptr);
  json["command"] = command_json(result.command);
  json["cwd"] = result.cwd;
  json["caller"] = caller_json(result.caller);
  json["policy"] = {{"name", result.policy_name}, {"fingerprint", or_null(result.policy_fingerprint)}};
  put_ending(json, result, with_output);
  json["compile"] = result.compile ? compile_json(*result.compile, with_output) : Json(nullptr);
  json["tests"] = result.tests ? tests_json(*result.tests) : Json(nullptr);
  json["transaction"] = or_null(result.transaction);
  json["changes"] = result.changes ? changes_json(*result.changes) : Json(nullptr);
  json["usage"] = usage_json(result.usage);
  json["stdout"] = stream_json(result.standard_output, with_output);
  json["stderr"] = stream_json(result.standard_error, with_output);
  json["controls"] = Json::object();
  for (const auto& [control, how] : result.controls) json["controls"][control] = how;
  json["degradations"] = result.degradations;
  json["environment"] = result.environment_names;
  json["validation"] = nullptr;
  json["setup_ms"] = setup_json(result.setup_ms);
  json["created_at"] = or_null(result.created_at);
  json["started_at"] = or_null(result.started_at);
  json["finished_at"] = or_null(result.finished_at);
  return one_line(json);
}

std::string with_more_in_message(const std::string& json, std::string_view more) {
  Json object = Json::parse(json, nullptr, false);
  const auto message = object.find("message");
  if (!object.is_object() || message == object.end() || !message->is_string()) return json;
  *message = message->get<std::string>() + std::string(more);
  return one_line(object);
}

bool is_result_json(std::string_view text) {
  return text.starts_with('{') && text.find('\n') == std::string_view::npos && nlohmann::json::accept(text);
}

}  // namespace sbx
