// What happens in a run, as events for those who follow it: its output from its file, and at last its end.
// Each is a JSON object with `type`, `data`, `seq` and `id`; docs/openapi.yaml has the fields.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "api/call.h"
#include "api/run.h"
#include "api/spill_reader.h"
#include "base/result.h"

namespace sbx::api {

struct RunEvent {
  std::string type;  // stdout, stderr, stage, gap, exit
  // To go on behind it after a reconnect: the offsets of both streams, and how many stages were told,
  // "1234.56.1".
  std::string id;
  std::string json;
};

// From the id of an event. Two offsets alone will do: then a stage that begins exactly there is told (again).
Result<SpillPlace> parse_event_id(std::string_view id);

// What the last of all says, of a run that has ended, but for its `seq` and `id`.
OrderedJson exit_event(const Run& run);

class RunEvents {
 public:
  RunEvents(std::shared_ptr<const Run> run, SpillPlace from);

  // Nothing: there is none yet, or with ended() none any more.
  std::optional<RunEvent> next();
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  RunEvent finished(std::string type, OrderedJson json);
  RunEvent event_of(SpillPiece piece);
  RunEvent output_event(SpillPiece piece);
  std::optional<RunEvent> forgotten();
  std::optional<RunEvent> flush();
  [[nodiscard]] std::string id() const;

  std::shared_ptr<const Run> run_;
  SpillPlace from_;
  std::array<std::uint64_t, 2> offsets_;  // told so far
  std::array<std::string, 2> tails_;      // the first bytes of a character whose rest is not there yet
  std::optional<SpillReader> reader_;
  std::uint64_t sequence_ = 0;
  bool ended_ = false;
};

}  // namespace sbx::api
