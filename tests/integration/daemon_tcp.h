// sbxd over TCP, asked by curl with tokens.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "integration/daemon.h"

namespace sbx::test {

inline int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0);
  REQUIRE(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  (void)close(fd);
  return ntohs(address.sin_port);
}

// Files of a host that serves TCP, with TLS and without.
class Host {
 public:
  explicit Host(const Sandbox& place)
      : directory_(place.directory()), plain_(free_port()), tls_(free_port()) {
    make_certificate();
    configure("");
  }
  void configure(const std::string& more) const {
    write_file(config(), "listen:\n  - {address: 127.0.0.1, port: " + std::to_string(plain_) +
                             "}\n  - {address: 0.0.0.0, port: " + std::to_string(tls_) +
                             ", tls: {certificate: " + directory_ + "/cert.pem, key: " + directory_ +
                             "/key.pem}}\ntokens: " + tokens() + "\n" + more);
  }
  void make_certificate() const {
    const ProgramResult made =
        run_program({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                     "-nodes", "-days", "1", "-subj", "/CN=sbx", "-addext", "subjectAltName=IP:127.0.0.1",
                     "-keyout", directory_ + "/key.pem", "-out", directory_ + "/cert.pem"});
    INFO(made.err);
    REQUIRE(made.exit_status == 0);
    REQUIRE(chmod((directory_ + "/key.pem").c_str(), 0600) == 0);
  }
  [[nodiscard]] std::string config() const { return directory_ + "/config.yaml"; }
  [[nodiscard]] std::string tokens() const { return directory_ + "/tokens.yaml"; }
  [[nodiscard]] std::string plain() const { return "http://127.0.0.1:" + std::to_string(plain_); }
  [[nodiscard]] std::string encrypted() const { return "https://127.0.0.1:" + std::to_string(tls_); }
  [[nodiscard]] std::string certificate() const { return directory_ + "/cert.pem"; }
  ProgramResult sbxctl(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {program_directory() + "/sbxctl", "--config", config(), "--log",
                                         directory_ + "/tokens.log", "token"});
    return run_program(arguments);
  }
  // Made, and shown once.
  [[nodiscard]] std::string token(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "create");
    const ProgramResult made = sbxctl(arguments);
    INFO(made.err);
    REQUIRE(made.exit_status == 0);
    return made.out.substr(0, made.out.find('\n'));
  }
  [[nodiscard]] ProgramResult check() const {
    return run_program({program_directory() + "/sbxd", "--config", config(), "--check-config"});
  }

 private:
  std::string directory_;
  int plain_;
  int tls_;
};

struct Answer {
  int status = 0;
  std::string headers;
  json body;
};

inline Answer ask(const std::string& url, const std::string& token, const json& body = nullptr,
                  std::vector<std::string> options = {}) {
  std::vector<std::string> command{"curl", "-s", "-S", "-i", url};
  if (!token.empty()) command.insert(command.end(), {"-H", "Authorization: Bearer " + token});
  ProgramOptions how;
  if (!body.is_null()) {
    command.insert(command.end(), {"--data-binary", "@-"});
    how.input = body.dump();
  }
  command.insert(command.end(), options.begin(), options.end());
  const ProgramResult result = run_program(command, how);
  INFO(url << ": " << result.err);
  Answer answer;
  if (result.exit_status != 0) return answer;
  const std::size_t end = result.out.find("\r\n\r\n");
  REQUIRE(end != std::string::npos);
  answer.headers = result.out.substr(0, end);
  answer.status = std::stoi(answer.headers.substr(answer.headers.find(' ') + 1));
  answer.body = json::parse(result.out.substr(end + 4), nullptr, false);
  return answer;
}

}  // namespace sbx::test
