// What a sandbox uses, again and again until it ends: Server-Sent Events of type `stats`.
#pragma once

#include <chrono>
#include <memory>

#include "api/live_sandbox.h"
#include "http/exchange.h"
#include "http/loop.h"

namespace sbx::api {

void stream_stats(http::Loop& loop, const std::shared_ptr<http::Exchange>& exchange,
                  const std::shared_ptr<LiveSandbox>& sandbox, std::chrono::milliseconds every);

}  // namespace sbx::api
