// The file of tokens: what is read, and each way in which it is wrong.
#include "run/load_tokens.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "base/times.h"
#include "base/unique_fd.h"
#include "support/skip.h"

namespace sbx {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');
const std::string kOther = "sha256:" + std::string(64, 'b');

std::string entry(const std::string& name, const std::string& digest, const std::string& rest) {
  return "  - {name: " + name + ", digest: \"" + digest + "\", " + rest + "}\n";
}

std::string file(const std::string& rest) { return "tokens:\n" + entry("ci", kDigest, rest); }

std::string refusal(const std::string& text) {
  const auto tokens = parse_tokens("tokens.yaml", text);
  return tokens ? "" : tokens.error().text;
}

}  // namespace

TEST_CASE("a token has a name, a digest, a scope, projects, and policies and times where they are given") {
  const auto tokens = parse_tokens(
      "tokens.yaml",
      "tokens:\n" + entry("ci", kDigest, "scope: run, projects: [a, b]") +
          entry("root", kOther,
                "scope: admin, projects: all, policies: [strict], created: 2026-11-22T10:00:00Z, "
                "expires: 2026-11-22T10:00:00.250Z"));
  REQUIRE(tokens);
  REQUIRE(tokens->size() == 2);
  const Token& first = tokens->front();
  CHECK(first.name == "ci");
  CHECK(first.digest == std::string(64, 'a'));
  CHECK(first.scope == Scope::run);
  CHECK(first.projects == std::vector<std::string>{"a", "b"});
  CHECK_FALSE(first.all_projects);
  CHECK(first.policies == std::vector<std::string>{"default"});
  CHECK(first.expires_ms == 0);
  CHECK(first.is_good_at(utc_ms()));
  const Token& second = tokens->back();
  CHECK(second.scope == Scope::admin);
  CHECK(second.all_projects);
  CHECK(second.policies == std::vector<std::string>{"strict"});
  CHECK(second.expires_ms - second.created_ms == 250);
  CHECK(second.is_good_at(second.expires_ms - 1));
  CHECK_FALSE(second.is_good_at(second.expires_ms));
  const auto again = parse_tokens("again", write_tokens(*tokens));
  REQUIRE(again);
  CHECK(*again == *tokens);
  const auto none = parse_tokens("none", write_tokens({}));
  REQUIRE(none);
  CHECK(none->empty());
  const auto sent = decode_tokens(encode_tokens(*tokens));
  REQUIRE(sent);
  CHECK(*sent == *tokens);
}

TEST_CASE("what is wrong with the file of tokens is said, by place") {
  struct Case {
    std::string text;
    const char* says;
  };
  const std::string good = "scope: run, projects: all";
  for (const Case& one :
       {Case{"", "1:1"}, Case{"tokens: x\n", "tokens"}, Case{"token: []\n", "did you mean 'tokens'?"},
        Case{file("scope: run"), "projects"}, Case{file("projects: all"), "scope"},
        Case{file("scope: root, projects: all"), "scope"}, Case{file("scope: run, projects: []"), "or 'all'"},
        Case{file("scope: run, projects: some"), "or 'all'"},
        Case{file("scope: run, projects: [../x]"), "projects"},
        Case{file(good + ", policies: []"), "policies"},
        Case{file(good + ", policies: [/tmp/x.yaml]"), "policies"},
        Case{file(good + ", expires: tomorrow"), "no time"},
        Case{file(good + ", expires: 2026-02-30T00:00:00Z"), "no time"},
        Case{file(good + ", expires: 2026-02-03T24:00:00Z"), "no time"},
        Case{file(good + ", expire: 2026-02-03T24:00:00Z"), "did you mean 'expires'?"},
        Case{"tokens:\n" + entry("a b", kDigest, good), "name"},
        Case{"tokens:\n" + entry("ci", "sha256:abc", good), "64 hexadecimal"},
        Case{"tokens:\n" + entry("ci", kDigest, good) + entry("ci", kOther, good), "'ci' is there twice"},
        Case{"tokens:\n" + entry("ci", kDigest, good) + entry("cd", kDigest, good),
             "the digest of another"}}) {
    CAPTURE(one.text);
    const std::string said = refusal(one.text);
    CHECK(said.starts_with("tokens.yaml:"));
    CHECK(said.find(one.says) != std::string::npos);
  }
  // A token that stands there by mistake is not repeated.
  CHECK(refusal("tokens:\n" + entry("ci", "sbx_secret", good)).find("secret") == std::string::npos);
  std::string many = "tokens:\n";
  for (int i = 0; i <= 1000; ++i) {
    const std::string number = std::to_string(i);
    many += entry("t" + number, "sha256:" + std::string(64 - number.size(), '0') + number, good);
  }
  CHECK(refusal(many).find("more than 1000") != std::string::npos);
}

TEST_CASE("the file of tokens is root's, and nobody else can read it") {
  std::array<char, 32> path{"/tmp/sbx-tokens.XXXXXX"};
  const UniqueFd made(mkstemp(path.data()));
  const std::string text = file("scope: run, projects: all");
  REQUIRE(write(made.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  const auto says = [&] {
    const auto tokens = load_tokens(path.data());
    return tokens ? std::to_string(tokens->size()) : tokens.error().text;
  };
  REQUIRE(fchmod(made.get(), 0600) == 0);
  CHECK(says() == "1");
  REQUIRE(fchmod(made.get(), 0400) == 0);
  CHECK(says() == "1");
  for (const mode_t mode : {0640U, 0604U, 0620U, 0601U}) {
    REQUIRE(fchmod(made.get(), mode) == 0);
    CHECK(says().find("chmod 600") != std::string::npos);
  }
  REQUIRE(fchmod(made.get(), 0600) == 0);
  if (geteuid() == 0) {
    REQUIRE(fchown(made.get(), 1000, 0) == 0);
    CHECK(says().find("chown root") != std::string::npos);
  }
  (void)unlink(path.data());
  CHECK(says() == "0");
  CHECK_FALSE(load_tokens("/tmp"));
}

}  // namespace sbx
