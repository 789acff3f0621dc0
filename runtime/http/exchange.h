// One request and its answer. A handler gets it with the request, keeps it as long as it needs, and answers
// at once or after an hour, in one of four ways: respond, start_stream, accept_websocket, take_over.
//
// An Exchange that is let go without an answer is answered with 500. When the exchange is over, or the client
// gone, the callbacks are let go with all that they hold; what is called then does nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "http/message.h"
#include "http/websocket.h"

namespace sbx::http {

// More than this waiting to leave is a fault of the handler: it has to look at queued_bytes() or wait for
// on_written. Nothing is dropped for it.
inline constexpr std::size_t kMostQueuedBytes = 1U << 20U;

class Exchange {
 public:
  Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  virtual ~Exchange() = default;

  // --- the body of the request: one of both, once ---

  // An Error means that the client has its answer already (413 with the limit, 400, 408), or is gone: there
  // is nothing more to do. A client that asked (Expect: 100-continue) is told to go on.
  virtual void read_body(std::size_t limit, std::function<void(Result<std::string>)> done) = 0;
  // For what is too long for memory. After each part nothing is read until `resume` is called, at once or
  // later; the part is valid during the call only.
  virtual void read_body_in_parts(
      std::uint64_t limit, std::function<void(std::string_view part, std::function<void()> resume)> on_part,
      std::function<void(Result<void>)> on_end) = 0;

  // --- the answer ---

  // To HEAD the body's length is told, and the body left out. A body that was not read ends the connection.
  virtual void respond(Response response) = 0;

  // A body of any length in pieces (chunked; to HTTP/1.0 until the close), or of `length` bytes: more are not
  // sent, and fewer end it as abort does. `on_written`: the kernel has it.
  virtual void start_stream(int status, std::vector<Header> headers,
                            std::optional<std::uint64_t> length = {}) = 0;
  virtual void write(std::string bytes, std::function<void()> on_written = {}) = 0;
  virtual void finish() = 0;
  // Ends a stream so that the client sees that it is not whole; before an answer began, it gets none.
  virtual void abort() = 0;
  // What was given to respond or write and did not leave yet.
  [[nodiscard]] virtual std::size_t queued_bytes() const = 0;

  // An Error means as above that the client has its answer: 426 without the headers of an upgrade to
  // WebSocket, 400. Whether the Origin is welcome is the handler's to look at, before.
  virtual void accept_websocket(WebSocketOptions options,
                                std::function<void(Result<std::shared_ptr<WebSocket>>)> done) = 0;

  // Only on a Unix socket, for a request with "Connection: upgrade" and that token in Upgrade (426
  // otherwise): answers 101 and gives the connected socket away, non-blocking. Nothing is read from it from
  // this call on; a client that sent bytes already gets 400.
  virtual void take_over(std::string_view token, std::vector<Header> headers,
                         std::function<void(Result<UniqueFd>)> done) = 0;

  // --- the client ---

  // Called once when the client closed its end or the connection broke, also while nothing is written. Two
  // things hide it: a body that is not read, and 16 KiB of further requests sent ahead. A client that closed
  // only its sending side counts as gone, but still gets what is written.
  virtual void on_client_gone(std::function<void()> then) = 0;
  // Called when the server is about to stop: a stream without end (Server-Sent Events) should finish.
  virtual void on_stopping(std::function<void()> then) = 0;
  // Whether nothing can be answered any more: the exchange is over, or its connection is.
  [[nodiscard]] virtual bool over() const = 0;
  // The connection, not owned: another process may ask it for SO_PEERCRED. -1: it is closed.
  [[nodiscard]] virtual int peer_socket() const = 0;
};

}  // namespace sbx::http
