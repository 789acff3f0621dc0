#include "api/metrics.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace sbx::api {
namespace {

using Json = nlohmann::ordered_json;

// The shortest text that is read back as the same number, whatever the locale.
std::string text_of(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

// Seconds of a time in milliseconds.
double seconds(std::int64_t ms) { return static_cast<double>(ms) / 1000.0; }

class Exposition {
 public:
  void begin(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_ +=
        "# HELP " + name_ + " " + std::string(help) + "\n# TYPE " + name_ + " " + std::string(type) + "\n";
  }
  template <class T>
  void sample(T value, std::string_view labels = {}, std::string_view suffix = {}) {
    text_ += name_ + std::string(suffix);
    if (!labels.empty()) text_ += "{" + std::string(labels) + "}";
    if constexpr (std::is_floating_point_v<T>) {
      text_ += " " + text_of(value) + "\n";
    } else {
      text_ += " " + std::to_string(value) + "\n";
    }
  }
  template <class T>
  void one(std::string_view name, std::string_view type, std::string_view help, T value) {
    begin(name, type, help);
    sample(value);
  }
  void histogram(const Histogram& times, const std::string& labels) {
    const std::string before = labels.empty() ? "" : labels + ",";
    for (std::size_t i = 0; i < kBuckets.size(); ++i)
      sample(times.at_most(i), before + "le=\"" + text_of(kBuckets[i]) + "\"", "_bucket");
    sample(times.count(), before + "le=\"+Inf\"", "_bucket");
    sample(times.sum(), labels, "_sum");
    sample(times.count(), labels, "_count");
  }
  [[nodiscard]] std::string take() && { return std::move(text_); }

 private:
  std::string name_;
  std::string text_;
};

std::string label(std::string_view name, std::string_view value) {
  return std::string(name) + "=\"" + std::string(value) + "\"";
}

Json histogram_json(const Histogram& times) {
  Json json{{"count", times.count()}, {"seconds", times.sum()}};
  json["mean_ms"] =
      times.count() == 0 ? Json() : Json(times.sum() * 1000.0 / static_cast<double>(times.count()));
  Json at_most = Json::object();
  for (std::size_t i = 0; i < kBuckets.size(); ++i) at_most[text_of(kBuckets[i])] = times.at_most(i);
  json["at_most_s"] = std::move(at_most);
  return json;
}

std::size_t count_of(const std::map<SandboxState, std::size_t>& counts, SandboxState state) {
  const auto found = counts.find(state);
  return found == counts.end() ? 0 : found->second;
}

}  // namespace

void Histogram::note(std::chrono::duration<double> time) {
  ++count_;
  sum_ += time.count();
  for (std::size_t i = 0; i < kBuckets.size(); ++i) {
    if (time.count() <= kBuckets[i]) ++at_most_[i];
  }
}

// An outcome is a word of ours: nothing else becomes a label.
void Metrics::note_run(std::string_view outcome, bool alone, std::chrono::duration<double> time) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  if (outcome.empty() || outcome.size() > 32 || !std::ranges::all_of(outcome, fits)) outcome = "unknown";
  ++outcomes_[std::string(outcome)];
  (alone ? runs_ : commands_).note(time);
}

void Metrics::note_creation(bool made, std::chrono::duration<double> time) {
  if (!made) ++failed_creations_;
  if (made) creations_.note(time);
}

void Metrics::note_sweep(std::size_t removed) {
  ++sweeps_;
  swept_ += removed;
}

void Metrics::begin(std::int64_t sbxd_started_ms, std::uint64_t api_restarts, std::uint64_t nursery_restarts,
                    std::uint64_t swept) {
  sbxd_started_ms_ = sbxd_started_ms;
  api_restarts_ = api_restarts;
  nursery_restarts_ = nursery_restarts;
  swept_ = swept;
}

std::string Metrics::prometheus(const Now& now) const {
  Exposition out;
  out.begin("sbx_info", "gauge", "The version that runs.");
  out.sample(1, label("version", SBX_VERSION));
  out.begin("sbx_sandboxes", "gauge", "Living sandboxes of many commands, by state.");
  for (const SandboxState state : {SandboxState::creating, SandboxState::ready, SandboxState::busy,
                                   SandboxState::paused, SandboxState::stopping})
    out.sample(count_of(now.sandboxes, state), label("state", state_name(state)));
  out.one("sbx_keepers", "gauge", "Sandboxes of both kinds, each with a keeper.", now.keepers);
  out.one("sbx_keepers_most", "gauge", "The most there may be (max_sandboxes).", now.most_keepers);
  out.begin("sbx_runs", "gauge", "Runs and commands that have not ended.");
  out.sample(now.queued, label("status", "queued"));
  out.sample(now.running, label("status", "running"));
  out.begin("sbx_runs_ended_total", "counter", "Runs and commands that have ended, by outcome.");
  for (const auto& [outcome, count] : outcomes_) out.sample(count, label("outcome", outcome));
  out.one("sbx_runs_kept", "gauge", "Runs that are remembered.", now.kept_runs);
  out.one("sbx_kept_bytes", "gauge", "What is kept of what ended runs wrote.", now.kept_bytes);
  out.begin("sbx_create_seconds", "histogram", "From the request for a sandbox until it was ready.");
  out.histogram(creations_, "");
  out.one("sbx_create_failures_total", "counter", "Sandboxes that could not be made.", failed_creations_);
  out.one("sbx_sandboxes_reused_total", "counter", "Requests whose task had its sandbox already.", reused_);
  out.one("sbx_pool_ready", "gauge", "Sandboxes that were made ahead and wait.", now.pool_ready);
  out.one("sbx_pool_hits_total", "counter", "Requests that got one of them.", now.pool_hits);
  out.one("sbx_pool_misses_total", "counter", "Requests that could have, had there been one.",
          now.pool_misses);
  out.begin("sbx_exec_seconds", "histogram", "From the request for a run or a command to its result.");
  out.histogram(runs_, label("kind", "run"));
  out.histogram(commands_, label("kind", "command"));
  out.one("sbx_sweeps_total", "counter", "Sweeps of what has no owner, since the API started.", sweeps_);
  out.one("sbx_swept_total", "counter", "What they, and those of sbxd's starts, removed.", swept_);
  out.one("sbx_api_restarts_total", "counter", "How often the API died.", api_restarts_);
  out.one("sbx_nursery_restarts_total", "counter", "How often a nursery died.", nursery_restarts_);
  out.one("sbx_start_time_seconds", "gauge", "When sbxd started, since 1970.", seconds(sbxd_started_ms_));
  out.one("process_start_time_seconds", "gauge", "When its API started, since 1970.", seconds(started_ms_));
  return std::move(out).take();
}

std::string Metrics::json(const Now& now) const {
  Json sandboxes = Json::object();
  for (const SandboxState state : {SandboxState::creating, SandboxState::ready, SandboxState::busy,
                                   SandboxState::paused, SandboxState::stopping})
    sandboxes[std::string(state_name(state))] = count_of(now.sandboxes, state);
  const Json json{{"version", SBX_VERSION},
                  {"started_at", rfc3339(sbxd_started_ms_)},
                  {"api_started_at", rfc3339(started_ms_)},
                  {"sandboxes", std::move(sandboxes)},
                  {"keepers", now.keepers},
                  {"max_sandboxes", now.most_keepers},
                  {"runs", {{"queued", now.queued}, {"running", now.running}, {"ended", outcomes_}}},
                  {"kept", {{"runs", now.kept_runs}, {"bytes", now.kept_bytes}}},
                  {"create", histogram_json(creations_)},
                  {"create_failures", failed_creations_},
                  {"reused", reused_},
                  {"pool", {{"ready", now.pool_ready}, {"hits", now.pool_hits}, {"misses", now.pool_misses}}},
                  {"run", histogram_json(runs_)},
                  {"command", histogram_json(commands_)},
                  {"swept", {{"sweeps", sweeps_}, {"removed", swept_}}},
                  {"restarts", {{"api", api_restarts_}, {"nurseries", nursery_restarts_}}}};
  return json.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

}  // namespace sbx::api
