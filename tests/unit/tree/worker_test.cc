#include "tree/worker.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <csignal>

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

TEST_CASE("a worker that is killed is told") {
  const SomeTree tree;
  const auto done = work_in(tree.fd(), kOwner, []() -> Result<std::string> { __builtin_trap(); });
  REQUIRE(!done);
  CHECK(done.error().text.starts_with("its worker was killed by SIG"));
}

}  // namespace
}  // namespace sbx::tree
