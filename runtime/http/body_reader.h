// The body of the request that a connection serves, read as fast as whoever wants it takes it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "http/connection.h"

namespace sbx::http {

class BodyReader : public std::enable_shared_from_this<BodyReader> {
 public:
  using OnPart = std::function<void(std::string_view part, std::function<void()> resume)>;
  using OnEnd = std::function<void(Result<void>)>;

  // `refuse`: how the client is to be answered when the body is none; `on_end` gets an Error after it.
  BodyReader(std::shared_ptr<Connection> connection, std::uint64_t limit, OnPart on_part, OnEnd on_end,
             std::function<void(int status, std::string detail)> refuse);

  void start();
  void on_input();  // of the connection: bytes, or their end
  // Nothing is called any more, but for `on_end` if `why` is an Error and the end was not told yet.
  void stop(Result<void> why);

 private:
  void read_on();
  [[nodiscard]] bool read_piece();  // false: not now
  void fail_with(int status, std::string detail);
  void wait_for_input();

  std::shared_ptr<Connection> connection_;
  std::uint64_t left_;
  std::uint64_t limit_;
  OnPart on_part_;
  OnEnd on_end_;
  std::function<void(int, std::string)> refuse_;
  bool paused_ = false;   // a part was given, and `resume` not called yet
  bool reading_ = false;  // read_on() is running: it is not called again inside itself
};

}  // namespace sbx::http
