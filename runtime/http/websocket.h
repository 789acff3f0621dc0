// One WebSocket of a client (RFC 6455), made by Exchange::accept_websocket.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace sbx::http {

// RFC 6455 section 7.4.1. Applications have 4000 to 4999 for themselves.
enum CloseCode : std::uint16_t {
  kCloseNormal = 1000,
  kCloseGoingAway = 1001,
  kCloseProtocolError = 1002,
  kCloseBadData = 1003,
  kCloseNoCode = 1005,    // the client's close frame had none; never sent
  kCloseAbnormal = 1006,  // the connection ended without one; never sent
  kCloseBadText = 1007,
  kClosePolicy = 1008,
  kCloseTooBig = 1009,
  kCloseInternal = 1011,
  kCloseTryLater = 1013,
};

struct WebSocketOptions {
  std::string protocol;  // the subprotocol chosen (Sec-WebSocket-Protocol); empty: none
  std::vector<Header> headers;
  // A longer message is answered with 1009.
  std::size_t most_message_bytes = 1U << 20U;
  // A client from which nothing came for that time is pinged, and closed when for once more that time nothing
  // came.
  std::chrono::milliseconds ping_interval{30'000};
  // How long a closing handshake may take.
  std::chrono::milliseconds close_timeout{5'000};
};

// Messages are whole, text is UTF-8; pings are answered. Without compression (permessage-deflate), which
// costs memory and can tell secrets by their length.
class WebSocket {
 public:
  WebSocket() = default;
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;
  // The connection lives on without a handler's hold on it; it is the server's. A hold must end before the
  // Loop does.
  virtual ~WebSocket() = default;

  // What is called for each message; `text` says of which kind. To be set in the call that gave the
  // WebSocket, or what arrives first is lost.
  virtual void on_message(std::function<void(std::string_view message, bool text)> then) = 0;
  // Called once, the last of all calls: with the client's close code, or kCloseAbnormal. What captures this
  // WebSocket is let go after it.
  virtual void on_closed(std::function<void(std::uint16_t code, std::string_view reason)> then) = 0;

  // Queued, in order. `on_sent`: the kernel has it. `text` must be UTF-8. After the close they do nothing.
  virtual void send_text(std::string text, std::function<void()> on_sent = {}) = 0;
  virtual void send_binary(std::string bytes, std::function<void()> on_sent = {}) = 0;
  // What was sent and did not leave yet. Keep it below kMostQueuedBytes (exchange.h).
  [[nodiscard]] virtual std::size_t queued_bytes() const = 0;

  // No message is read until resume(), so that the client has to wait (TCP's window). Meanwhile nothing is
  // known of the client: no pings, and its close is seen after resume() or when something is sent.
  virtual void pause() = 0;
  virtual void resume() = 0;

  // Sends what is queued, then the close. `reason`: at most 123 bytes, the rest is cut off.
  virtual void close(std::uint16_t code, std::string_view reason) = 0;
  [[nodiscard]] virtual bool closing() const = 0;  // close() was called, or it is closed
};

}  // namespace sbx::http
