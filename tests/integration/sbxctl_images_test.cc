// sbxctl images, as a program: an image of one static program is packed, imported, shown, run and removed.
#include <pty.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "isolation.h"

namespace sbx::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Strings = std::vector<std::string>;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

ProgramResult images(const Sandbox& sandbox, const Strings& arguments, const ProgramOptions& options = {}) {
  Strings all{
      program_directory() + "/sbxctl", "--state-dir", sandbox.state_dir(), "--log", sandbox.log(), "images"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run_program(all, options);
}

std::string first_word(const std::string& text) { return text.substr(0, text.find(' ')); }

// DIRECTORY/tiny.tar and tiny.json: /bin/write_files, and /srv/data, which belongs to the workload.
class TinyImage {
 public:
  explicit TinyImage(const std::string& directory) : directory_(directory) {
    const std::string tree = directory + "/tree";
    fs::create_directories(tree + "/bin");
    fs::create_directories(tree + "/srv/data");
    fs::copy_file(probe_directory() + "/write_files", tree + "/bin/write_files");
    write_file(tree + "/srv/data/old", "old");
    for (const char* name : {"/srv/data", "/srv/data/old"})
      REQUIRE(chown((tree + name).c_str(), 1000, 1000) == 0);
    const ProgramResult packed =
        run_program({"/usr/bin/tar", "--numeric-owner", "-C", tree, "-cf", tarball(), "."});
    REQUIRE_MESSAGE(packed.exit_status == 0, packed.err);
    hex_ = first_word(run_program({"/usr/bin/sha256sum", tarball()}).out);
    describe(json::object());
  }

  // Writes the sidecar, with `changes`.
  void describe(const json& changes) const {
    json sidecar{{"schema", 1},
                 {"name", "tiny"},
                 {"digest", digest()},
                 {"tarball_bytes", fs::file_size(tarball())},
                 {"unpacked_bytes", fs::file_size(directory_ + "/tree/bin/write_files") + 3},
                 {"entries", 6},
                 {"architecture", "amd64"},
                 {"os", "linux"},
                 {"language", "none"},
                 {"built_at", "2026-11-21T10:00:00Z"},
                 {"env", {"PATH=/bin", "TINY=yes"}}};
    sidecar.update(changes);
    write_file(sidecar_file(), sidecar.dump());
  }

  [[nodiscard]] std::string tarball() const { return directory_ + "/tiny.tar"; }
  [[nodiscard]] std::string sidecar_file() const { return directory_ + "/tiny.json"; }
  [[nodiscard]] std::string digest() const { return "sha256:" + hex_; }
  [[nodiscard]] const std::string& hex() const { return hex_; }

 private:
  std::string directory_;
  std::string hex_;
};

void import_tiny(const Sandbox& sandbox, const TinyImage& tiny) {
  const ProgramResult result = images(sandbox, {"import", tiny.tarball()});
  REQUIRE_MESSAGE(result.exit_status == 0, result.err);
}

Answers inside(const Sandbox& sandbox, Strings options, const Strings& arguments) {
  options.insert(options.end(), {"--image", "tiny", "--", "/bin/write_files"});
  options.insert(options.end(), arguments.begin(), arguments.end());
  const ProgramResult result = sandbox.run(options);
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  return parse_answers(result.out);
}

}  // namespace

TEST_CASE("sbxctl images: import, list, inspect, remove") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const TinyImage tiny(sandbox.directory());

  ProgramResult result = images(sandbox, {"import", tiny.tarball()});
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  CHECK_MESSAGE(result.out.starts_with("imported tiny: " + tiny.digest() + ", 6 entries in "), result.out);
  CHECK_MESSAGE(result.err.starts_with("importing: "), result.err);
  CHECK(holds(result.err, "importing: 100 % ("));
  CHECK_FALSE(holds(result.err, "\r"));
  CHECK(run_program({"/bin/ls", sandbox.state_dir() + "/images/locks"}).out == "names\n");

  result = images(sandbox, {"import", tiny.tarball()});
  CHECK(result.exit_status == 0);
  CHECK(result.out == "tiny is there already: " + tiny.digest() + "\n");
  CHECK(result.err.empty());

  result = images(sandbox, {"list"});
  CHECK(result.exit_status == 0);
  CHECK(result.out.starts_with("NAME  LANGUAGE"));
  CHECK_MESSAGE(holds(result.out, "\ntiny  none "), result.out);
  CHECK(holds(result.out, tiny.digest() + "\n"));

  result = images(sandbox, {"list", "--json"});
  const json list = json::parse(result.out, nullptr, false);
  REQUIRE_MESSAGE((list.is_array() && list.size() == 1), result.out);
  CHECK(list[0]["name"] == "tiny");
  CHECK(list[0]["digest"] == tiny.digest());
  CHECK(list[0]["entries"] == 6);
  CHECK(list[0]["root"] == sandbox.state_dir() + "/images/by-digest/" + tiny.hex() + "/rootfs");

  result = images(sandbox, {"inspect", "tiny"});
  CHECK(result.exit_status == 0);
  json known = json::parse(read_file(tiny.sidecar_file()));
  known["root"] = list[0]["root"];
  CHECK(json::parse(result.out, nullptr, false) == known);

  result = images(sandbox, {"remove", "tiny"});
  CHECK(result.exit_status == 0);
  CHECK(result.out == "removed tiny\nremoved the tree " + tiny.digest() + "\n");
  CHECK(fs::is_empty(sandbox.state_dir() + "/images/by-digest"));
  result = images(sandbox, {"list"});
  CHECK(result.exit_status == 0);
  CHECK(result.out.empty());
  CHECK(holds(result.err, "no images"));
  CHECK(images(sandbox, {"list", "--json"}).out == "[]\n");
}

TEST_CASE("sbxctl images import: a bar on a terminal") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const TinyImage tiny(sandbox.directory());
  int master = -1;
  int slave = -1;
  REQUIRE(openpty(&master, &slave, nullptr, nullptr, nullptr) == 0);
  ProgramOptions options;
  options.before_exec = [slave] { (void)dup2(slave, STDERR_FILENO); };
  const ProgramResult result = images(sandbox, {"import", tiny.tarball()}, options);
  (void)close(slave);
  std::string screen;  // it is less than a terminal holds; EIO is its end
  std::array<char, 4096> buffer{};
  for (ssize_t count = 0; (count = read(master, buffer.data(), buffer.size())) > 0;)
    screen.append(buffer.data(), static_cast<std::size_t>(count));
  (void)close(master);
  CHECK(result.exit_status == 0);
  CHECK(result.out.starts_with("imported tiny: "));
  CHECK_MESSAGE(screen.starts_with("\rimporting ["), screen);
  CHECK(holds(screen, "[##############################] 100 %  "));
  CHECK(screen.ends_with("\x1b[K\r\n"));
}

TEST_CASE("sbxctl images import: the sidecar lies beside the tarball or is named") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const TinyImage tiny(sandbox.directory());
  const std::string elsewhere = sandbox.directory() + "/elsewhere";
  fs::rename(tiny.sidecar_file(), elsewhere);
  ProgramResult result = images(sandbox, {"import", tiny.tarball()});
  CHECK(result.exit_status == 1);
  CHECK_MESSAGE(holds(result.err, tiny.sidecar_file() + "': no such file"), result.err);
  result = images(sandbox, {"import", "--sidecar", elsewhere, tiny.tarball()});
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  const std::string nameless = sandbox.directory() + "/tiny";
  fs::rename(tiny.tarball(), nameless);
  result = images(sandbox, {"import", nameless});
  CHECK(result.exit_status == 2);
  CHECK_MESSAGE(holds(result.err, "name its description with --sidecar"), result.err);
  CHECK(images(sandbox, {"import", nameless, "--sidecar", elsewhere}).exit_status == 0);
}

TEST_CASE("sbxctl images import: what does not keep to its sidecar is refused and leaves nothing") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const TinyImage tiny(sandbox.directory());
  struct Case {
    json change;
    std::string reason;
  };
  for (const Case& one :
       {Case{{{"unpacked_bytes", 10}}, "more than the 10 bytes that its sidecar says"},
        Case{{{"entries", 2}}, "more than the 2 entries that its sidecar says"},
        Case{{{"digest", "sha256:" + std::string(64, '0')}}, "the digest of the tarball is " + tiny.hex()},
        Case{{{"tarball_bytes", 10}}, "its sidecar says 10"},
        Case{{{"architecture", "pdp11"}}, "it was made for 'pdp11'"},
        Case{{{"language", "\x1b[31m"}}, "holds control characters"}}) {
    tiny.describe(one.change);
    const ProgramResult result = images(sandbox, {"import", tiny.tarball()});
    CHECK(result.exit_status == 1);
    CHECK(result.out.empty());
    CHECK_MESSAGE(holds(result.err, one.reason), result.err);
    CHECK_FALSE(holds(result.err, "\x1b"));
  }
  CHECK(images(sandbox, {"list", "--json"}).out == "[]\n");
  CHECK(fs::is_empty(sandbox.state_dir() + "/images/by-digest"));
  CHECK(run_program({"/bin/ls", sandbox.state_dir() + "/images/locks"}).out == "names\n");
}

TEST_CASE("sbxctl images: an image that is not there is status 1 and named") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const char* command : {"inspect", "remove"}) {
    for (const char* name : {"none", "host", "../x", "\x1b[31m",
                             "a\xc2\x9b"
                             "31m"}) {
      const ProgramResult result = images(sandbox, {command, name});
      INFO(command << " " << name << " said: " << result.err);
      CHECK(result.exit_status == 1);
      CHECK(result.out.empty());
      CHECK(result.err.starts_with("sbxctl: "));
      CHECK_FALSE(holds(result.err, "\x1b"));
      CHECK_FALSE(holds(result.err, "\xc2\x9b"));
    }
  }
}

TEST_CASE("an imported image runs its programs, with its environment, on a root that is read-only") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const TinyImage tiny(sandbox.directory());
  import_tiny(sandbox, tiny);
  const Answers answers =
      inside(sandbox, {}, {"write", "/srv/data/new", "/srv/new", "/tmp/new", "/workspace/outputs/new"});
  check_answers(answers, {"/srv/data/new", "/srv/new"}, "EROFS");
  check_answers(answers, {"/tmp/new", "/workspace/outputs/new"}, "ok");
  const json result = sandbox.run_json({"--image", "tiny", "--", "write_files", "read", "/srv/data/old"});
  CHECK(result["stdout"]["text"] == "/srv/data/old=EBADMSG\n");  // there, and not what `write` writes
  CHECK(result["image"]["name"] == "tiny");
  CHECK(result["image"]["digest"] == tiny.digest());
}

TEST_CASE("a writable root takes writes where the image lets the workload, and forgets them") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const TinyImage tiny(sandbox.directory());
  import_tiny(sandbox, tiny);
  const std::string policy = sandbox.directory() + "/writable.yaml";
  const std::string shipped = read_file(std::string(std::getenv("SBX_TEST_DATA")) + "/policies/default.yaml");
  write_file(policy, replaced(shipped, "writable_root: false", "writable_root: true"));
  const Strings writable{"--policy", policy};

  // What belongs to uid 1000 in the image is the workload's: new files, and old ones, which are copied up.
  const Answers answers =
      inside(sandbox, writable, {"write", "/srv/data/new", "/srv/data/old", "/srv/new", "/bin/write_files"});
  check_answers(answers, {"/srv/data/new", "/srv/data/old"}, "ok");
  CHECK(answer(answers, "/srv/new") == "EACCES");
  CHECK(answer(answers, "/bin/write_files") != "ok");

  const Answers later = inside(sandbox, writable, {"read", "/srv/data/new", "/srv/data/old"});
  CHECK(answer(later, "/srv/data/new") == "ENOENT");
  CHECK(answer(later, "/srv/data/old") == "EBADMSG");
  const std::string data = sandbox.state_dir() + "/images/by-digest/" + tiny.hex() + "/rootfs/srv/data";
  CHECK(run_program({"/bin/ls", data}).out == "old\n");
  CHECK(read_file(data + "/old") == "old");

  // As large as the disk limit, and not a page more.
  Strings small = writable;
  small.insert(small.end(), {"--disk", "4M"});
  const Answers filled = inside(sandbox, small, {"fill", "/srv/data/new"});
  CHECK(answer(filled, "end") == "ENOSPC");
  const long bytes = std::stol("0" + answer(filled, "bytes"));
  CHECK(bytes > 3 << 20);
  CHECK(bytes <= 4 << 20);
  CHECK(run_program({"/bin/ls", data}).out == "old\n");
}

}  // namespace sbx::test
