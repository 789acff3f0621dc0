// Kernel memory that is charged to no sandbox, and numbers that the machine has once: what the filter
// refuses, what the limit of memory counts, and what of it stays for honest programs.
#include <sys/stat.h>
#include <sys/xattr.h>

#include "isolation.h"

namespace sbx::test {
namespace {

constexpr const char* kPolicies[] = {"default", "strict", "permissive"};

Answers calls_outside(const Sandbox& sandbox) {
  return probe_outside({"uncharged", "calls", sandbox.directory()});
}

Answers calls_inside(const Sandbox& sandbox, const char* policy) {
  return probe_inside(sandbox, {"uncharged", "calls", "/tmp"}, {"--policy", policy});
}

}  // namespace

TEST_CASE("an ACL is short, so that not every file holds 128 kB which nobody is charged for") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Answers outside = calls_outside(sandbox);
  SKIP_UNLESS(answer(outside, "acl_small") == "ok", "the temporary directory takes no ACLs");
  check_answers(outside, {"acl_setxattr", "acl_lsetxattr", "acl_fsetxattr"}, "ok");
  CHECK(answer(outside, "acl_high") == "E2BIG");
  CHECK(answer(outside, "setxattrat") != "EPERM");
  for (const char* policy : kPolicies) {
    CAPTURE(policy);
    const Answers inside = calls_inside(sandbox, policy);
    CHECK(answer(inside, "acl_small") == "ok");
    check_answers(inside, {"acl_setxattr", "acl_lsetxattr", "acl_fsetxattr", "acl_high"}, "EPERM");
    CHECK(answer(inside, "setxattrat") == "ENOSYS");
  }
}

TEST_CASE("cp -a and shutil.copystat copy a file with attributes, also one whose are too long to be set") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string from = sandbox.directory() + "/from";
  REQUIRE(mkdir(from.c_str(), 0755) == 0);
  for (const std::size_t size : {std::size_t{200}, std::size_t{300}}) {
    const std::string file = from + "/" + std::to_string(size);
    write_file(file, "content");
    const std::string value(size, 'x');
    SKIP_UNLESS(setxattr(file.c_str(), "user.sbx", value.data(), value.size(), 0) == 0,
                "the temporary directory takes no attributes");
  }
  const ProgramResult result = sandbox.shell(
      "cd /tmp; cp -a /from copied && cat copied/200 copied/300 && "
      "/usr/bin/python3 -c \"import shutil; shutil.copytree('/from', 'tree'); shutil.copystat('/from/300', "
      "'copied/300')\" && cat tree/300",
      {"--bind=" + from + ":/from"});
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  CHECK(result.err == "");
  CHECK(result.out == "contentcontentcontent");
}

TEST_CASE("a thread has a memory policy, as ever") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Answers outside = calls_outside(sandbox);
  const Answers inside = calls_inside(sandbox, "default");
  CHECK(answer(inside, "set_mempolicy") == answer(outside, "set_mempolicy"));
}

TEST_CASE("what waits in TCP sockets counts against the memory of the sandbox") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  // The control needs as much, and so has to be had here (net.ipv4.tcp_mem, in pages).
  long low = 0;
  std::istringstream(read_file("/proc/sys/net/ipv4/tcp_mem")) >> low;
  SKIP_UNLESS(low * 4096 > 512L << 20, "this machine has little memory for TCP");
  const std::vector<std::string> command{bind_probes(), "--", kProbes + "/uncharged", "tcp", "200"};
  const auto run = [&](const char* memory) {
    std::vector<std::string> arguments{"-m", memory};
    arguments.insert(arguments.end(), command.begin(), command.end());
    return sandbox.run_json(arguments);
  };
  CHECK(run("1G")["stdout"]["text"] == "tcp=filled\n");
  const auto limited = run("32M");
  INFO("result: " << limited.dump());
  // v1 gives no more buffers; v2 may also kill.
  CHECK((limited["stdout"]["text"] == "tcp=stopped\n" || limited["outcome"] == "out_of_memory"));
}

TEST_CASE("without netlink, servers on localhost work") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string script =
      "import http.server, socket, threading, urllib.request\n"
      "server = http.server.HTTPServer(('localhost', 0), http.server.SimpleHTTPRequestHandler)\n"
      "threading.Thread(target=server.serve_forever, daemon=True).start()\n"
      "print(urllib.request.urlopen('http://localhost:%d/' % server.server_port).status)\n"
      "print(socket.if_nametoindex('lo'))\n"
      "try: print(socket.if_nameindex())\n"
      "except OSError as error: print(error.errno)\n";
  const auto said = [&](const char* policy) {
    return sandbox.run({"--policy", policy, "--", "/usr/bin/python3", "-c", script}).out;
  };
  CHECK(said("default") == "200\n1\n" + std::to_string(EAFNOSUPPORT) + "\n");
  CHECK(said("permissive") == "200\n1\n[(1, 'lo')]\n");
}

}  // namespace sbx::test
