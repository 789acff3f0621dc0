// The bytes of one accepted connection, with TLS or without.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "http/loop.h"
#include "http/tls.h"

namespace sbx::http {

// Held by a shared_ptr. What was begun calls back exactly once, and never before the function that began it
// returned; after close() with ECANCELED.
class Transport {
 public:
  using Done = std::function<void(Result<void>)>;
  using ReadDone = std::function<void(Result<std::string>)>;

  virtual ~Transport() = default;

  // Before anything else is done; without TLS it succeeds at once.
  virtual void handshake(Done done) = 0;
  // Waits for bytes and takes up to `most` of them; empty: the client sends no more. One at a time. Without
  // TLS no memory is held while it waits.
  virtual void read(std::size_t most, ReadDone done) = 0;
  // Ends the read that waits with ECANCELED, and loses nothing. No write may be under way.
  virtual void cancel_read() = 0;
  // Writes all of it. ETIMEDOUT when the client takes no byte for the stall time; the connection is closed
  // then. One at a time.
  virtual void write(std::string bytes, Done done) = 0;
  // Says that nothing follows, takes what the client still sends, up to `most` bytes and for `longest`, so
  // that what was written is not lost (RFC 9112 section 9.6), and closes. No read or write may be under way.
  virtual void close_gently(std::size_t most, std::chrono::milliseconds longest,
                            std::function<void()> closed) = 0;
  virtual void close() = 0;

  [[nodiscard]] virtual int socket() const = 0;  // -1 after close()
  // The socket, non-blocking, and no more of ours. No read or write may be under way. Not with TLS.
  virtual UniqueFd release() = 0;
};

// `stall`: how long a write may make no progress.
Result<std::shared_ptr<Transport>> make_transport(Loop& loop, UniqueFd socket,
                                                  std::chrono::milliseconds stall);
Result<std::shared_ptr<Transport>> make_tls_transport(Loop& loop, UniqueFd socket,
                                                      std::chrono::milliseconds stall,
                                                      const TlsContext& context);

}  // namespace sbx::http
