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
#include "api/own_filter.h"
#include "api/service.h"
#include "api/told.h"
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
  ToldSettings told;
  Metrics metrics;
  std::chrono::milliseconds cleanup_interval{0};
  UniqueFd images;
};

// What sbxd knows of the time before this process.
Result<void> read_past(int fd, Setup& setup) {
  const std::string text = TRY(os::read_sealed_memfd(fd, "past", 1U << 16U));
  const JsonObject past = TRY(JsonObject::parse(text));
  const auto number = [&](const char* key) -> Result<std::uint64_t> {
    const auto value = TRY(past.count(key));
    return value.value_or(0);
  };
  setup.cleanup_interval = std::chrono::milliseconds(TRY(number("cleanup_interval_ms")));
  const std::uint64_t started_ms = TRY(number("started_ms"));
  const std::uint64_t api_restarts = TRY(number("api_restarts"));
  const std::uint64_t nursery_restarts = TRY(number("nursery_restarts"));
  const std::uint64_t swept = TRY(number("swept"));
  setup.metrics.begin(static_cast<std::int64_t>(started_ms), api_restarts, nursery_restarts, swept);
  return {};
}

Result<void> give_certificates(Setup& setup) {
  for (auto& [index, identity] : setup.told.certificates) {
    if (index >= setup.listeners.size()) return fail("sbxd: a certificate of no listener");
    setup.listeners[index].tls = std::move(identity);
  }
  return {};
}

Result<Setup> set_up() {
  Setup setup;
  Told told;
  while (true) {
    auto message = TRY(os::receive_message(kDaemonSocketFd, sizeof(DaemonMessage)));
    if (!message) return fail("sbxd ended");
    const auto header = TRY(os::read_struct<DaemonMessage>(*message, "sbxd"));
    auto& descriptors = message->descriptors;
    if (header.version != kDaemonProtocolVersion || descriptors.empty())
      return fail("sbxd: a message of another build");
    switch (header.type) {
    case DaemonMessageType::listener: setup.listeners.push_back({std::move(descriptors.front()), {}}); break;
    case DaemonMessageType::nursery:
      setup.keepers.set_nursery(static_cast<std::size_t>(header.value), std::move(descriptors.front()));
      break;
    case DaemonMessageType::images: setup.images = std::move(descriptors.front()); break;
    case DaemonMessageType::past: TRY(read_past(descriptors.front().get(), setup)); break;
    case DaemonMessageType::go:
      setup.told = TRY(told.settle(descriptors.front().get()));
      TRY(give_certificates(setup));
      return setup;
    default: TRY(told.note(header, std::move(descriptors)));
    }
  }
}

// From here on a fault in this process is nobody's, who sees one directory.
Result<void> give_up_rights(const ToldSettings& setup) {
  if (chroot(setup.root.c_str()) != 0 || chdir("/") != 0)
    return fail(system_error("chroot", setup.root, errno));
  if (setgroups(0, nullptr) != 0) return fail(system_error("setgroups", "", errno));
  if (setresgid(setup.uid, setup.uid, setup.uid) != 0) return fail(system_error("setresgid", "", errno));
  if (setresuid(setup.uid, setup.uid, setup.uid) != 0) return fail(system_error("setresuid", "", errno));
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail(system_error("prctl", "no_new_privs", errno));
  if (prctl(PR_SET_DUMPABLE, 0) != 0) return fail(system_error("prctl", "dumpable", errno));
  return enter_own_filter();
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
    TRY(give_up_rights(setup_.told));
    // What others wrote is read without rights only.
    service_.emplace(
        *loop_, setup_.keepers, setup_.metrics, setup_.cleanup_interval, std::move(setup_.told.service),
        ServicePlaces{kHistoryDirectory, kOutputDirectory},
        [](const std::string& text) { (void)std::fprintf(stderr, "sbx-api: %s\n", text.c_str()); });
    if (setup_.images.valid()) service_->images().follow(std::move(setup_.images));
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
    if (header->type == DaemonMessageType::stop) return stop();
    if (header->type == DaemonMessageType::memory_short) return service_->drain_pool();
    if (descriptors.empty()) return;
    if (header->type == DaemonMessageType::nursery) {
      setup_.metrics.note_nursery_restart();
      setup_.keepers.set_nursery(static_cast<std::size_t>(header->value), std::move(descriptors.front()));
    } else if (header->type == DaemonMessageType::settings) {
      change(descriptors.front().get());
    } else {
      (void)told_.note(*header, std::move(descriptors));  // what is missing fails when it is settled
    }
  }

  // sbxd has looked at all of it.
  void change(int settings) {
    auto told = told_.settle(settings);
    if (!told) return (void)std::fprintf(stderr, "sbx-api: %s\n", told.error().text.c_str());
    service_->set(std::move(told->service));
    for (const auto& [index, identity] : told->certificates) {
      if (const auto done = server_->set_tls(index, identity); !done)
        (void)std::fprintf(stderr, "sbx-api: %s\n", done.error().text.c_str());
    }
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
  Told told_;
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

// For sbxd, which has no OpenSSL: 3 and 4 are a chain and a key, and what is to be said goes to 5.
int check_certificate() {
  const auto identity = read_identity(3, 4);
  const auto context = identity ? http::TlsContext::make(*identity) : fail(identity.error());
  (void)os::write_all(5, context ? "ok" : context.error().text, "sbxd");
  return context ? 0 : 1;
}

}  // namespace
}  // namespace sbx::api

int main(int count, char** arguments) {
  (void)prctl(PR_SET_NAME, "sbx-api");
  if (count == 2 && std::string_view(arguments[1]) == "check-certificate")
    return sbx::api::check_certificate();
  (void)umask(077);
  if (const auto done = sbx::api::run(); !done) {
    (void)std::fprintf(stderr, "sbx-api: %s\n", done.error().text.c_str());
    return 1;
  }
  return 0;
}
