// What the processes of sbxd are: their rights, their CPUs, their mounts, and what is said while one of them
// is not there.
#include <sched.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <map>
#include <set>

#include "integration/daemon.h"
#include "integration/toy_image.h"

namespace sbx::test {

namespace {

// /proc/PID/status, by key.
std::map<std::string, std::string> status_of(pid_t pid) {
  std::map<std::string, std::string> found;
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    const std::size_t value = line.find_first_not_of(" \t", colon + 1);
    found[line.substr(0, colon)] = value == std::string::npos ? "" : line.substr(value);
  }
  while (found["Groups"].ends_with(' ')) found["Groups"].pop_back();
  return found;
}

std::string target_of(const std::string& link) { return std::filesystem::read_symlink(link); }

// The mounts of the namespace behind a descriptor of another process: their places.
std::set<std::string> mounts_behind(const std::string& descriptor) {
  std::array<int, 2> pipe{};
  REQUIRE(::pipe(pipe.data()) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const int there = open(descriptor.c_str(), O_RDONLY);
    if (setns(there, CLONE_NEWNS) != 0) _exit(1);
    const std::string found = read_file("/proc/self/mountinfo");
    _exit(write(pipe[1], found.data(), found.size()) == static_cast<ssize_t>(found.size()) ? 0 : 2);
  }
  (void)close(pipe[1]);
  std::string text;
  std::array<char, 4096> bytes{};
  for (ssize_t count = 0; (count = read(pipe[0], bytes.data(), bytes.size())) > 0;)
    text.append(bytes.data(), static_cast<std::size_t>(count));
  (void)close(pipe[0]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(status == 0);
  std::set<std::string> places;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    for (int i = 0; i < 5; ++i) words >> word;
    CHECK(places.insert(word).second);
  }
  return places;
}

json images(const Daemon& daemon) { return daemon.get("/v1/health/ready").body["images"]; }

}  // namespace

TEST_CASE("there is a nursery for each CPU, which stays on it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  cpu_set_t cpus;
  REQUIRE(sched_getaffinity(0, sizeof cpus, &cpus) == 0);
  std::set<std::string> expected;
  for (int cpu = 0; cpu < CPU_SETSIZE && expected.size() < 16; ++cpu) {
    if (CPU_ISSET(static_cast<unsigned>(cpu), &cpus)) expected.insert(std::to_string(cpu));
  }
  std::multiset<std::string> found;
  for (const pid_t nursery : daemon.processes("sbx-nursery")) {
    auto status = status_of(nursery);
    found.insert(status["Cpus_allowed_list"]);
    CHECK(status["Threads"] == "1");
  }
  CHECK(found == std::multiset<std::string>(expected.begin(), expected.end()));
  // What it starts may use them all.
  CHECK(text_of(daemon.run({{"shell", "nproc"}})) == std::to_string(CPU_COUNT(&cpus)) + "\n");
}

TEST_CASE("what reads the bytes of clients has no rights, no groups and no files but its own") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const pid_t api = daemon.processes("sbx-api").at(0);
  auto status = status_of(api);
  CHECK_FALSE(status["Uid"].starts_with("0"));
  for (const char* ids : {"Uid", "Gid"}) {
    CAPTURE(std::string(ids));
    std::istringstream words(status[ids]);
    std::set<std::string> different;
    for (std::string id; words >> id;) different.insert(id);
    CHECK(different.size() == 1);  // real, effective, saved and that of files
    CHECK_FALSE(different.contains("0"));
  }
  CHECK(status["Groups"].empty());
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
    CAPTURE(std::string(set));
    CHECK(status[set] == "0000000000000000");
  }
  CHECK(status["NoNewPrivs"] == "1");
  CHECK(status["Seccomp"] == "2");
  CHECK(status["Threads"] == "1");
  const std::string root = "/proc/" + std::to_string(api) + "/root";
  CHECK(target_of(root) != "/");
  // The history and the output of ended runs, and what it writes nobody else does.
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(root + "/")) {
    names.insert(entry.path().filename());
    struct stat found;
    REQUIRE(::stat(entry.path().c_str(), &found) == 0);
    CHECK(std::to_string(found.st_uid) == status["Uid"].substr(0, status["Uid"].find('\t')));
    CHECK((found.st_mode & 077U) == 0);
  }
  CHECK(names == std::set<std::string>{"history", "output"});
  struct stat directory;
  REQUIRE(::stat((root + "/").c_str(), &directory) == 0);
  CHECK(directory.st_uid == 0);
  CHECK((directory.st_mode & 022U) == 0);
}

TEST_CASE("sandboxes start from a mount namespace with next to nothing in it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  for (const pid_t nursery : daemon.processes("sbx-nursery")) {
    const std::string process = "/proc/" + std::to_string(nursery);
    const std::string own = target_of(process + "/ns/mnt");
    CHECK(own == target_of("/proc/self/ns/mnt"));
    std::vector<std::string> others;
    for (const auto& entry : std::filesystem::directory_iterator(process + "/fd")) {
      if (target_of(entry.path()).starts_with("mnt:") && target_of(entry.path()) != own)
        others.push_back(entry.path());
    }
    REQUIRE(others.size() == 1);
    CHECK(mounts_behind(others[0]) == std::set<std::string>{"/", "/proc"});
  }
  // A keeper is where it was once its sandbox has begun.
  (void)daemon.create();
  const auto keepers = daemon.processes("sbx-keeper");
  REQUIRE(keepers.size() == 1);
  const std::string keeper = "/proc/" + std::to_string(keepers[0]);
  CHECK(target_of(keeper + "/ns/mnt") == target_of("/proc/self/ns/mnt"));
  CHECK(target_of(keeper + "/root") == "/");
  CHECK(target_of(keeper + "/cwd") == target_of("/proc/" + std::to_string(daemon.pid()) + "/cwd"));
}

TEST_CASE("what lives says so also when it is not ready: when nothing could be started") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const auto nurseries = daemon.processes("sbx-nursery");
  for (const pid_t pid : nurseries) REQUIRE(kill(pid, SIGSTOP) == 0);
  const HttpAnswer ready = daemon.get("/v1/health/ready");
  CHECK(ready.status == 503);
  CHECK_MESSAGE(ready.text.find("nothing that looks at the images answers") != std::string::npos, ready.text);
  CHECK(daemon.get("/v1/health/live").status == 200);
  for (const pid_t pid : nurseries) REQUIRE(kill(pid, SIGCONT) == 0);
  CHECK(comes_true([&] { return daemon.get("/v1/health/ready").status == 200; }));
}

TEST_CASE("an image that is being imported is told as preparing, and the others serve meanwhile") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const std::string cache = place.directory() + "/cache";
  std::filesystem::create_directories(cache + "/images");
  (void)make_toy(place, cache + "/images", "slow", kPlainToy);
  import_toy(place, "good", kPlainToy);
  // Whoever imports it waits for this.
  const std::string names = place.state_dir() + "/images/locks/names";
  const int lock = open(names.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  REQUIRE(flock(lock, LOCK_EX) == 0);
  const std::string config = place.directory() + "/config.yaml";
  write_file(config, "prepare_images: [slow]\n");
  const Daemon daemon(place, {"--config", config}, "", {},
                      [&] { (void)setenv("SBX_CACHE_DIR", cache.c_str(), 1); });
  CHECK(comes_true([&] { return images(daemon)["preparing"] == json{"slow"}; }));
  CHECK(images(daemon)["ready"] == json{"good"});
  CHECK(daemon.get("/v1/images/slow").body["state"] == "preparing");
  CHECK(daemon.run({{"language", "toy"}, {"image", "good"}, {"code", "out hello\n"}})["outcome"] == "exited");
  CHECK(daemon.get("/v1/health/ready").status == 200);
  (void)close(lock);
  CHECK(comes_true([&] { return images(daemon)["ready"] == json{"good", "slow"}; }));
  CHECK(images(daemon)["preparing"].empty());
}

}  // namespace sbx::test
