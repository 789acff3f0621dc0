#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/hash.h"
#include "policy/seccomp_profile.h"
#include "policy_fixture.h"
#include "support/skip.h"

namespace sbx {
namespace {

using namespace testing;
namespace fs = std::filesystem;

constexpr const char* kProfile =
    "name: small\ndescription: a test\ngroups:\n  - {name: io, reason: to read, allow: [read, write]}\n";

// A profile and an empty cache beside it.
struct Place {
  TempDirectory directory;
  std::string profile = directory.write("small.yaml", kProfile);
  std::string cache = directory.path() + "/state/cache";

  [[nodiscard]] Result<std::string> load() const { return load(cache); }
  [[nodiscard]] Result<std::string> load(const std::string& from) const {
    const std::string text = read_text(profile);
    return compile_seccomp_cached(profile, text, blake2b_hex(text), from);
  }
  [[nodiscard]] std::string expected() const {
    return compile_seccomp(parse_seccomp_profile(profile, read_text(profile)).value()).value();
  }
  [[nodiscard]] fs::path entry() const {
    std::vector<fs::path> files;
    for (const auto& file : fs::directory_iterator(cache)) files.push_back(file.path());
    REQUIRE(files.size() == 1);
    return files.front();
  }
};

TEST_CASE("a filter is compiled once and then comes from the cache") {
  const Place place;
  const std::string filter = place.load().value();
  CHECK(filter == place.expected());
  const fs::path entry = place.entry();
  CHECK(entry.extension() == ".bpf");
  CHECK(entry.stem().string().size() == 64);
  struct stat status {};
  REQUIRE(stat(entry.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0600);
  const ino_t inode = status.st_ino;
  CHECK(place.load().value() == filter);
  REQUIRE(stat(entry.c_str(), &status) == 0);
  CHECK(status.st_ino == inode);  // was not written again
}

TEST_CASE("a filter in the cache is found without reading the text again") {
  const Place place;
  const std::string filter = place.load().value();
  CHECK(compile_seccomp_cached("x", "no profile", blake2b_hex(kProfile), place.cache).value() == filter);
  CHECK_FALSE(compile_seccomp_cached("x", "no profile", blake2b_hex("no profile"), place.cache));
}

TEST_CASE("a changed profile is compiled anew") {
  const Place place;
  const std::string before = place.load().value();
  (void)place.directory.write("small.yaml", replaced(kProfile, "write", "getpid"));
  const std::string after = place.load().value();
  CHECK(after != before);
  CHECK(after == place.expected());
}

TEST_CASE("a cache file that is torn, foreign or not ours is made again") {
  const Place place;
  const std::string filter = place.load().value();
  const fs::path entry = place.entry();
  const std::string good = read_text(entry);
  const auto check_replaced = [&](const std::string& what) {
    CAPTURE(what);
    CHECK(place.load().value() == filter);
    CHECK(read_text(entry) == good);
    struct stat status {};
    REQUIRE(lstat(entry.c_str(), &status) == 0);
    CHECK(S_ISREG(status.st_mode));
    CHECK((status.st_mode & 07777U) == 0600);
  };
  const auto overwrite = [&](const std::string& bytes) { std::ofstream(entry, std::ios::trunc) << bytes; };

  for (const std::size_t size :
       {std::size_t{0}, std::size_t{7}, std::size_t{72}, good.size() - 8, good.size() - 1}) {
    overwrite(good.substr(0, size));
    check_replaced("cut to " + std::to_string(size));
  }
  overwrite(good + std::string(8, '\0'));
  check_replaced("longer");
  for (const std::size_t at : {std::size_t{0}, std::size_t{20}, std::size_t{80}, good.size() - 1}) {
    std::string changed = good;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    overwrite(changed);
    check_replaced("changed at " + std::to_string(at));
  }
  overwrite(filter);
  check_replaced("without a header");
  overwrite(std::string(1U << 20U, 'x'));
  check_replaced("huge");

  REQUIRE(chmod(entry.c_str(), 0622) == 0);
  check_replaced("writable by others");
  const std::string elsewhere = place.directory.write("elsewhere", good);
  REQUIRE(fs::remove(entry));
  fs::create_symlink(elsewhere, entry);
  check_replaced("a symbolic link");
  REQUIRE(fs::remove(entry));
  REQUIRE(mkfifo(entry.c_str(), 0600) == 0);
  check_replaced("a FIFO");
}

TEST_CASE("the entry of another profile under our key is made again") {
  const Place place;
  const std::string filter = place.load().value();
  const fs::path entry = place.entry();
  const Place other;
  (void)other.directory.write("small.yaml", replaced(kProfile, "write", "getpid"));
  CHECK(other.load().value() != filter);
  fs::copy_file(other.entry(), entry, fs::copy_options::overwrite_existing);
  CHECK(place.load().value() == filter);
}

TEST_CASE("an entry of another user is not loaded") {
  SKIP_UNLESS(test::is_root(), "needs root");
  const Place place;
  const std::string filter = place.load().value();
  REQUIRE(chown(place.entry().c_str(), 12345, 0) == 0);
  CHECK(place.load().value() == filter);
  struct stat status {};
  REQUIRE(stat(place.entry().c_str(), &status) == 0);
  CHECK(status.st_uid == 0);
}

TEST_CASE("a cache that cannot be written is no error") {
  const Place place;
  CHECK(place.load("/proc/nonexistent/cache").value() == place.expected());
  const std::string file = place.directory.write("file", "");
  CHECK(place.load(file).value() == place.expected());
}

TEST_CASE("an error in the profile names its place, and is not cached") {
  const Place place;
  (void)place.directory.write("small.yaml", replaced(kProfile, "write", "wriet"));
  CHECK(error_of(place.load()).starts_with(place.profile + ":4:47: no system call 'wriet'"));
  CHECK_FALSE(fs::exists(place.cache));
}

}  // namespace
}  // namespace sbx
