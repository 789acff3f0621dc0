#include <algorithm>

#include "policy/policy.h"
#include "policy_fixture.h"

namespace sbx {
namespace {

using testing::error_of;
using testing::replaced;
using testing::small_policy;

std::string refused(const std::string& text) { return error_of(parse_policy("p.yaml", text)); }

TEST_CASE("every key is read") {
  const std::string text = R"(
name: full
description: "all of it"
limits:
  memory: 1G
  cpus: 1.5
  pids: 10
  wall-time: 1500ms
  cpu-time: 2m
  nofile: 20
  fsize: 3M
  tmp: 4M
  disk: 5M
  inodes: 600
  output-limit: 7K
ceilings:
  memory: 2G
  cpus: 2
  pids: 11
  wall-time: 1h
  cpu-time: 3m
  nofile: 21
  fsize: 4M
  tmp: 5M
  disk: 6M
  inodes: 601
  output-limit: 8K
wall_time_with_tty: unlimited
seccomp: strict
writable_root: true
workspace: {layout: flat}
allow_degraded: [swap, idmapped_mounts]
bind_roots:
  - path: /srv/data
  - {path: /home/ann/, mode: rw, users: [ann, 1000], groups: [dev]}
uploads: {file_bytes: 3M, types: [text/*, application/zip]}
)";
  const Result<Policy> policy = parse_policy("p.yaml", text);
  REQUIRE_MESSAGE(policy, error_of(policy));
  CHECK(policy->name == "full");
  CHECK(policy->description == "all of it");
  LimitSet limits;
  limits.memory_bytes = 1ULL << 30U;
  limits.milli_cpus = 1500;
  limits.pids = 10;
  limits.wall_ms = 1500;
  limits.cpu_ms = 120'000;
  limits.nofile = 20;
  limits.fsize_bytes = 3U << 20U;
  limits.tmp_bytes = 4U << 20U;
  limits.disk_bytes = 5U << 20U;
  limits.inodes = 600;
  limits.output_bytes = 7U << 10U;
  CHECK(policy->limits == limits);
  LimitSet ceilings;
  ceilings.memory_bytes = 2ULL << 30U;
  ceilings.milli_cpus = 2000;
  ceilings.pids = 11;
  ceilings.wall_ms = 3'600'000;
  ceilings.cpu_ms = 180'000;
  ceilings.nofile = 21;
  ceilings.fsize_bytes = 4U << 20U;
  ceilings.tmp_bytes = 5U << 20U;
  ceilings.disk_bytes = 6U << 20U;
  ceilings.inodes = 601;
  ceilings.output_bytes = 8U << 10U;
  CHECK(policy->ceilings == ceilings);
  CHECK_FALSE(policy->wall_time_with_tty);
  CHECK(policy->seccomp == "strict");
  CHECK(policy->writable_root);
  CHECK(policy->workspace_layout == WorkspaceLayout::flat);
  CHECK(policy->allow_degraded == std::vector<std::string>{"swap", "idmapped_mounts"});
  CHECK(policy->bind_roots ==
        std::vector<BindRoot>{{"/srv/data", false, {}, {}}, {"/home/ann", true, {"ann", "1000"}, {"dev"}}});
  CHECK(policy->uploads == UploadRules{3U << 20U, {"text/*", "application/zip"}});
  CHECK(policy->path.empty());
  CHECK(policy->fingerprint.empty());
  CHECK(policy->seccomp_path.empty());
  CHECK(policy->seccomp_digest.empty());
}

TEST_CASE("what is not said is the safer choice") {
  const Result<Policy> policy = parse_policy("p.yaml", small_policy());
  REQUIRE_MESSAGE(policy, error_of(policy));
  CHECK(policy->ceilings == LimitSet{});
  CHECK(policy->wall_time_with_tty);
  CHECK_FALSE(policy->writable_root);
  CHECK(policy->workspace_layout == WorkspaceLayout::split);
  CHECK(policy->allow_degraded.empty());
  CHECK(policy->bind_roots.empty());
  CHECK(policy->uploads == UploadRules{1U << 30U, {"*/*"}});
}

TEST_CASE("none and all are no limit") {
  std::string text = replaced(small_policy(), "cpus: 1", "cpus: all");
  text = replaced(text, "memory: 512M", "memory: none");
  text += "ceilings: {memory: none, cpus: all, pids: 300}\n";
  const Result<Policy> policy = parse_policy("p.yaml", text);
  REQUIRE_MESSAGE(policy, error_of(policy));
  CHECK_FALSE(policy->limits.milli_cpus);
  CHECK_FALSE(policy->limits.memory_bytes);
  CHECK_FALSE(policy->limits.cpu_ms);
  CHECK_FALSE(policy->ceilings.memory_bytes);
  CHECK_FALSE(policy->ceilings.milli_cpus);
  CHECK(policy->ceilings.pids == 300);
}

TEST_CASE("a limit that is not named is an error, whichever it is") {
  for (const LimitField& field : kLimits) {
    std::string text;
    for (std::size_t at = 0; at < small_policy().size();) {
      const std::size_t end = small_policy().find('\n', at) + 1;
      const std::string line = small_policy().substr(at, end - at);
      if (!line.starts_with("  " + std::string(field.key) + ":")) text += line;
      at = end;
    }
    const char* word = field.key == "cpus" ? "all" : "none";
    CHECK(refused(text) ==
          "p.yaml:4:3: limits: " + std::string(field.key) + ": is missing; for no limit say '" + word + "'");
  }
}

TEST_CASE("a bad value is refused with line, column and key") {
  struct Bad {
    const char* from;
    const char* to;
    const char* error;
  };
  const Bad table[] = {
      // limits, one per unit and mistake
      {"memory: 512M", "memory: 512X",
       "p.yaml:4:11: limits: memory: '512X' is not a size (a number with K, M or G, such as 512M); for no "
       "limit say "
       "'none'"},
      {"memory: 512M", "memory: 0",
       "p.yaml:4:11: limits: memory: '0' is too small; give at least 1 byte; for no limit say 'none'"},
      {"memory: 512M", "memory: -1",
       "p.yaml:4:11: limits: memory: '-1' is not a size (a number with K, M or G, such as 512M); for no "
       "limit say "
       "'none'"},
      {"memory: 512M", "memory: 99999999999G",
       "p.yaml:4:11: limits: memory: '99999999999G' is too large; give at most 1073741824G; for no limit say "
       "'none'"},
      {"memory: 512M", "memory: all",
       "p.yaml:4:11: limits: memory: 'all' is not a size (a number with K, M or G, such as 512M); for no "
       "limit say "
       "'none'"},
      {"memory: 512M", "memory: [512M]", "p.yaml:4:11: limits: memory: expected a single value, not a list"},
      {"memory: 512M", "memory:", "p.yaml:4:3: limits: memory: expected a single value, not nothing"},
      {"memory: 512M", "memory: ~", "p.yaml:4:3: limits: memory: expected a single value, not nothing"},
      {"memory: 512M", "memory: {a: 1}", "p.yaml:4:11: limits: memory: expected a single value, not a map"},
      {"cpus: 1", "cpus: none",
       "p.yaml:5:9: limits: cpus: 'none' is not a number of CPUs (such as 0.5 or 2); for no limit say 'all'"},
      {"cpus: 1", "cpus: 0.001",
       "p.yaml:5:9: limits: cpus: '0.001' is too small; give at least 0.01 CPUs; for no limit say 'all'"},
      {"pids: 256", "pids: 2.5",
       "p.yaml:6:9: limits: pids: '2.5' is not a whole number; for no limit say 'none'"},
      {"pids: 256", "pids: 2K",
       "p.yaml:6:9: limits: pids: '2K' is not a whole number above 0; for no limit say 'none'"},
      {"wall-time: 60s", "wall-time: 60 seconds",
       "p.yaml:7:14: limits: wall-time: '60 seconds' is not a duration (a number with ms, s, m or h, such as "
       "10s); "
       "for no limit say 'none'"},
      // keys
      {"  memory: 512M", "  memory: 512M\n  swap: 0",
       "p.yaml:5:3: limits: unknown key 'swap': known: 'memory', 'cpus', 'pids', 'wall-time', 'cpu-time', "
       "'output-limit', 'nofile', 'fsize', 'tmp', 'disk' or 'inodes'"},
      {"wall-time", "wall_time", "p.yaml:7:3: limits: unknown key 'wall_time': did you mean 'wall-time'?"},
      {"  pids: 256", "  pids: 256\n  memory: 1G", "p.yaml:7:3: duplicate key 'memory', first on line 4"},
      {"description: a test", "descriptoin: a test",
       "p.yaml:2:1: unknown key 'descriptoin': did you mean 'description'?"},
      {"description: a test\n", "", "p.yaml:1:1: description: is missing"},
      {"description: a test", "description: [a]",
       "p.yaml:2:14: description: expected a single value, not a list"},
      {"name: small\n", "", "p.yaml:1:1: name: is missing"},
      {"name: small", "name: ../small", "p.yaml:1:7: name: '../small' must start with a letter or a digit"},
      {"name: small", "name: a b", "p.yaml:1:7: name: 'a b' may hold only letters, digits, '.', '_' and '-'"},
      {"name: small", "name: ''", "p.yaml:1:7: name: the name is empty"},
      {"seccomp: default\n", "", "p.yaml:1:1: seccomp: is missing"},
      {"seccomp: default", "seccomp: /etc/passwd",
       "p.yaml:15:10: seccomp: '/etc/passwd' must start with a letter or a digit"},
      {"seccomp: default", "seccomp: ~", "p.yaml:15:1: seccomp: expected a single value, not nothing"},
      // the rest
      {"seccomp: default", "seccomp: default\nwritable_root: yes",
       "p.yaml:16:16: writable_root: expected true or false, not 'yes'"},
      {"seccomp: default", "seccomp: default\nwritable_root: 'true'",
       "p.yaml:16:16: writable_root: expected true or false, not 'true'"},
      {"seccomp: default", "seccomp: default\nwall_time_with_tty: false",
       "p.yaml:16:21: wall_time_with_tty: expected 'limited' or 'unlimited', not 'false'"},
      {"seccomp: default", "seccomp: default\nworkspace: flat",
       "p.yaml:16:12: workspace: expected a map of keys, not 'flat'"},
      {"seccomp: default", "seccomp: default\nworkspace: {layout: round}",
       "p.yaml:16:21: workspace: layout: expected 'split' or 'flat', not 'round'"},
      {"seccomp: default", "seccomp: default\nworkspace: {lay-out: flat}",
       "p.yaml:16:13: workspace: unknown key 'lay-out': did you mean 'layout'?"},
      {"seccomp: default", "seccomp: default\nallow_degraded: swap",
       "p.yaml:16:17: allow_degraded: expected a list, not 'swap'"},
      {"seccomp: default", "seccomp: default\nallow_degraded: [swap, swp]",
       "p.yaml:16:24: allow_degraded: no control 'swp': did you mean 'swap'?"},
      {"seccomp: default", "seccomp: default\nallow_degraded:\n  - swap\n  - swap",
       "p.yaml:18:5: allow_degraded: 'swap' is named twice"},
      {"seccomp: default", "seccomp: default\nallow_degraded: [[swap]]",
       "p.yaml:16:18: allow_degraded: expected a single value, not a list"},
      {"seccomp: default", "seccomp: default\nbind_roots:\n  - path: srv",
       "p.yaml:17:11: bind_roots: path: 'srv' is not an absolute path"},
      {"seccomp: default", "seccomp: default\nbind_roots: [{path: /}]",
       "p.yaml:16:21: bind_roots: path: '/' is everything; name the directories"},
      {"seccomp: default", "seccomp: default\nbind_roots: [{path: /a, users: []}]",
       "p.yaml:16:32: bind_roots: users: names nobody; leave it out, or name somebody"},
      {"seccomp: default", "seccomp: default\nuploads: {file_bytes: 0}",
       "p.yaml:16:23: uploads: file_bytes: '0' must be more than 0; for no limit say 'none'"},
      {"seccomp: default", "seccomp: default\nuploads: {types: [text]}",
       "p.yaml:16:19: uploads: types: 'text' is no type such as 'text/plain', 'text/*' or '*/*'"},
      {"seccomp: default", "seccomp: default\nuploads: {types: [text/*x]}",
       "p.yaml:16:19: uploads: types: 'text/*x' is no type such as 'text/plain', 'text/*' or '*/*'"},
      {"seccomp: default", "seccomp: default\nuploads: {type: []}",
       "p.yaml:16:11: uploads: unknown key 'type': did you mean 'types'?"},
      {"seccomp: default", "seccomp: default\nceilings: []",
       "p.yaml:16:11: ceilings: expected a map of keys, not a list"},
      {"seccomp: default", "seccomp: default\nceilings: {memroy: 1G}",
       "p.yaml:16:12: ceilings: unknown key 'memroy': did you mean 'memory'?"},
      {"seccomp: default", "seccomp: default\nceilings:\n  memory: 511M",
       "p.yaml:17:11: ceilings: memory: 511M is below the default in limits (512M); raise it, or lower the "
       "default"},
      {"seccomp: default", "seccomp: default\nceilings:\n  cpus: 0.5",
       "p.yaml:17:9: ceilings: cpus: 0.5 CPUs is below the default in limits (1 CPU); raise it, or lower the "
       "default"},
  };
  for (const Bad& bad : table) {
    CAPTURE(bad.to);
    CHECK(refused(replaced(small_policy(), bad.from, bad.to)) == bad.error);
  }
}

TEST_CASE("a ceiling equal to the default, or over no default, is allowed") {
  CHECK(parse_policy("p", small_policy() + "ceilings: {memory: 512M, cpu-time: 10s}\n"));
}

TEST_CASE("a document that is no policy says what it should be") {
  CHECK(refused("- a\n") == "p.yaml:1:1: expected a map of keys, not a list");
  CHECK(refused("policy\n") == "p.yaml:1:1: expected a map of keys, not 'policy'");
  CHECK(refused(replaced(small_policy(), "limits:\n", "limits: none\nx:\n"))
            .starts_with("p.yaml:4:1: unknown key 'x'"));
}

TEST_CASE("text cut off anywhere is refused or is a shorter policy, and never ends the program") {
  const std::string text = testing::read_text(testing::shipped_policies() + "/default.yaml");
  for (std::size_t size = 0; size < text.size(); size += 3) {
    const Result<Policy> policy = parse_policy("p", text.substr(0, size));
    if (policy) CHECK(policy->seccomp.size() <= std::string_view("default").size());
  }
}

}  // namespace
}  // namespace sbx
