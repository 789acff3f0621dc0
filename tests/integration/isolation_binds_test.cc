// Sockets and FIFOs in host directories: they can be used through a read-only bind, which is told, and not
// through a copy-on-write one.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>

#include "isolation.h"

namespace sbx::test {
namespace {

namespace fs = std::filesystem;

// A directory with a socket that listens and a FIFO that is read, at its top and one below.
class Served {
 public:
  explicit Served(std::string directory) : directory_(std::move(directory)) {
    fs::create_directories(directory_ + "/sub");
    for (const char* below : {"", "/sub"}) {
      listen_at(directory_ + below + "/socket");
      const std::string fifo = directory_ + below + "/fifo";
      REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
      keep(open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    }
  }
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;
  ~Served() {
    for (const int fd : held_) (void)close(fd);
  }
  [[nodiscard]] const std::string& directory() const { return directory_; }

 private:
  void keep(int fd) {
    REQUIRE(fd >= 0);
    held_.push_back(fd);
  }
  void listen_at(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(path.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path.c_str(), path.size());
    keep(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(bind(held_.back(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(listen(held_.back(), 64) == 0);
  }

  std::string directory_;
  std::vector<int> held_;
};

// Four answers: socket and FIFO, at the top and one below.
std::vector<std::string> use_all(const std::string& directory) {
  const std::string script =
      "import errno, os, socket, sys\n"
      "def attempt(call):\n"
      "  try: call(); print('ok')\n"
      "  except OSError as error: print(errno.errorcode[error.errno])\n"
      "for place in (sys.argv[1], sys.argv[1] + '/sub'):\n"
      "  attempt(lambda: socket.socket(socket.AF_UNIX).connect(place + '/socket'))\n"
      "  attempt(lambda: os.write(os.open(place + '/fifo', os.O_WRONLY | os.O_NONBLOCK), b'x'))\n";
  return {"/usr/bin/python3", "-c", script, directory};
}

ProgramResult use_inside(const Sandbox& sandbox, std::vector<std::string> arguments,
                         const std::string& inside, ProgramOptions options = {}) {
  arguments.emplace_back("--");
  for (std::string& word : use_all(inside)) arguments.push_back(std::move(word));
  return sandbox.run(arguments, std::move(options));
}

const std::string kUsed = "ok\nok\nok\nok\n";
const std::string kCutOff = "ECONNREFUSED\nENXIO\nECONNREFUSED\nENXIO\n";

}  // namespace

TEST_CASE("sockets and FIFOs of a directory shown read-only can be used, and that is told") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Served served(sandbox.directory() + "/served");
  CHECK(run_program(use_all(served.directory())).out == kUsed);
  const ProgramResult bound = use_inside(sandbox, {"--bind", served.directory() + ":/mnt"}, "/mnt");
  CHECK(bound.out == kUsed);
  for (const std::string& word : {"'" + served.directory() + "' is shown read-only",
                                  std::string("can use the "), std::string("INSIDE:cow prevents that")})
    CHECK_MESSAGE(bound.err.find(word) != std::string::npos, bound.err);
  ProgramOptions there;
  there.directory = served.directory();
  const ProgramResult here = use_inside(sandbox, {"--here"}, ".", there);
  CHECK(here.out == kUsed);
  CHECK_MESSAGE(here.err.find("--here=cow prevents that") != std::string::npos, here.err);
  const ProgramResult explained = sandbox.sbxrun({"--explain", "--here", "--", "/bin/true"}, there);
  CHECK_MESSAGE(explained.out.find("Careful: '" + served.directory() + "'") != std::string::npos,
                explained.out);
}

TEST_CASE("sockets and FIFOs of a directory shown copy-on-write cannot be used") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Served served(sandbox.directory() + "/served");
  const ProgramResult bound = use_inside(sandbox, {"--bind", served.directory() + ":/mnt:cow"}, "/mnt");
  CHECK(bound.out == kCutOff);
  CHECK(bound.err == "");
  ProgramOptions there;
  there.directory = served.directory();
  const ProgramResult here = use_inside(sandbox, {"--here=cow"}, ".", there);
  CHECK(here.out == kCutOff);
  CHECK(here.err == "");
}

TEST_CASE("a directory shown read-only follows the host") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string shown = sandbox.directory() + "/shown";
  fs::create_directory(shown);
  write_file(shown + "/replaced", "old");
  const std::string script =
      "cat /mnt/replaced; ls /mnt/new 2>&1 >/dev/null | wc -l; echo ready; read line; "
      "cat /mnt/replaced /mnt/new";
  Background run(sbxrun_command(sandbox, {"--bind", shown + ":/mnt", "--", "/bin/sh", "-c", script}));
  REQUIRE(run.wait_for("ready"));
  write_file(shown + "/temporary", "replaced ");
  fs::rename(shown + "/temporary", shown + "/replaced");
  write_file(shown + "/new", "made");
  CHECK(WEXITSTATUS(run.end()) == 0);
  CHECK(run.said().find("old1\nready\nreplaced made") != std::string::npos);
}

}  // namespace sbx::test
