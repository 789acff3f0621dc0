#include "tree/worker.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <utility>

#include "some_tree.h"

namespace sbx::tree {
namespace {

constexpr uid_t kOwner = 12345;

Result<std::string> number_of(long result) { return std::to_string(result < 0 ? errno : 0); }

TEST_CASE("a worker sees its tree as the root, and answers") {
  const SomeTree tree;
  tree.file("a/b", "text");
  const auto read = [](const char* path) {
    return [path]() -> Result<std::string> { return os::read_file(AT_FDCWD, path); };
  };
  CHECK(work_in(tree.fd(), kOwner, read("a/b")) == "text");
  CHECK(work_in(tree.fd(), kOwner, [] { return Result<std::string>(std::string(1'000'000, 'x')); })->size() ==
        1'000'000);
  const auto missing = work_in(tree.fd(), kOwner, read("c"));
  REQUIRE(!missing);
  CHECK(missing.error().error_number == ENOENT);
  if (geteuid() != 0) {
    MESSAGE("skipped: only root can change the root directory");
    return;
  }
  CHECK(work_in(tree.fd(), kOwner, read("/a/b")) == "text");
  CHECK(work_in(tree.fd(), kOwner, read("/../../../a/b")) == "text");
  CHECK(!work_in(tree.fd(), kOwner, read("/etc/passwd")));
}

TEST_CASE("what a worker makes belongs to the owner, and no permission is in its way") {
  if (geteuid() != 0) {
    MESSAGE("skipped: needs root");
    return;
  }
  const SomeTree tree;
  tree.file("closed/secret", "text", 0000);
  REQUIRE(chmod(tree.path("closed").c_str(), 0000) == 0);
  REQUIRE(chmod(tree.path("").c_str(), 0755) == 0);
  const auto done = work_in(tree.fd(), kOwner, []() -> Result<std::string> {
    TRY(os::open_at(AT_FDCWD, "closed/new", O_CREAT | O_WRONLY, 0644));
    return os::read_file(AT_FDCWD, "closed/secret");
  });
  CHECK(done == "text");
  CHECK(tree.stat("closed/new").st_uid == kOwner);
}

TEST_CASE("a worker can do nothing but work on files") {
  const SomeTree tree;
  const pid_t self = getpid();
  const std::string refused = std::to_string(EPERM);
  const auto errno_of = [&](auto attempt) {
    return work_in(tree.fd(), kOwner, [=] { return number_of(attempt()); });
  };
  CHECK(errno_of([] { return socket(AF_UNIX, SOCK_STREAM, 0); }) == refused);
  CHECK(errno_of([] { return fork(); }) == refused);
  CHECK(errno_of([self] { return kill(self, 0); }) == refused);
  CHECK(errno_of([] { return setuid(0); }) == refused);
  CHECK(errno_of([] { return chroot("."); }) == refused);
  CHECK(errno_of([] { return fchown(0, 0, 0); }) == refused);
  CHECK(errno_of([fd = tree.fd()] { return fcntl(fd, F_GETFD); }) == std::to_string(EBADF));
}

TEST_CASE("a worker has the descriptors that it is given, and no other") {
  const SomeTree tree;
  tree.file("in", "content");
  const UniqueFd in = *os::open_at(AT_FDCWD, tree.path("in"), O_RDONLY);
  const UniqueFd out = *os::open_at(AT_FDCWD, tree.path("out"), O_WRONLY | O_CREAT, 0600);
  Worker worker;
  worker.owner = kOwner;
  worker.content_in = in.get();
  worker.content_out = out.get();
  const auto copy = [&](const Worker& doing) {
    return work_in(tree.fd(), doing, []() -> Result<std::string> {
      const std::string bytes = TRY(os::read_all(kContentIn, "in"));
      TRY(os::write_all(kContentOut, bytes, "out"));
      return std::to_string(fcntl(kLock, F_GETFD)) + std::to_string(fcntl(kLock + 1, F_GETFD));
    });
  };
  CHECK(copy(worker) == "-1-1");
  CHECK(tree.text("out") == "content");
  // Wherever they are: also in the place of another one.
  CHECK(lseek(in.get(), 0, SEEK_SET) == 0);
  const UniqueFd high(fcntl(in.get(), F_DUPFD_CLOEXEC, 200));
  worker.content_in = high.get();
  worker.lock = out.get();
  CHECK(copy(worker) == "0-1");
  CHECK(tree.text("out") == "contentcontent");
  CHECK(copy(Worker()).error().error_number == EBADF);
}

TEST_CASE("a worker executes nothing that was not there before") {
  const SomeTree tree;
  const std::string refused = std::to_string(EPERM);
  const auto map = [](int rights) {
    return number_of(mmap(nullptr, 4096, rights, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
  };
  CHECK(work_in(tree.fd(), kOwner, [&] { return map(PROT_READ | PROT_EXEC); }) == refused);
  CHECK(work_in(tree.fd(), kOwner, [&] { return map(PROT_READ | PROT_WRITE); }) == "0");
  alignas(4096) static std::array<char, 4096> page;
  CHECK(work_in(tree.fd(), kOwner,
                [&] { return number_of(mprotect(page.data(), page.size(), PROT_EXEC)); }) == refused);
}

TEST_CASE("a worker that may only read all writes what the owner may, and has its limits") {
  if (geteuid() != 0) {
    MESSAGE("skipped: needs root");
    return;
  }
  const SomeTree tree;
  tree.file("closed", "text", 0000);
  REQUIRE(chmod(tree.path("").c_str(), 0755) == 0);
  Worker worker;
  worker.owner = kOwner;
  worker.rights = Rights::read_files;
  CHECK(work_in(tree.fd(), worker, [] { return os::read_file(AT_FDCWD, "closed"); }) == "text");
  CHECK(work_in(tree.fd(), worker, [] { return number_of(open("closed", O_WRONLY)); }) ==
        std::to_string(EACCES));
  CHECK(work_in(tree.fd(), worker, [] { return number_of(open("new", O_WRONLY | O_CREAT, 0600)); }) ==
        std::to_string(EACCES));
#if !defined(__SANITIZE_ADDRESS__)
  worker.memory_bytes = 1U << 30U;
  const auto take = [] {
    return number_of(
        mmap(nullptr, 2ULL << 30U, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
  };
  CHECK(work_in(tree.fd(), worker, take) == std::to_string(ENOMEM));
#endif
}

TEST_CASE("who waits for a worker is called meanwhile") {
  const SomeTree tree;
  std::array<int, 2> ends{};
  REQUIRE(pipe(ends.data()) == 0);
  int ticks = 0;
  Worker worker;
  worker.owner = kOwner;
  worker.content_in = ends[0];
  worker.tick = [&] {
    if (++ticks == 2) (void)close(std::exchange(ends[1], -1));  // which is all that the worker waits for
  };
  CHECK(work_in(tree.fd(), worker, [] { return os::read_all(kContentIn, "nothing"); }) == "");
  CHECK(ticks >= 2);
  (void)close(ends[0]);
}

TEST_CASE("a worker that is killed is told") {
  const SomeTree tree;
  const auto done = work_in(tree.fd(), kOwner, []() -> Result<std::string> { __builtin_trap(); });
  REQUIRE(!done);
  CHECK(done.error().text.starts_with("its worker was killed by SIG"));
}

}  // namespace
}  // namespace sbx::tree
