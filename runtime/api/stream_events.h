// The events of a run to a client that follows it, as fast as that one takes them: by Server-Sent Events
// (WHATWG HTML, 9.2) or WebSocket.
#pragma once

#include <chrono>
#include <memory>

#include "api/run.h"
#include "api/spill_reader.h"
#include "http/exchange.h"
#include "http/loop.h"

namespace sbx::api {

// Of streams of Server-Sent Events, so that no proxy takes silence for an end.
inline constexpr std::chrono::seconds kHeartbeat{15};
inline constexpr const char* kHeartbeatComment = ": still there\n\n";

void send_events_by_sse(http::Loop& loop, const std::shared_ptr<http::Exchange>& exchange,
                        const std::shared_ptr<Run>& run, SpillPlace from);
void send_events_by_websocket(const std::shared_ptr<http::Exchange>& exchange,
                              const std::shared_ptr<Run>& run, SpillPlace from);

// One stream of what is there of the output, as it is.
void stream_output(const std::shared_ptr<http::Exchange>& exchange, UniqueFd file, std::size_t stream);

}  // namespace sbx::api
