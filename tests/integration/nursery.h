// A nursery of sbxd's (runtime/keeper/), and this test in the place of the API.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "os/file.h"
#include "os/socket.h"
#include "request/run_request.h"
#include "support/connection.h"
#include "support/sandbox.h"
#include "support/skip.h"
#include "wire/client_protocol.h"
#include "wire/keeper_protocol.h"
#include "wire/spawner_protocol.h"

namespace sbx::test {

// Waits for a message, at most a minute; its type, value and text.
struct KeeperAnswer {
  KeeperMessageType type{};
  std::int64_t value = 0;
  std::string text;
};

inline bool is_readable(int fd, int milliseconds) {
  pollfd polled{fd, POLLIN, 0};
  return poll(&polled, 1, milliseconds) > 0;
}

// A command of a living sandbox.
class Command {
 public:
  explicit Command(UniqueFd client) : client_(std::move(client)) {}

  void signal(int number) const {
    ClientHeader header;
    header.type = ClientMessageType::signal;
    header.value = number;
    REQUIRE(os::send_struct(client_.get(), header));
  }
  void go_away() { client_.reset(); }
  [[nodiscard]] bool ended(int milliseconds) const { return is_readable(client_.get(), milliseconds); }

  // Its result; what came instead of one is in `message`.
  nlohmann::json result() {
    REQUIRE(is_readable(client_.get(), 60'000));
    auto received = os::receive_message(client_.get(), sizeof(ClientHeader));
    REQUIRE((received && *received));
    const auto header = os::read_struct<ClientHeader>(**received, "answer");
    REQUIRE(header);
    REQUIRE(header->type == ClientMessageType::finished);
    const auto bytes = os::read_sealed_memfd((*received)->descriptors.at(0).get(), "answer", 1U << 30U);
    REQUIRE(bytes);
    const auto finished = decode_finished_run(*bytes);
    REQUIRE(finished);
    exit_status = header->value;
    message = finished->message;
    CHECK(finished->notice == "");
    return finished->json.empty() ? nlohmann::json() : nlohmann::json::parse(finished->json);
  }

  int exit_status = -1;
  std::string message;

 private:
  UniqueFd client_;
};

class LiveSandboxClient {
 public:
  explicit LiveSandboxClient(UniqueFd control) : control_(std::move(control)) {}

  KeeperAnswer answer() const {
    REQUIRE(is_readable(control_.get(), 60'000));
    auto received = os::receive_message(control_.get(), sizeof(KeeperMessage));
    REQUIRE(received);
    if (!*received) return {};
    const auto message = os::read_struct<KeeperMessage>(**received, "keeper");
    REQUIRE(message);
    std::string text;
    if (!(*received)->descriptors.empty())
      text = *os::read_sealed_memfd((*received)->descriptors.front().get(), "keeper", 1U << 24U);
    return {message->type, message->value, text};
  }
  // The next one of this type; others are passed over.
  KeeperAnswer answer(KeeperMessageType type) const {
    while (true) {
      KeeperAnswer next = answer();
      INFO("the keeper said " << static_cast<int>(next.type) << ": " << next.text);
      REQUIRE(static_cast<int>(next.type) != 0);
      if (next.type == type) return next;
      REQUIRE(next.type == KeeperMessageType::commands);
    }
  }
  void say(KeeperMessageType type, std::int64_t value = 0, const std::vector<int>& descriptors = {}) const {
    KeeperMessage message;
    message.type = type;
    message.value = value;
    REQUIRE(os::send_struct(control_.get(), message, descriptors));
  }
  void go_away() { control_.reset(); }
  // One that was made for nobody becomes this test's.
  void adopt(RunRequest request) const {
    request.action = RequestAction::keep;
    const auto payload = os::sealed_memfd("request", encode_run_request(request));
    const Connection connection;
    say(KeeperMessageType::adopt, 0, {payload->get(), connection.servers()});
  }

  Command start(RunRequest request) const {
    const Connection connection;
    say(KeeperMessageType::command, 0, {connection.servers()});
    UniqueFd client = connection.take_client();
    const auto payload = os::sealed_memfd("request", encode_run_request(request));
    ClientHeader header;
    header.type = ClientMessageType::request;
    const int fd = payload->get();
    REQUIRE(os::send_struct(client.get(), header, std::span(&fd, 1)));
    return Command(std::move(client));
  }
  Command start(const std::vector<std::string>& command) const {
    RunRequest request;
    request.command = command;
    request.streams = {StreamMode::null, StreamMode::capture, StreamMode::capture};
    return start(request);
  }
  Command start_shell(const std::string& script) const { return start({"sh", "-c", script}); }
  nlohmann::json shell(const std::string& script) const { return start_shell(script).result(); }
  // What a script that exits with 0 prints.
  std::string output(const std::string& script) const {
    const nlohmann::json result = shell(script);
    INFO(result.dump());
    CHECK(result["outcome"] == "exited");
    CHECK(result["exit_code"] == 0);
    return result["stdout"].value("text", "");
  }
  // Ends it, and waits for the keeper to have.
  void destroy() {
    say(KeeperMessageType::destroy);
    CHECK(answer(KeeperMessageType::ended).value == 0);
    control_.reset();
  }

 private:
  UniqueFd control_;
};

class Nursery {
 public:
  explicit Nursery(const Sandbox& sandbox) {
    auto pair = os::seqpacket_pair();
    REQUIRE(pair);
    socket_ = std::move(pair->first);
    const std::string init = read_file(program_directory() + "/sbx-init");
    const auto program = os::sealed_memfd("sbx-init", init);
    REQUIRE(program);
    const auto files = os::sealed_memfd("sbx-files", read_file(program_directory() + "/sbx-files"));
    REQUIRE(files);
    REQUIRE(fchmod(files->get(), 0111) == 0);
    const std::string path = program_directory() + "/sbx-keeper";
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      const int socket = fcntl(pair->second.get(), F_DUPFD, 20);
      const int memory = fcntl(program->get(), F_DUPFD, 20);
      const int helper = fcntl(files->get(), F_DUPFD, 20);
      (void)dup2(socket, kNurserySocketFd);
      (void)dup2(memory, kInitProgramFd);
      (void)dup2(helper, kFilesProgramFd);
      (void)close_range(kFilesProgramFd + 1, ~0U, 0);
      (void)::signal(SIGABRT, SIG_DFL);
      (void)execl(path.c_str(), "sbx-keeper", "", sandbox.state_dir().c_str(), sandbox.run_dir().c_str(),
                  sandbox.log().c_str(), nullptr);
      _exit(127);
    }
  }
  Nursery(const Nursery&) = delete;
  Nursery& operator=(const Nursery&) = delete;
  ~Nursery() {
    socket_.reset();
    (void)waitpid(pid_, nullptr, 0);
  }

  // A sandbox that is ready.
  LiveSandboxClient create(RunRequest request = {}) const {
    LiveSandboxClient made = ask(std::move(request));
    const KeeperAnswer first = made.answer();
    INFO(first.text);
    REQUIRE(first.type == KeeperMessageType::ready);
    return made;
  }
  // For nobody.
  LiveSandboxClient ask_warm(const RunRequest& request = {}) const { return ask(request, true); }
  LiveSandboxClient ask(RunRequest request, bool warm = false) const {
    request.action = RequestAction::keep;
    auto pair = os::seqpacket_pair();
    REQUIRE(pair);
    const auto payload = os::sealed_memfd("request", encode_run_request(request));
    KeeperMessage message;
    message.type = warm ? KeeperMessageType::warm : KeeperMessageType::create;
    const Connection connection;
    const std::array<int, 3> descriptors{pair->second.get(), payload->get(), connection.servers()};
    REQUIRE(os::send_struct(socket_.get(), message, std::span(descriptors).first(warm ? 2 : 3)));
    return LiveSandboxClient(std::move(pair->first));
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  UniqueFd socket_;
  pid_t pid_ = -1;
};

}  // namespace sbx::test
