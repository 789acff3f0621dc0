// The terminal of a run, and the client that is at it by WebSocket: binary messages are the terminal's bytes,
// text messages are JSON, to the client `exit` alone (docs/api.md).
//
// The program begins without a client, and waits when the kernel's buffer is full. Who has come and goes
// hangs up: SIGHUP, and 5 s later the end of all that it started; so does nobody, who does not come in time.
#pragma once

#include <sys/ioctl.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "http/loop.h"
#include "http/websocket.h"

namespace sbx::api {

class Terminal : public std::enable_shared_from_this<Terminal> {
 public:
  struct Patience {
    std::chrono::milliseconds begun{60'000};  // with a program that nobody has come to
    std::chrono::milliseconds ended{10'000};  // with what one wrote that ended before somebody came
  };
  struct Hooks {
    std::function<void()> hang_up;
    std::function<void(int)> pass_signal;
    std::function<void()> over;  // of a run that has ended: nobody can come any more
  };
  Terminal(http::Loop& loop, Hooks hooks, Patience patience)
      : loop_(loop), hooks_(std::move(hooks)), patience_(patience) {}

  // The program's end of it is there. Error: it is none, or nothing can be waited for.
  Result<void> connect(UniqueFd master);
  // The run has ended; `event` is told behind the last byte.
  void end(std::string event);

  // Somebody has come; no other one may.
  [[nodiscard]] bool taken() const { return taken_; }
  // `connection`: the same client's, to see while it is not read whether it went.
  void attach(std::shared_ptr<http::WebSocket> socket, UniqueFd connection);

 private:
  // What is called back only as long as this is there.
  template <class Do>
  std::function<void()> held(Do what);
  void take(std::string_view message, bool text);
  Result<void> obey(std::string_view json);
  Result<void> send_signal(int number) const;
  void write_input();
  void wait_for_room();
  void look_for_client();
  void pump();
  [[nodiscard]] bool is_full() const;
  bool read_some();
  void finish();
  void leave();
  void resize() const;

  http::Loop& loop_;
  Hooks hooks_;
  Patience patience_;
  std::shared_ptr<http::WebSocket> socket_;
  UniqueFd connection_;
  UniqueFd master_;
  UniqueFd writing_;  // a second descriptor of it: each is watched for one thing
  UniqueFd slave_;
  std::string input_;
  std::string exit_;
  winsize size_{};
  std::size_t after_end_ = 0;
  bool taken_ = false;
  bool read_over_ = false;
  http::Watch read_watch_;
  http::Watch write_watch_;
  http::Timer patience_timer_;
  http::Timer client_timer_;
};

}  // namespace sbx::api
