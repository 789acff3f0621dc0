// sbx-api: the process of sbxd that reads what clients send. It is started as root to open what it needs, and
// then is nobody in a root of its own (wire/daemon_protocol.h).
#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

#include "api/json_object.h"
#include "api/service.h"
#include "http/server.h"
#include "os/file.h"
#include "os/socket.h"
#include "wire/daemon_protocol.h"

namespace sbx::api {
namespace {

constexpr std::chrono::seconds kAlive{5};

// Below our own root (wire/spill.h).
constexpr const char* kHistoryDirectory = "/history";
constexpr const char* kOutputDirectory = "/output";

struct Setup {
  std::vector<http::Listener> listeners;
  Keepers keepers;
  std::string root;
  uid_t uid = 0;
  ServiceLimits limits;
};

Result<void> read_settings(int fd, Setup& setup) {
  const std::string text = TRY(os::read_sealed_memfd(fd, "settings", 1U << 20U));
  const JsonObject settings = TRY(JsonObject::parse(text));
  setup.root = TRY(settings.text("root")).value_or("");
  setup.uid = static_cast<uid_t>(TRY(settings.count("uid")).value_or(0));
  setup.limits.sandboxes = TRY(settings.count("max_sandboxes")).value_or(setup.limits.sandboxes);
  HistoryLimits& history = setup.limits.history;
  history.runs = TRY(settings.count("history_runs")).value_or(history.runs);
  history.bytes = TRY(settings.count("history_bytes")).value_or(history.bytes);
  const auto days = TRY(settings.count("history_days"));
  history.days = days ? std::optional(static_cast<std::uint32_t>(*days)) : std::nullopt;
  if (setup.root.empty() || setup.uid == 0) return fail("settings: no place of its own");
  return {};
}

Result<Setup> set_up() {
  Setup setup;
  while (true) {
    auto message = TRY(os::receive_message(kDaemonSocketFd, sizeof(DaemonMessage)));
    if (!message) return fail("sbxd ended");
    const auto header = TRY(os::read_struct<DaemonMessage>(*message, "sbxd"));
    if (header.version != kDaemonProtocolVersion || message->descriptors.size() != 1)
      return fail("sbxd: a message of another build");
    UniqueFd fd = std::move(message->descriptors.front());
    switch (header.type) {
    case DaemonMessageType::listener: setup.listeners.push_back({std::move(fd), {}}); break;
    case DaemonMessageType::nursery:
      setup.keepers.set_nursery(static_cast<std::size_t>(header.value), std::move(fd));
      break;
    case DaemonMessageType::go: TRY(read_settings(fd.get(), setup)); return setup;
    default: return fail("sbxd: a message of another build");
    }
  }
}

// From here on a fault in this process is nobody's, who sees one directory.
Result<void> give_up_rights(const Setup& setup) {
  if (chroot(setup.root.c_str()) != 0 || chdir("/") != 0)
    return fail(system_error("chroot", setup.root, errno));
  if (setgroups(0, nullptr) != 0) return fail(system_error("setgroups", "", errno));
  if (setresgid(setup.uid, setup.uid, setup.uid) != 0) return fail(system_error("setresgid", "", errno));
  if (setresuid(setup.uid, setup.uid, setup.uid) != 0) return fail(system_error("setresuid", "", errno));
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail(system_error("prctl", "no_new_privs", errno));
  if (prctl(PR_SET_DUMPABLE, 0) != 0) return fail(system_error("prctl", "dumpable", errno));
  return {};
}

class Api {
 public:
  explicit Api(Setup setup) : setup_(std::move(setup)) {}

  Result<void> run() {
    loop_ = TRY(http::Loop::create());
    server_ =
        TRY(http::Server::create(*loop_, {std::move(setup_.listeners), {}},
                                 [this](http::Request request, std::shared_ptr<http::Exchange> exchange) {
                                   service_->handle(std::move(request), std::move(exchange));
                                 }));
    TRY(give_up_rights(setup_));
    // What others wrote is read without rights only.
    service_.emplace(
        *loop_, setup_.keepers, setup_.limits, ServicePlaces{kHistoryDirectory, kOutputDirectory},
        [](const std::string& text) { (void)std::fprintf(stderr, "sbx-api: %s\n", text.c_str()); });
    const http::Watch sbxd = TRY(loop_->watch(kDaemonSocketFd, [this] { read_sbxd(); }));
    tell(DaemonMessageType::ready);
    stay_alive();
    setup_.keepers.when_lost([this] { tell(DaemonMessageType::keeper_lost); });
    loop_->run();
    return {};
  }

 private:
  void tell(DaemonMessageType type) const {
    DaemonMessage message;
    message.type = type;
    (void)os::send_struct(kDaemonSocketFd, message);  // its end is seen at the socket
  }

  void stay_alive() {
    alive_ = loop_->after(kAlive, [this] {
      tell(DaemonMessageType::alive);
      stay_alive();
    });
  }

  void read_sbxd() {
    auto message = os::receive_message(kDaemonSocketFd, sizeof(DaemonMessage));
    if (!message && message.error().error_number == EAGAIN) return;
    if (!message || !*message) return loop_->stop();
    const auto header = os::read_struct<DaemonMessage>(**message, "sbxd");
    if (!header) return;
    auto& descriptors = (*message)->descriptors;
    if (header->type == DaemonMessageType::nursery && descriptors.size() == 1)
      setup_.keepers.set_nursery(static_cast<std::size_t>(header->value), std::move(descriptors.front()));
    if (header->type == DaemonMessageType::stop) stop();
  }

  // No new clients, then no sandboxes, then what is still to be told.
  void stop() {
    server_->stop_accepting();
    server_->close_idle();
    service_->stop([this] {
      server_->end_streams();
      ending_ = loop_->after(std::chrono::milliseconds(200), [this] { loop_->stop(); });
    });
  }

  Setup setup_;
  std::unique_ptr<http::Loop> loop_;
  std::optional<Service> service_;
  std::unique_ptr<http::Server> server_;
  http::Timer alive_;
  http::Timer ending_;
};

Result<void> run() {
  (void)fcntl(kDaemonSocketFd, F_SETFD, FD_CLOEXEC);
  (void)signal(SIGPIPE, SIG_IGN);
  if (rlimit files{}; getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
  }
  return Api(TRY(set_up())).run();
}

}  // namespace
}  // namespace sbx::api

int main() {
  (void)prctl(PR_SET_NAME, "sbx-api");
  (void)umask(077);
  if (const auto done = sbx::api::run(); !done) {
    (void)std::fprintf(stderr, "sbx-api: %s\n", done.error().text.c_str());
    return 1;
  }
  return 0;
}
