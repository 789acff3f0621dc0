// The one event loop of a process: nothing here blocks or starts a thread. What is called back is called from
// run() or turn(), never from inside another function of this folder that was given the callback.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "base/result.h"

namespace boost::asio {
class io_context;
}

namespace sbx::http {

// While it exists, its callback may be called; the callback may destroy it.
class [[nodiscard]] Watch {
 public:
  struct State;
  Watch() = default;
  explicit Watch(std::shared_ptr<State> state) : state_(std::move(state)) {}
  Watch(Watch&&) = default;
  Watch& operator=(Watch&& other) noexcept;
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() { stop(); }
  void stop();

 private:
  std::shared_ptr<State> state_;
};

class [[nodiscard]] Timer {
 public:
  struct State;
  Timer() = default;
  explicit Timer(std::shared_ptr<State> state) : state_(std::move(state)) {}
  Timer(Timer&&) = default;
  Timer& operator=(Timer&& other) noexcept;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { stop(); }
  void stop();

 private:
  std::shared_ptr<State> state_;
};

class Loop {
 public:
  // Opens what it needs later: an epoll, a timerfd and an eventfd.
  static Result<std::unique_ptr<Loop>> create();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();  // after everything that uses it

  void run();   // until stop()
  void stop();  // may be called from a callback; run() may follow again
  // Waits for at most `longest` until something is ready, and does some of what is ready.
  void turn(std::chrono::milliseconds longest);

  // Calls `readable` again and again while `fd` can be read or was hung up (level-triggered). `fd` stays the
  // caller's, must outlive the Watch, may be watched once at a time (EEXIST), and becomes non-blocking. It
  // must be something that epoll(7) waits for: a regular file is never told.
  Result<Watch> watch(int fd, std::function<void()> readable);
  // The same while it can be written to, or nobody reads it any more: stop it when there is nothing to write.
  Result<Watch> watch_writable(int fd, std::function<void()> writable);
  // Once, after that time.
  Timer after(std::chrono::milliseconds delay, std::function<void()> then);
  // Once, soon.
  void post(std::function<void()> then);

  // For the rest of this folder.
  [[nodiscard]] boost::asio::io_context& context();

 private:
  struct Parts;
  explicit Loop(std::unique_ptr<Parts> parts);
  Result<Watch> watch_for(int fd, bool writable, std::function<void()> then);
  std::unique_ptr<Parts> parts_;
};

}  // namespace sbx::http
