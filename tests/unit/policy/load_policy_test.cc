#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/hash.h"
#include "policy/policy.h"
#include "policy/seccomp_profile.h"
#include "policy_fixture.h"
#include "support/skip.h"

namespace sbx {
namespace {

using testing::error_of;
using testing::replaced;
using testing::small_policy;
using testing::TempDirectory;

constexpr const char* kProfile =
    "name: default\ndescription: a test\ngroups:\n  - {name: io, reason: to read, allow: [read, write]}\n";

// SUDO_UID decides whom root trusts: these tests must not depend on how they were started.
class WithoutSudo {
 public:
  WithoutSudo() {
    if (const char* caller = std::getenv("SUDO_UID")) caller_ = caller;
    (void)unsetenv("SUDO_UID");
  }
  WithoutSudo(const WithoutSudo&) = delete;
  WithoutSudo& operator=(const WithoutSudo&) = delete;
  ~WithoutSudo() {
    if (caller_.empty()) {
      (void)unsetenv("SUDO_UID");
    } else {
      (void)setenv("SUDO_UID", caller_.c_str(), 1);
    }
  }

 private:
  std::string caller_;
};

TEST_CASE("a policy is found by name in the first directory that has it") {
  const TempDirectory first;
  const TempDirectory second;
  const std::string path = second.write("small.yaml", small_policy());
  const std::string profile = second.write("seccomp/default.yaml", kProfile);
  const std::vector<std::string> directories{"/nonexistent", first.path(), second.path()};
  Result<Policy> policy = load_policy("small", directories);
  REQUIRE_MESSAGE(policy, error_of(policy));
  CHECK(policy->path == path);
  CHECK(policy->seccomp_path == profile);
  CHECK(policy->seccomp_digest == blake2b_hex(kProfile));

  const std::string nearer = first.write("small.yaml", small_policy());
  policy = load_policy("small", directories);
  REQUIRE_MESSAGE(policy, error_of(policy));
  CHECK(policy->path == nearer);
  CHECK(policy->seccomp_path == profile);  // not beside it: from the other directories

  const std::string nearer_profile = first.write("seccomp/default.yaml", kProfile);
  policy = load_policy("small", directories);
  REQUIRE_MESSAGE(policy, error_of(policy));
  CHECK(policy->seccomp_path == nearer_profile);
}

TEST_CASE("a policy named by a path may be called otherwise and brings its own profile") {
  const TempDirectory place;
  const TempDirectory other;
  (void)other.write("seccomp/default.yaml", replaced(kProfile, "write", "getpid"));
  const std::string path = place.write("mine.yaml", small_policy());
  Result<Policy> policy = load_policy(path, {other.path()});
  REQUIRE_MESSAGE(policy, error_of(policy));
  CHECK(policy->name == "small");
  CHECK(policy->seccomp_path == other.path() + "/seccomp/default.yaml");
  const std::string own = place.write("seccomp/default.yaml", kProfile);
  policy = load_policy(path, {other.path()});
  REQUIRE_MESSAGE(policy, error_of(policy));
  CHECK(policy->seccomp_path == own);
}

TEST_CASE("a policy that is not there is an error that says where it was looked for and what there is") {
  const TempDirectory place;
  (void)place.write("small.yaml", small_policy());
  (void)place.write("large.yaml", small_policy("large"));
  (void)place.write("notes.txt", "");
  Result<Policy> policy = load_policy("smal", {"/nonexistent", place.path()});
  CHECK(error_of(policy) == "no policy 'smal' in /nonexistent, " + place.path() + "; there are large, small");
  CHECK(policy.error().error_number == ENOENT);
  policy = load_policy("/nonexistent/x.yaml", {place.path()});
  CHECK(error_of(policy) == "no policy file '/nonexistent/x.yaml'");
  CHECK(policy.error().error_number == ENOENT);
  CHECK(error_of(load_policy("../x", {place.path()})) == "no policy file '../x'");
  CHECK(error_of(load_policy("..", {place.path()})) == "policy: '..' must start with a letter or a digit");
  CHECK(error_of(load_policy("", {place.path()})) == "policy: the name is empty");
}

TEST_CASE("a missing seccomp profile is an error that says where it was looked for") {
  const TempDirectory place;
  (void)place.write("small.yaml", small_policy());
  (void)place.write("seccomp/strict.yaml", kProfile);
  CHECK(error_of(load_policy("small", {place.path(), "/nonexistent"})) ==
        "policy 'small': no seccomp profile 'default' in " + place.path() +
            "/seccomp, /nonexistent/seccomp; there are strict");
}

TEST_CASE("a seccomp profile that is wrong makes the policy unreadable, with the place") {
  const TempDirectory place;
  (void)place.write("small.yaml", small_policy());
  const auto load = [&](const std::string& profile) {
    const std::string path = place.write("seccomp/default.yaml", profile);
    const std::string text = error_of(load_policy("small", {place.path()}));
    const std::string start = "policy 'small': " + path;
    return text.starts_with(start) ? text.substr(start.size()) : "(without the place) " + text;
  };
  CHECK(load("") == ":1:1: an empty file");
  CHECK(load(replaced(kProfile, "write", "wriet")).starts_with(":4:47: no system call 'wriet'"));
  CHECK(load(std::string(kProfile) + "more: 1\n").starts_with(":5:1: unknown key 'more'"));
}

TEST_CASE("the policy brings the filter of its profile, compiled once with a cache") {
  const TempDirectory place;
  (void)place.write("small.yaml", small_policy());
  (void)place.write("seccomp/default.yaml", kProfile);
  const std::string cache = place.path() + "/cache";
  const std::string filter = load_policy("small", {place.path()}).value().seccomp_filter;
  CHECK(filter == compile_seccomp(parse_seccomp_profile("", kProfile).value()).value());
  CHECK_FALSE(std::filesystem::exists(cache));
  CHECK(load_policy("small", {place.path()}, cache).value().seccomp_filter == filter);
  std::vector<std::string> entries;
  for (const auto& entry : std::filesystem::directory_iterator(cache)) entries.push_back(entry.path());
  CHECK(entries.size() == 2);  // the policy and its filter
  CHECK(load_policy("small", {place.path()}, cache).value().seccomp_filter == filter);
}

TEST_CASE("the name inside must be the one that it was found by") {
  const TempDirectory place;
  const std::string path = place.write("strict.yaml", small_policy());
  CHECK(error_of(load_policy("strict", {place.path()})) ==
        path + ": the name inside is 'small': a file found by name must say 'name: strict'");
}

TEST_CASE("an error inside names the file that was found") {
  const TempDirectory place;
  const std::string path = place.write("small.yaml", replaced(small_policy(), "512M", "lots"));
  CHECK(error_of(load_policy("small", {place.path()})).starts_with(path + ":4:11: limits: memory: 'lots'"));
}

TEST_CASE("the fingerprint changes with every byte of both files and nothing else") {
  const TempDirectory place;
  (void)place.write("small.yaml", small_policy());
  (void)place.write("seccomp/default.yaml", kProfile);
  const auto fingerprint = [&] { return load_policy("small", {place.path()}).value().fingerprint; };
  const std::string before = fingerprint();
  CHECK(before.starts_with("sha256:"));
  CHECK(before.size() == 7 + 64);
  CHECK(fingerprint() == before);
  (void)place.write("small.yaml", small_policy() + "# more\n");
  const std::string after = fingerprint();
  CHECK(after != before);
  (void)place.write("seccomp/default.yaml", std::string(kProfile) + "#\n");
  CHECK(fingerprint() != after);
  CHECK(fingerprint() != before);
}

TEST_CASE("only a regular file is a policy, and a FIFO does not make us wait") {
  const TempDirectory place;
  const std::string path = place.path() + "/small.yaml";
  REQUIRE(mkfifo(path.c_str(), 0644) == 0);
  CHECK(error_of(load_policy("small", {place.path()})) == "'" + path + "' is not a regular file");
  REQUIRE(unlink(path.c_str()) == 0);
  REQUIRE(mkdir(path.c_str(), 0755) == 0);
  CHECK(error_of(load_policy("small", {place.path()})) == "'" + path + "' is not a regular file");
  CHECK(error_of(load_policy("/dev/zero", {})) == "'/dev/zero' is not a regular file");
}

TEST_CASE("a policy that is too large is refused") {
  const TempDirectory place;
  (void)place.write("small.yaml", small_policy() + "#" + std::string(300U << 10U, 'x') + "\n");
  CHECK(error_of(load_policy("small", {place.path()})).find("is larger than 262144 bytes") !=
        std::string::npos);
}

TEST_CASE("root takes no policy that others can change") {
  SKIP_UNLESS(test::is_root(), "needs root");
  const WithoutSudo without;
  const TempDirectory place;
  const std::string path = place.write("small.yaml", small_policy());
  const std::string profile = place.write("seccomp/default.yaml", kProfile);
  const auto load = [&] { return error_of(load_policy("small", {place.path()})); };
  CHECK(load() == "(no error)");

  REQUIRE(chmod(path.c_str(), 0664) == 0);
  CHECK(load() == "'" + path + "' can be changed by others (mode 0664): chmod go-w '" + path + "'");
  REQUIRE(chmod(path.c_str(), 0646) == 0);
  CHECK(load() == "'" + path + "' can be changed by others (mode 0646): chmod go-w '" + path + "'");
  REQUIRE(chmod(path.c_str(), 0644) == 0);

  REQUIRE(chown(path.c_str(), 12345, 0) == 0);
  CHECK(load() ==
        "'" + path + "' belongs to uid 12345, who could change what is allowed: chown root '" + path + "'");
  REQUIRE(setenv("SUDO_UID", "12345", 1) == 0);
  CHECK(load() == "(no error)");
  for (const char* caller : {"1234", "12345x", "", "-1", "0"}) {
    REQUIRE(setenv("SUDO_UID", caller, 1) == 0);
    CHECK(load() != "(no error)");
  }
  REQUIRE(unsetenv("SUDO_UID") == 0);
  REQUIRE(chown(path.c_str(), 0, 0) == 0);

  REQUIRE(chmod(profile.c_str(), 0666) == 0);
  CHECK(load() == "policy 'small': '" + profile + "' can be changed by others (mode 0666): chmod go-w '" +
                      profile + "'");
}

TEST_CASE("a policy that must not be trusted is not passed over for one further down") {
  SKIP_UNLESS(test::is_root(), "needs root");
  const WithoutSudo without;
  const TempDirectory first;
  const TempDirectory second;
  const std::string path = first.write("small.yaml", small_policy());
  (void)second.write("small.yaml", small_policy());
  (void)second.write("seccomp/default.yaml", kProfile);
  REQUIRE(chmod(path.c_str(), 0666) == 0);
  CHECK_FALSE(load_policy("small", {first.path(), second.path()}));
}

}  // namespace
}  // namespace sbx
