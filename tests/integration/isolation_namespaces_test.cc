// Each of the seven namespaces: what it hides can be had outside and not inside.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <filesystem>

#include "isolation.h"
#include "support/process_tree.h"

namespace sbx::test {
namespace {

// Listens on a loopback address of the host; the port is chosen by the kernel.
class HostServer {
 public:
  explicit HostServer(int family) : fd_(socket(family, SOCK_STREAM, 0)) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_addr = in6addr_loopback;
    const bool is_v4 = family == AF_INET;
    const auto* address = is_v4 ? reinterpret_cast<sockaddr*>(&v4) : reinterpret_cast<sockaddr*>(&v6);
    works_ = bind(fd_, address, is_v4 ? sizeof v4 : sizeof v6) == 0 && listen(fd_, 8) == 0;
    socklen_t size = sizeof v6;
    (void)getsockname(fd_, reinterpret_cast<sockaddr*>(&v6), &size);
    port_ = ntohs(v6.sin6_port);  // where sin_port is, too
  }
  HostServer(const HostServer&) = delete;
  HostServer& operator=(const HostServer&) = delete;
  ~HostServer() { (void)close(fd_); }

  [[nodiscard]] bool works() const { return works_; }
  [[nodiscard]] std::string port() const { return std::to_string(port_); }

 private:
  int fd_;
  bool works_ = false;
  int port_ = 0;
};

std::string own_namespace(const std::string& kind) {
  return std::filesystem::read_symlink("/proc/self/ns/" + kind).string();
}

}  // namespace

TEST_CASE("all seven namespaces are the sandbox's own") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Answers inside = parse_answers(said_inside(
      sandbox, "for n in user mnt pid net ipc uts cgroup; do echo $n=$(readlink /proc/self/ns/$n); done"));
  for (const char* kind : {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"}) {
    CHECK(answer(inside, kind).starts_with(std::string(kind) + ":["));
    CHECK(answer(inside, kind) != own_namespace(kind));
  }
}

TEST_CASE("a program sees its own processes alone and cannot signal others") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string mark = unique_duration();
  const Background victim({"/bin/sh", "-c", "sleep " + mark + " & read line; kill $!"});
  CHECK(wait_until(milliseconds(10'000), [&] { return processes_with(mark).size() >= 2; }));
  const std::string pid = std::to_string(victim.pid());
  CHECK(run_program({"/bin/kill", "-0", pid}).exit_status == 0);
  const std::string out =
      said_inside(sandbox, "echo pid=$$; kill -0 " + pid +
                               " 2>&1; for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; done");
  const Answers inside = parse_answers(out);
  CHECK(std::stoi(answer(inside, "pid")) < 10);
  CHECK(out.find("No such process") != std::string::npos);
  CHECK(out.find("sleep " + mark) == std::string::npos);
  CHECK(out.find("sbx") == std::string::npos);
}

TEST_CASE("there is one interface, lo, and servers on it are reached") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Answers inside = probe_inside(sandbox, {"loopback"});
  CHECK(answer(inside, "up") == " lo");
  check_answers(inside, {"tcp_127.0.0.1", "udp_127.0.0.1"}, "ok");
  SKIP_UNLESS(std::filesystem::exists("/proc/net/if_inet6"), "this kernel has no IPv6");
  check_answers(inside, {"tcp_::1", "udp_::1"}, "ok");
}

TEST_CASE("there is no way out of the network namespace") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Answers inside = probe_inside(sandbox, {"connect_to", "192.0.2.1", "80", "10.0.0.1", "80",
                                                "169.254.169.254", "80", "2001:db8::1", "80"});
  for (const auto& [address, result] : inside)
    CHECK_MESSAGE(result == "ENETUNREACH", address << " gave " << result);
  CHECK(inside.size() == 4);
  CHECK(lines_of(said_inside(sandbox, "cat /proc/net/route")).size() <= 1);  // its head
}

TEST_CASE("servers on the host's loopback addresses are not reached") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const int family : {AF_INET, AF_INET6}) {
    const HostServer server(family);
    if (family == AF_INET6) SKIP_UNLESS(server.works(), "this host has no ::1");
    REQUIRE(server.works());
    const std::string address = family == AF_INET ? "127.0.0.1" : "::1";
    CHECK(answer(probe_outside({"connect_to", address, server.port()}), address) == "ok");
    CHECK(answer(probe_inside(sandbox, {"connect_to", address, server.port()}), address) == "ECONNREFUSED");
  }
}

TEST_CASE("IPC objects and abstract sockets of the host are not visible") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string key = std::to_string(getpid());
  Background maker({probe_directory() + "/ipc_objects", "make", key});
  REQUIRE(maker.wait_for("abstract="));
  // A kernel without POSIX queues has none to hide.
  const Answers outside = probe_outside({"ipc_objects", "find", key});
  check_answers(outside, {"shm", "sem", "msg", "abstract"}, "ok");
  const Answers inside = probe_inside(sandbox, {"ipc_objects", "find", key});
  check_answers(inside, {"shm", "sem", "msg", "mq"}, "ENOENT");
  CHECK(answer(inside, "abstract") == "ECONNREFUSED");
}

TEST_CASE("the host's name is hidden and cannot be changed") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string script =
      "uname -n; cat /proc/sys/kernel/domainname; hostname other 2>/dev/null || echo refused";
  const auto lines = lines_of(said_inside(sandbox, script));
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == "sandbox");
  CHECK(lines[1] == "(none)");
  CHECK(lines[2] == "refused");
}

TEST_CASE("the NIS domain name of the caller's namespace is hidden, too") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  std::vector<std::string> command{
      "unshare", "--uts", "/bin/sh", "-c", "echo secret.example >/proc/sys/kernel/domainname && exec \"$@\"",
      "sh"};
  const auto run = sbxrun_command(sandbox, {"--", "cat", "/proc/sys/kernel/domainname"});
  command.insert(command.end(), run.begin(), run.end());
  CHECK(run_program(command).out == "(none)\n");
}

TEST_CASE("a program's cgroups look like roots") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const auto lines = lines_of(said_inside(sandbox, "cat /proc/self/cgroup"));
  CHECK(!lines.empty());
  for (const std::string& line : lines) CHECK_MESSAGE(line.ends_with(":/"), line);
  CHECK(said_inside(sandbox, "cat /proc/self/mountinfo").find(" - cgroup") == std::string::npos);
}

}  // namespace sbx::test
