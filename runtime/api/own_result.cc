#include "api/own_result.h"

#include <nlohmann/json.hpp>

#include "base/times.h"

namespace sbx::api {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson or_null(const std::string& text) {
  return text.empty() ? OrderedJson(nullptr) : OrderedJson(text);
}

OrderedJson own_result(const RunSummary& about, const char* outcome, const std::string& message) {
  return {{"schema", 1},
          {"run_id", about.id},
          {"task_id", or_null(about.task)},
          {"project_id", or_null(about.project)},
          {"sandbox_id", or_null(about.sandbox)},
          {"mode", "supervisor"},
          {"status", "error"},
          {"outcome", outcome},
          {"exit_code", nullptr},
          {"signal", nullptr},
          {"message", message}};
}

std::string one_line(const OrderedJson& json) {
  return json.dump(-1, ' ', true, OrderedJson::error_handler_t::replace);
}

}  // namespace

std::string failed_result(const RunSummary& about, const std::string& message) {
  OrderedJson result = own_result(about, "setup_failed", message);
  result["step"] = "prepare";
  result["created_at"] = rfc3339(about.created_ms);
  return one_line(result);
}

std::string unbegun_result(const RunSummary& about) {
  OrderedJson result = own_result(about, "cancelled", "the run was cancelled while it waited for its turn");
  result["step"] = nullptr;
  result["created_at"] = rfc3339(about.created_ms);
  return one_line(result);
}

std::string interrupted_result(const RunSummary& about,
                               const std::optional<std::array<std::uint64_t, 2>>& written) {
  OrderedJson result = own_result(about, "cancelled",
                                  "the run was cancelled because its supervisor ended before it had its end");
  result["step"] = nullptr;
  const auto stream = [&](std::size_t index) {
    return written ? OrderedJson{{"bytes", (*written)[index]}, {"truncated", false}} : OrderedJson(nullptr);
  };
  result["stdout"] = stream(0);
  result["stderr"] = stream(1);
  result["created_at"] = rfc3339(about.created_ms);
  result["finished_at"] = nullptr;  // nobody saw it
  return one_line(result);
}

}  // namespace sbx::api
