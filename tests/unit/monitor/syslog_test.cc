#include "monitor/syslog.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/unique_fd.h"
#include "monitor/log_file.h"

namespace sbx {
namespace {

namespace fs = std::filesystem;

// What takes the lines of a host's log, in the place of the host's.
class HostLog {
 public:
  HostLog() {
    std::string pattern = (fs::temp_directory_path() / "sbx-syslog-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    socket_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path().c_str());
    REQUIRE(bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  HostLog(const HostLog&) = delete;
  HostLog& operator=(const HostLog&) = delete;
  ~HostLog() {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }
  [[nodiscard]] std::string path() const { return directory_ + "/log"; }
  [[nodiscard]] MonitorLogOptions options() const {
    MonitorLogOptions options;
    options.path = directory_ + "/monitor.jsonl";
    options.syslog = path();
    return options;
  }
  // Empty: none is there.
  [[nodiscard]] std::string next() const {
    std::string text(65536, '\0');
    const ssize_t size = recv(socket_.get(), text.data(), text.size(), 0);
    text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return text;
  }

 private:
  std::string directory_;
  UniqueFd socket_;
};

std::string line_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

TEST_CASE("the host's log gets what ours gets, chain and all") {
  const HostLog host;
  REQUIRE(append_to_monitor_log(host.options(), R"({"run_id":"1"})"));
  const std::string text = host.next();
  CHECK(text.starts_with("<30>"));  // daemon, info
  const std::size_t at = text.find("]: ");
  REQUIRE(at != std::string::npos);
  CHECK(text.find(" sbx[" + std::to_string(getpid()) + "]: ") == at - std::to_string(getpid()).size() - 5);
  CHECK(text.substr(at + 3) == line_of(host.options().path));
  CHECK(text.find("\"seq\":1,\"prev\":") != std::string::npos);
  CHECK(host.next().empty());
}

TEST_CASE("what ours cannot take the host's log gets as it is") {
  const HostLog host;
  MonitorLogOptions options = host.options();
  options.path = "/proc/version/monitor.jsonl";
  CHECK_FALSE(append_to_monitor_log(options, R"({"run_id":"2"})"));
  CHECK(host.next().ends_with(R"(]: {"run_id":"2"})"));
}

TEST_CASE("a host's log that is not there, or takes nothing, keeps nobody waiting") {
  const HostLog host;
  MonitorLogOptions options = host.options();
  options.syslog += ".none";
  CHECK(append_to_monitor_log(options, R"({"run_id":"1"})"));
  options.syslog = std::string(200, 'x');
  CHECK(append_to_monitor_log(options, R"({"run_id":"1"})"));
  int taken = 0;
  for (int i = 0; i < 2000; ++i) send_to_syslog(host.path(), "line");  // more than its queue has room for
  while (!host.next().empty()) ++taken;
  CHECK(taken > 0);
  CHECK(taken < 2000);
}

}  // namespace
}  // namespace sbx
