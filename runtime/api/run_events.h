// What happens in a run, as events for those who follow it: its output from its file, and at last its end.
// Each is a JSON object with `type` and `data`; docs/openapi.yaml has the fields.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "api/run.h"
#include "api/spill_reader.h"
#include "base/result.h"

namespace sbx::api {

struct RunEvent {
  std::string type;  // stdout, stderr, gap, exit
  std::string id;    // to go on behind it after a reconnect: the offsets of both streams, "1234.56"
  std::string json;
};

// From the id of an event.
Result<std::array<std::uint64_t, 2>> parse_event_id(std::string_view id);

// The last of all, of a run that has ended.
std::string exit_event(const Run& run, std::uint64_t sequence);

class RunEvents {
 public:
  // From these offsets on.
  RunEvents(std::shared_ptr<const Run> run, std::array<std::uint64_t, 2> from);

  // Nothing: there is none yet, or with ended() none any more.
  std::optional<RunEvent> next();
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  RunEvent output_event(SpillPiece piece);
  std::optional<RunEvent> forgotten();
  std::optional<RunEvent> flush();
  [[nodiscard]] std::string id() const;

  std::shared_ptr<const Run> run_;
  std::array<std::uint64_t, 2> offsets_;  // told so far
  std::array<std::string, 2> tails_;      // the first bytes of a character whose rest is not there yet
  std::optional<SpillReader> reader_;
  std::uint64_t sequence_ = 0;
  bool ended_ = false;
};

}  // namespace sbx::api
