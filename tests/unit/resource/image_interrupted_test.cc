// What stays when an import is killed, runs out of disk, or is not the only one.
#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>

#include <chrono>
#include <csignal>
#include <random>
#include <thread>

#include "base/unique_fd.h"
#include "image_fixture.h"
#include "resource/image_disk.h"
#include "support/skip.h"

namespace sbx::testing {
namespace {

std::string random_bytes(std::size_t size, unsigned seed) {
  std::mt19937 generator(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(generator());
  return bytes;
}

// Large enough that an import can be stopped in the middle.
std::vector<Member> large_tree() {
  std::vector<Member> members = mount_points();
  for (unsigned i = 0; i < 200; ++i) {
    members.push_back(
        file("usr/d" + std::to_string(i % 20) + "/f" + std::to_string(i), random_bytes(20'000, i)));
  }
  return members;
}

bool is_complete(const Image& image) {
  for (unsigned i = 0; i < 200; ++i) {
    if (content(image.root + "/usr/d" + std::to_string(i % 20) + "/f" + std::to_string(i)) !=
        random_bytes(20'000, i)) {
      return false;
    }
  }
  return true;
}

TEST_CASE("two imports at once do the work once") {
  const Store store;
  store.make(large_tree());
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      bool worked = false;
      const Result<Image> image = store.import("test", {}, [&](const ImportProgress&) { worked = true; });
      _exit(!image || !is_complete(*image) ? 1 : (worked ? 10 : 0));
    }
    children.push_back(child);
  }
  int workers = 0;
  for (const pid_t child : children) {
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK((WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 10));
    workers += WEXITSTATUS(status) == 10 ? 1 : 0;
  }
  CHECK(workers == 1);
  CHECK(store.temporaries().empty());
  CHECK(store.locks() == 0);
}

TEST_CASE("locks of digests that killed imports left are removed, those that are held stay") {
  const Store store;
  store.make(mount_points());
  REQUIRE(store.import());
  const std::string locks = store.state() + "/images/locks/";
  const std::string left = locks + std::string(64, 'a');
  const std::string held = locks + std::string(64, 'b');
  write_file(left, "");
  const UniqueFd holder(open(held.c_str(), O_RDWR | O_CREAT, 0600));
  REQUIRE(flock(holder.get(), LOCK_EX) == 0);
  REQUIRE(store.import());
  CHECK_FALSE(fs::exists(left));
  CHECK(fs::exists(held));
}

// The lock goes away with its file each time: who waited must not work beside who came later.
TEST_CASE("many that take the lock of a digest have it one at a time") {
  const TempDirectory directory;
  const std::string counter = directory.file("counter");
  const std::string inside = directory.file("inside");
  const ImageDisk disk = open_image_disk(directory.file("state")).value();
  const std::string hex(64, 'a');
  std::vector<pid_t> children;
  constexpr int kChildren = 4;
  constexpr int kTurns = 200;
  for (int i = 0; i < kChildren; ++i) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      for (int turn = 0; turn < kTurns; ++turn) {
        const auto lock = DigestLock::take(disk, hex, true);
        if (!lock || !*lock) _exit(1);
        if (mkdir(inside.c_str(), 0700) != 0) _exit(2);
        std::ofstream(counter, std::ios::app) << 'x';
        if (rmdir(inside.c_str()) != 0) _exit(3);
      }
      _exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  CHECK(content(counter).size() == kChildren * kTurns);
  CHECK_FALSE(fs::exists(directory.file("state") + "/images/locks/" + hex));
}

void check_after_kill(const Store& store) {
  // Either it had not come to its end, then nothing is there; or it had, then all is.
  if (const Result<Image> image = find_image(store.state(), "test")) CHECK(is_complete(*image));
  const Result<Image> again = store.import();
  REQUIRE_MESSAGE(again, again.error().text);
  CHECK(is_complete(*again));
  CHECK(store.temporaries().empty());
  CHECK(store.trees() == 1);
  fs::remove_all(store.state());
}

TEST_CASE("an import that is killed while it unpacks leaves nothing visible, and the next one cleans up") {
  const Store store;
  store.make(large_tree());
  for (const unsigned percent : {0U, 20U, 50U, 80U, 100U}) {
    CAPTURE(percent);
    const int status = in_child([&] {
      (void)store.import("test", {}, [&](const ImportProgress& progress) {
        if (progress.done_bytes * 100 >= progress.total_bytes * percent) (void)raise(SIGKILL);
      });
      return 0;
    });
    CHECK(status == 128 + SIGKILL);
    CHECK(store.visible() == 0);
    CHECK(store.trees() == 0);
    CHECK(store.temporaries().size() == 1);
    check_after_kill(store);
  }
}

TEST_CASE("an import that is killed at any time leaves all or nothing") {
  const Store store;
  store.make(large_tree());
  const auto start = std::chrono::steady_clock::now();
  REQUIRE(store.import());
  const auto whole = std::chrono::steady_clock::now() - start;
  fs::remove_all(store.state());
  constexpr int kPoints = 20;
  for (int point = 0; point < kPoints; ++point) {
    CAPTURE(point);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) _exit(store.import() ? 0 : 1);
    std::this_thread::sleep_for(whole * point / kPoints);
    REQUIRE(kill(child, SIGKILL) == 0);
    REQUIRE(waitpid(child, nullptr, 0) == child);
    check_after_kill(store);
  }
}

TEST_CASE("a half-made link of a killed import is removed by the next") {
  const Store store;
  store.make(mount_points());
  REQUIRE(store.import());
  REQUIRE(symlink("../by-digest/x", (store.state() + "/images/names/.other").c_str()) == 0);
  CHECK(list_images(store.state()).value() == std::vector<std::string>{"test"});
  REQUIRE(store.import());
  CHECK_FALSE(fs::is_symlink(store.state() + "/images/names/.other"));
}

// By content it fits; what the last page of each file does not use makes it too much.
TEST_CASE("a full disk ends the import and leaves nothing; with space it works") {
  SKIP_UNLESS(test::is_root(), "needs root (a tmpfs of its own)");
  const Store store;
  store.make(large_tree());
  const int status = in_child([&] {
    fs::create_directory(store.state());
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      return 2;
    if (mount("small", store.state().c_str(), "tmpfs", 0, "size=3936k,mode=700") != 0) return 3;
    const Result<Image> full = store.import();
    if (full || full.error().error_number != ENOSPC) return 4;
    if (full.error().text.find("member 'usr/") == std::string::npos) return 5;
    if (store.visible() != 0 || store.trees() != 0 || !store.temporaries().empty()) return 6;
    if (mount("small", store.state().c_str(), "tmpfs", MS_REMOUNT, "size=32m,mode=700") != 0) return 7;
    const Result<Image> image = store.import();
    return image && is_complete(*image) ? 0 : 8;
  });
  CHECK(status == 0);
}

TEST_CASE("an import that cannot fit is refused before it starts") {
  const Store store;
  store.make(mount_points());
  nlohmann::json sidecar = sidecar_for(store.tarball(), "test");
  sidecar["unpacked_bytes"] = 1ULL << 60U;
  store.describe("test", sidecar);
  const ImportLimits limits{.unpacked_bytes = 1ULL << 61U};
  const Result<Image> image = store.import("test", limits);
  REQUIRE_FALSE(image);
  CHECK(image.error().error_number == ENOSPC);
}

}  // namespace
}  // namespace sbx::testing
