#include "api/run_events.h"

#include <algorithm>
#include <charconv>

#include "api/text_or_bytes.h"

namespace sbx::api {
namespace {

constexpr std::array<const char*, 2> kStreams{"stdout", "stderr"};

}  // namespace

OrderedJson exit_event(const Run& run) {
  const OrderedJson result = OrderedJson::parse(run.result(), nullptr, false);
  OrderedJson json = {{"type", "exit"},
                      {"data", result.is_object() ? result.value("status", "error") : "error"}};
  for (const char* field : {"outcome", "exit_code", "signal", "message"})
    json[field] = result.is_object() && result.contains(field) ? result[field] : OrderedJson(nullptr);
  json["run_id"] = run.about().id;
  return json;
}

Result<SpillPlace> parse_event_id(std::string_view id) {
  std::array<std::uint64_t, 3> numbers{};
  std::size_t count = 0;
  const char* at = id.data();
  const char* const end = id.data() + id.size();
  while (count < numbers.size()) {
    const auto [after, error] = std::from_chars(at, end, numbers.at(count));
    if (error != std::errc{}) break;
    ++count;
    at = after;
    if (at == end || *at != '.' || count == numbers.size()) break;
    ++at;
  }
  if (count < 2 || at != end || id.back() == '.')
    return fail(
        "the id of the last event is none of ours: two offsets and a number of stages, as in '1234.56.1'");
  return SpillPlace{{numbers[0], numbers[1]}, count == 3 ? std::optional(numbers[2]) : std::nullopt};
}

RunEvents::RunEvents(std::shared_ptr<const Run> run, SpillPlace from)
    : run_(std::move(run)), from_(from), offsets_(from.offsets) {}

std::string RunEvents::id() const {
  const std::uint64_t stages = std::max(from_.stages.value_or(0), reader_ ? reader_->stages() : 0);
  return std::to_string(offsets_[0] - tails_[0].size()) + "." +
         std::to_string(offsets_[1] - tails_[1].size()) + "." + std::to_string(stages);
}

RunEvent RunEvents::finished(std::string type, OrderedJson json) {
  const std::string place = id();
  json["seq"] = ++sequence_;
  json["id"] = place;
  return {std::move(type), place, json.dump(-1, ' ', true, OrderedJson::error_handler_t::replace)};
}

RunEvent RunEvents::event_of(SpillPiece piece) {
  if (piece.stream != kStagePiece) return output_event(std::move(piece));
  return finished("stage", {{"type", "stage"}, {"data", piece.bytes}});
}

RunEvent RunEvents::output_event(SpillPiece piece) {
  const std::size_t stream = piece.stream;
  if (piece.missing > 0) {
    offsets_[stream] = piece.offset + piece.missing;
    tails_[stream].clear();
    return finished(
        "gap",
        {{"type", "gap"}, {"data", kStreams[stream]}, {"offset", piece.offset}, {"missing", piece.missing}});
  }
  const std::uint64_t offset = piece.offset - tails_[stream].size();
  std::string bytes = std::exchange(tails_[stream], {}) + piece.bytes;
  offsets_[stream] = piece.offset + piece.bytes.size();
  tails_[stream] = take_cut_character(bytes);
  OrderedJson json = {{"type", kStreams[stream]}};
  put_text_or_bytes(json, bytes);
  json["offset"] = offset;
  return finished(kStreams[stream], std::move(json));
}

// What looked like the beginning of a character, and was not.
std::optional<RunEvent> RunEvents::flush() {
  for (std::size_t stream = 0; stream < tails_.size(); ++stream) {
    if (tails_[stream].empty()) continue;
    const std::string bytes = std::exchange(tails_[stream], {});
    OrderedJson json = {{"type", kStreams[stream]}};
    put_text_or_bytes(json, bytes);
    json["offset"] = offsets_[stream] - bytes.size();
    return finished(kStreams[stream], std::move(json));
  }
  return {};
}

// What was written, and is kept no more.
std::optional<RunEvent> RunEvents::forgotten() {
  const OrderedJson result = OrderedJson::parse(run_->result(), nullptr, false);
  for (std::size_t stream = 0; stream < offsets_.size() && result.is_object(); ++stream) {
    const auto found = result.find(kStreams[stream]);
    if (found == result.end() || !found->is_object()) continue;
    const std::uint64_t bytes = found->value("bytes", std::uint64_t{0});
    SpillPiece gap{stream, offsets_[stream], {}, bytes - std::min(bytes, offsets_[stream])};
    if (gap.missing > 0) return output_event(std::move(gap));
  }
  return {};
}

std::optional<RunEvent> RunEvents::next() {
  if (ended_) return {};
  const bool over = run_->ended();  // looked at first: nothing is written after it
  if (!reader_ && run_->started()) {
    if (auto file = run_->open_output()) {
      reader_.emplace(std::move(*file));
      reader_->skip_to(from_);
    }
  }
  while (reader_) {
    auto piece = reader_->next();
    if (!piece || !*piece) break;
    RunEvent event = event_of(std::move(**piece));
    if (event.type != "gap" && event.json.find("\"data\":\"\"") != std::string::npos)
      continue;  // only a tail
    return event;
  }
  if (!over) return {};
  if (!reader_) {
    if (auto gap = forgotten()) return gap;
  }
  if (auto rest = flush()) return rest;
  ended_ = true;
  return finished("exit", exit_event(*run_));
}

}  // namespace sbx::api
