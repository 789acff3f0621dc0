// A server and its clients in one process, without threads: whoever waits lets the loop turn.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/loop.h"
#include "http/server.h"

namespace sbx::test {

enum class Place { kUnix, kTcp, kTls };

class Served {
 public:
  explicit Served(http::Handler handler, http::ServerLimits limits = {}, Place place = Place::kUnix);
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;
  ~Served();

  // Lets the loop turn until it holds; a test that waits for longer than a minute has failed.
  void until(const std::function<bool()>& holds);
  void turn_some();  // what is ready, and what follows from it
  // A connected socket, non-blocking.
  UniqueFd connect();

  std::unique_ptr<http::Loop> loop;
  std::unique_ptr<http::Server> server;

 private:
  std::string directory_;
  std::string socket_;
  std::uint16_t port_ = 0;
};

struct Answer {
  int status = 0;
  std::string head;
  std::string body;  // chunks put together
  [[nodiscard]] std::string header(std::string_view name) const;
};

class Client {
 public:
  explicit Client(Served& served) : served_(served), socket_(served.connect()) {}
  void send(std::string_view bytes);        // all of it
  std::size_t send_some(std::string_view);  // what there is room for
  void end_sending();
  void close() { socket_.reset(); }
  // Takes what has arrived; true: nothing follows.
  bool receive();
  [[nodiscard]] const std::string& received() const { return received_; }
  std::string take(std::size_t bytes);  // waits for them
  Answer answer(bool to_head = false);  // the next one; the status is 0 when the connection ends before
  Answer ask(std::string_view request);
  bool is_closed();  // waits for the end; false: something came instead
  [[nodiscard]] int fd() const { return socket_.get(); }

 private:
  Served& served_;
  UniqueFd socket_;
  std::string received_;
  bool ended_ = false;
};

// "GET /path HTTP/1.1" with a Host and what else is given: lines without their ends.
std::string get(std::string_view path, const std::vector<std::string>& headers = {});
std::string post(std::string_view path, std::string_view body);

// Answers 200 with that text.
void answer_text(const std::shared_ptr<http::Exchange>& exchange, std::string text);

// A frame of a client: masked, as it has to be (RFC 6455 section 5.3), unless said otherwise.
std::string frame(unsigned opcode, std::string_view payload, bool last = true, bool masked = true);
struct Frame {
  unsigned opcode = 0;
  bool last = false;
  std::string payload;
};
Frame next_frame(Client& client);
std::string upgrade_to_websocket(std::string_view path = "/");

}  // namespace sbx::test
