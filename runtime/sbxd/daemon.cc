#include "sbxd/daemon.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "monitor/audit_event.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/socket.h"
#include "resource/image_folders.h"
#include "resource/own_directories.h"
#include "run/run_one.h"
#include "sbxd/late_children.h"
#include "sbxd/memory_pressure.h"
#include "sbxd/passed_sockets.h"
#include "sbxd/tcp_listener.h"
#include "supervise/poll_set.h"
#include "wire/daemon_protocol.h"
#include "wire/spill.h"

namespace sbx {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kStopTimeout = 30 * kSecond;
constexpr std::int64_t kKeeperTimeout = 5 * kSecond;  // when the API has ended
constexpr std::size_t kMostNurseries = 16;
constexpr std::size_t kMostProgram = 16U << 20U;
// An API that dies so often has a fault that starting it again does not mend.
constexpr std::size_t kMostStarts = 5;
constexpr std::int64_t kStartsWithin = 60 * kSecond;

std::vector<int> usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE && cpus.size() < kMostNurseries; ++cpu) {
      if (CPU_ISSET(static_cast<unsigned>(cpu), &set)) cpus.push_back(cpu);
    }
  }
  if (cpus.empty()) cpus.push_back(-1);
  return cpus;
}

void say(const std::string& text) { (void)std::fprintf(stderr, "sbxd: %s\n", text.c_str()); }

void warn_of(const std::vector<Finding>& findings, const std::string& file) {
  for (const Finding& finding : findings) say("warning: " + printable(finding.told(file)));
}

// Of all errors among them.
std::string joined(const std::vector<Finding>& findings, const std::string& file) {
  std::string text;
  for (const Finding& finding : findings) {
    if (finding.kind == Finding::Kind::error) text += (text.empty() ? "" : "; ") + finding.told(file);
  }
  return text;
}

sigset_t handled_signals() {
  sigset_t handled;
  (void)sigemptyset(&handled);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) (void)sigaddset(&handled, number);
  return handled;
}

bool has_ended(const ChildProgram& program) {
  pollfd ended{program.pidfd(), POLLIN, 0};
  return !program.running() || poll(&ended, 1, 0) == 1;
}

// An API that died meanwhile is told by its pidfd.
Result<void> unless_closed(Result<void> told) {
  return told || told.error().error_number == EPIPE ? Result<void>() : told;
}

Result<void> make_directory(const std::string& path, mode_t mode, uid_t owner) {
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return fail(system_error("mkdir", path, errno));
  if (chown(path.c_str(), owner, owner) != 0) return fail(system_error("chown", path, errno));
  if (chmod(path.c_str(), mode) != 0) return fail(system_error("chmod", path, errno));
  return {};
}

// The files of an API that had another id (id_pool) become this one's. It is not there now, so none can
// change.
Result<void> give_files(const std::string& path, uid_t owner) {
  const UniqueFd directory = TRY(os::open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  for (const std::string& name : TRY(os::list_directory(AT_FDCWD, path))) {
    const UniqueFd file = TRY(os::open_at(directory.get(), name, O_PATH | O_NOFOLLOW));
    const struct stat status = TRY(os::stat_fd(file.get(), name));
    if (!S_ISREG(status.st_mode) || status.st_nlink != 1 || status.st_uid == owner) continue;
    if (fchownat(file.get(), "", owner, owner, AT_EMPTY_PATH) != 0)
      return fail(system_error("fchownat", path + "/" + name, errno));
  }
  return {};
}

}  // namespace

// Before anything is swept: a journal says what root kills and logs.
Result<void> Daemon::check_places() const {
  const Settings& settings = options_.settings;
  TRY(os::make_directories(settings.state_dir, 0700));
  TRY(os::make_directories(settings.run_dir, 0711));
  return check_own_directories(settings.state_dir, settings.run_dir);
}

// The API's own root, with what keepers write for it, and what it writes itself.
Result<void> Daemon::prepare_api_root() const {
  const Settings& settings = options_.settings;
  const uid_t owner = settings.ids.service_id() + 1;
  TRY(make_directory(settings.state_dir + "/" + kApiDirectory, 0755, 0));
  TRY(make_directory(settings.state_dir + "/" + kSpillDirectory, 0700, owner));
  TRY(make_directory(settings.state_dir + "/" + kHistoryDirectory, 0700, owner));
  return give_files(settings.state_dir + "/" + kHistoryDirectory, owner);
}

// Both go into sandboxes: what is there while we run is what was there when we began.
Result<void> Daemon::read_programs() {
  const std::string& helpers = options_.settings.helpers;
  const std::string init = TRY(os::read_file(AT_FDCWD, helpers + "/sbx-init", kMostProgram));
  init_program_ = TRY(os::sealed_memfd("sbx-init", init));
  const std::string files = TRY(os::read_file(AT_FDCWD, helpers + "/sbx-files", kMostProgram));
  files_program_ = TRY(os::sealed_memfd("sbx-files", files));
  // Executed, and not read: then its memory and descriptors are nobody's in the sandbox (ptrace(2)).
  if (fchmod(files_program_.get(), 0111) != 0) return fail(system_error("fchmod", "sbx-files", errno));
  return {};
}

Result<void> Daemon::open_listener() {
  const Settings& settings = options_.settings;
  std::vector<UniqueFd> passed = TRY(take_passed_sockets());
  if (passed.size() > 1) return fail("LISTEN_FDS: one socket is expected, and there are more");
  listener_ = std::make_unique<Listener>(
      passed.empty() ? TRY(Listener::open(settings.run_dir, options_.socket, settings.socket_group))
                     : TRY(Listener::adopt(settings.run_dir, std::move(passed.front()))));
  return {};
}

Result<void> Daemon::run() {
  const sigset_t handled = handled_signals();
  (void)sigprocmask(SIG_BLOCK, &handled, nullptr);
  TRY(check_places());
  TRY(open_listener());
  for (const TcpListener& where : options_.settings.listeners)
    tcp_listeners_.push_back(TRY(listen_tcp(where)));
  sweep();
  TRY(read_programs());
  cpus_ = usable_cpus();
  watch_pressure();
  TRY(start_api());
  record("sbxd.start", options_.socket, SBX_VERSION);
  Result<void> served = serve();
  end_preparing();
  api_socket_.reset();
  if (api_.running()) (void)api_.reap();
  for (Nursery& nursery : nurseries_) {
    if (nursery.program.running()) (void)nursery.program.reap();
  }
  if (const std::size_t late = end_children(kKeeperTimeout); late > 0) {
    say(std::to_string(late) + " processes did not end, and were killed");
    sweep();
  }
  record("sbxd.stop", options_.socket, served ? "" : served.error().text, !served);
  return served;
}

// For the pool alone, where there is one.
void Daemon::watch_pressure() {
  if (options_.settings.pool.kinds.empty() || pressure_.valid()) return;
  auto pressure = watch_memory_pressure();
  if (!pressure) return say("the pool is kept also when memory is short: " + pressure.error().text);
  pressure_ = std::move(*pressure);
}

// --- what is started -----------------------------------------------------------------------------------

Result<void> Daemon::tell_api(DaemonMessageType type, std::int64_t value,
                              const std::vector<int>& descriptors) const {
  DaemonMessage message;
  message.type = type;
  message.value = value;
  return os::send_struct(api_socket_.get(), message, descriptors);
}

Result<void> Daemon::start_nursery(Nursery& nursery, std::size_t index) {
  auto [ours, theirs] = TRY(os::seqpacket_pair());
  const Settings& settings = options_.settings;
  nursery.program = TRY(ChildProgram::start({settings.helpers + "/sbx-keeper", options_.places.config,
                                             settings.state_dir, settings.run_dir, settings.log.path},
                                            {theirs.get(), init_program_.get(), files_program_.get()},
                                            {.cpu = nursery.cpu}));
  return tell_api(DaemonMessageType::nursery, static_cast<std::int64_t>(index), {ours.get()});
}

Result<void> Daemon::start_api() {
  TRY(prepare_api_root());
  auto [ours, theirs] = TRY(os::seqpacket_pair());
  const Settings& settings = options_.settings;
  api_ = TRY(ChildProgram::start({settings.helpers + "/sbx-api"}, {theirs.get()}, {}));
  api_socket_ = std::move(ours);
  TRY(tell_api(DaemonMessageType::listener, 0, {listener_->fd()}));
  for (const UniqueFd& listener : tcp_listeners_)
    TRY(tell_api(DaemonMessageType::listener, 0, {listener.get()}));
  nurseries_.clear();
  for (const int cpu : cpus_) {
    nurseries_.push_back({{}, cpu});
    TRY(start_nursery(nurseries_.back(), nurseries_.size() - 1));
  }
  if (const auto begun = prepare_images(); !begun) say(begun.error().text);
  const nlohmann::json past = {{"cleanup_interval_ms", settings.cleanup_interval_ms},
                               {"started_ms", started_ms_},
                               {"api_restarts", api_restarts_},
                               {"nursery_restarts", nursery_restarts_},
                               {"swept", swept_}};
  const UniqueFd memory = TRY(os::sealed_memfd("sbx-api", past.dump()));
  TRY(tell_api(DaemonMessageType::past, 0, {memory.get()}));
  return tell_access(options_.access, DaemonMessageType::go);
}

// `last`: what puts all of it in force.
Result<void> Daemon::tell_access(const Access& access, DaemonMessageType last) const {
  for (const Access::Certificate& pair : access.certificates) {
    const auto which = static_cast<std::int64_t>(pair.listener) + 1;  // the Unix socket is the first
    TRY(tell_api(DaemonMessageType::certificate, which, {pair.chain.get(), pair.key.get()}));
  }
  TRY(tell_api(DaemonMessageType::tokens, 0, {access.tokens.get()}));
  return tell_api(last, 0, {access.settings.get()});
}

// All of what is new, or nothing.
Result<void> Daemon::try_reload() {
  Settings fresh = TRY(make_settings(options_.places));
  for (const std::string& key : fixed_keys_that_differ(options_.settings, fresh))
    say("'" + key + "' changes only when sbxd is started again");
  warn_of(check_settings(fresh, built_images(std::getenv("SBX_CACHE_DIR"))), fresh.file);
  Settings next = options_.settings;
  next.file = fresh.file;
  next.named = std::move(fresh.named);
  next.max_sandboxes = fresh.max_sandboxes;
  next.admission = fresh.admission;
  next.pool = std::move(fresh.pool);
  next.origins = std::move(fresh.origins);
  next.tokens = std::move(fresh.tokens);
  // Of the same listeners other files.
  for (TcpListener& listener : next.listeners) {
    for (const TcpListener& other : fresh.listeners) {
      if (other.text() == listener.text() && other.tls && listener.tls) listener.tls = other.tls;
    }
  }
  AccessReading reading = read_access(next);
  if (!reading.access) return fail(joined(reading.findings, next.file));
  warn_of(reading.findings, next.file);
  TRY(tell_access(*reading.access, DaemonMessageType::settings));
  options_.settings = std::move(next);
  options_.access = *std::move(reading.access);
  watch_pressure();
  return {};
}

void Daemon::reload() {
  if (stopping_ || !api_socket_.valid()) return;
  notify(("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(os::monotonic_ns() / 1000)).c_str());
  const auto done = try_reload();
  say(done ? "configuration and tokens were read again"
           : "everything stays as it was: " + printable(done.error().text));
  record("sbxd.reload", options_.settings.file, done ? "" : done.error().text, !done);
  notify("READY=1\nSTATUS=ready");
}

// Beside everything else, and whatever comes of it.
Result<void> Daemon::prepare_images() {
  const Settings& settings = options_.settings;
  if (settings.prepare_images && settings.prepare_images->empty()) return {};
  std::vector<std::string> command{settings.programs + "/sbxctl", "--state-dir", settings.state_dir};
  if (!options_.places.config.empty()) command.insert(command.end(), {"--config", options_.places.config});
  command.insert(command.end(), {"images", "warm", "--lines", "--background"});
  if (settings.prepare_images) {
    command.insert(command.end(), settings.prepare_images->begin(), settings.prepare_images->end());
  } else {
    command.emplace_back("--stored");
  }
  ChildProgram::Options how;
  if (const char* cache = std::getenv("SBX_CACHE_DIR"))
    how.environment.push_back(std::string("SBX_CACHE_DIR=") + cache);
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return fail(system_error("pipe2", "sbxctl", errno));
  const UniqueFd reading(ends[0]);
  const UniqueFd writing(ends[1]);
  how.output = writing.get();
  preparer_ = TRY_DOING("preparing images", ChildProgram::start(command, {}, how));
  return tell_api(DaemonMessageType::images, 0, {reading.get()});
}

void Daemon::end_preparing() {
  preparer_.signal(SIGTERM);
  if (preparer_.running()) (void)preparer_.reap();
}

// Of its own life.
void Daemon::record(const char* what, const std::string& subject, const std::string& message,
                    bool failed) const {
  AuditEvent event;
  event.event = what;
  event.subject = subject;
  event.message = message;
  event.failed = failed;
  if (const auto recorded = record_event(options_.settings.log, event); !recorded)
    say(printable(recorded.error().text));
}

void Daemon::sweep() {
  const Sweep swept = sweep_orphans(options_.settings);
  if (!swept.removed.empty()) say(swept.done());
  swept_ += swept.removed.size();
  if (!swept.failure.empty()) say(swept.failure);
}

// Its sandboxes end by themselves: their keepers see its end.
Result<void> Daemon::restart_api() {
  std::string how = api_.reap();
  if (how.find("SIGSYS") != std::string::npos)
    how += " (a system call that its filter does not let through; the kernel's log has its number)";
  if (stopping_) return {};
  ++api_restarts_;
  say("the API " + how + "; its sandboxes end, and it is started again");
  record("sbxd.restart", "sbx-api", how);
  notify("STATUS=starting again");
  api_socket_.reset();
  end_preparing();
  for (Nursery& nursery : nurseries_) (void)nursery.program.reap();  // each ends at the end of its socket
  const std::int64_t now = os::monotonic_ns();
  api_starts_.push_back(now);
  std::erase_if(api_starts_, [&](std::int64_t then) { return now - then > kStartsWithin; });
  if (api_starts_.size() >= kMostStarts)
    return fail("the API " + how + ", as it has several times in a minute");
  sweep();
  return unless_closed(start_api());
}

// One that ended, by itself: at the end of the API all do, and are started again with it.
Result<void> Daemon::look_after_nursery(std::size_t index) {
  if (stopping_ || index >= nurseries_.size() || !has_ended(nurseries_[index].program)) return {};
  if (!api_socket_.valid() || has_ended(api_)) return {};
  ++nursery_restarts_;
  const std::string how = nurseries_[index].program.reap();
  say("a nursery " + how + "; another one is started");
  record("sbxd.restart", "sbx-keeper", how);
  return unless_closed(start_nursery(nurseries_[index], index));
}

// --- the loop ------------------------------------------------------------------------------------------

void Daemon::begin_stop() {
  if (stopping_) {
    api_.signal(SIGKILL);
    return;
  }
  stopping_ = true;
  adopt_orphans();
  stop_deadline_ = os::monotonic_ns() + kStopTimeout;
  notify("STOPPING=1");
  (void)tell_api(DaemonMessageType::stop, 0, {});
}

void Daemon::read_api() {
  auto received = os::receive_message(api_socket_.get(), sizeof(DaemonMessage));
  if (!received || !*received) {
    api_socket_.reset();  // its end is told by its pidfd
    return;
  }
  const auto message = os::read_struct<DaemonMessage>(**received, "the API");
  if (!message) return;
  if (message->type == DaemonMessageType::ready) notify("READY=1\nSTATUS=ready");
  if (message->type == DaemonMessageType::keeper_lost) sweep();
  if (message->type == DaemonMessageType::alive) notify("WATCHDOG=1");
}

Result<void> Daemon::serve() {
  const sigset_t handled = handled_signals();
  const UniqueFd signals(signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals.valid()) return fail(system_error("signalfd", "", errno));
  Result<void> failure;
  while (failure && api_.running()) {
    PollSet turn;
    turn.add(signals.get(), [&] {
      signalfd_siginfo info{};
      while (read(signals.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
        info.ssi_signo == SIGHUP ? reload() : begin_stop();
      }
    });
    turn.add(api_socket_.get(), [&] { read_api(); });
    turn.add(preparer_.pidfd(), [&] { (void)preparer_.reap(); });  // the API knows what came of it
    turn.add(api_.pidfd(), [&] { failure = restart_api(); });
    turn.add(
        pressure_.get(), [&] { (void)tell_api(DaemonMessageType::memory_short, 0, {}); }, POLLPRI);
    for (std::size_t i = 0; i < nurseries_.size(); ++i) {
      turn.add(nurseries_[i].program.pidfd(), [&, i] {
        if (failure) failure = look_after_nursery(i);
      });
    }
    if (stopping_) turn.until(stop_deadline_);
    turn.wait();
    if (stopping_ && os::monotonic_ns() >= stop_deadline_) {
      say("the API does not stop: killed");
      api_.signal(SIGKILL);
      stop_deadline_ = kNever;
    }
  }
  return failure;
}

// sd_notify(3), without a library for it: one datagram.
void Daemon::notify(const char* state) const {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || (*path != '/' && *path != '@')) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t size = std::strlen(path);
  if (size >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, size);
  if (*path == '@') address.sun_path[0] = '\0';
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size);
  (void)sendto(fd.get(), state, std::strlen(state), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
               length);
}

}  // namespace sbx
