// How a connection becomes a WebSocket: Boost.Beast's, over a transport.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "http/loop.h"
#include "http/transport.h"
#include "http/websocket.h"

namespace sbx::http {

struct WebSocketStart {
  std::string key;          // of the request, checked
  std::string early_bytes;  // that were read after the request
  std::string date;         // for the answer
  WebSocketOptions options;
  std::function<void(Result<std::shared_ptr<WebSocket>>)> opened;
  std::function<void()> closed;  // once, at the very end, also when it did not open
};

// Answers 101. Nothing is being read or written when it is called.
std::shared_ptr<WebSocket> open_websocket(Loop& loop, std::shared_ptr<Transport> transport,
                                          WebSocketStart start);

}  // namespace sbx::http
