// What a configuration says and this host does not do: each finding, and when there is none.
#include "run/check_settings.h"

#include <sys/stat.h>

#include "api/admission.h"
#include "base/scope_exit.h"
#include "run/load_config.h"
#include "support/skip.h"
#include "unit/resource/image_fixture.h"

namespace sbx {
namespace {

using testing::Store;
using testing::write_file;

const std::string kProfile =
    "name: default\ndescription: a test\ngroups:\n  - {name: io, reason: to read, allow: [read, write]}\n";

// A host with policies and images of its own.
class Host {
 public:
  Host() {
    std::filesystem::create_directories(policies() + "/seccomp");
    write_policy_file("seccomp/default.yaml", kProfile);
    add_policy("default", "512M");
    add_policy("endless", "none");
    add_policy("odd", "512 M");
  }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  [[nodiscard]] std::string file(const std::string& name) const { return place_.file(name); }
  [[nodiscard]] std::string policies() const { return file("policies"); }
  [[nodiscard]] const Store& store() const { return store_; }
  void add_image(const std::string& name, const std::string& language) const {
    store_.make(testing::mount_points(), name);
    nlohmann::json sidecar = testing::sidecar_for(store_.tarball(name), name);
    sidecar["runner"] = "languages: [{name: " + language + ", aliases: [" + language +
                        "-x], file: f, actions: {run: [p, \"{file}\"]}}]\n";
    store_.describe(name, sidecar);
    REQUIRE(store_.import(name));
  }
  [[nodiscard]] Settings settings(const std::string& text) const {
    Settings settings;
    settings.policy_dirs = {policies()};
    settings.state_dir = store_.state();
    const auto done = parse_config("config.yaml", text, settings);
    REQUIRE_MESSAGE(done, done.error().text);
    return settings;
  }
  [[nodiscard]] std::vector<Finding> look_at(const Settings& settings) const {
    return check_settings(settings, file("built"));
  }
  // A line for each: "error KEY: TEXT".
  [[nodiscard]] std::string findings(const std::string& text) const {
    std::string all;
    for (const Finding& finding : look_at(settings(text)))
      all += (finding.kind == Finding::Kind::error ? "error " : "warning ") + finding.told("") + "\n";
    return all;
  }

 private:
  void write_policy_file(const std::string& name, const std::string& text) const {
    write_file(policies() + "/" + name, text);
    REQUIRE(chmod((policies() + "/" + name).c_str(), 0644) == 0);
  }
  void add_policy(const std::string& name, const std::string& memory) const {
    write_policy_file(name + ".yaml",
                      "name: " + name +
                          "\ndescription: a test\nseccomp: default\nlimits: {memory: " + memory +
                          ", cpus: 1, pids: 256, wall-time: 60s, cpu-time: none, nofile: 1024, fsize: none, "
                          "tmp: 256M, disk: 1G, inodes: 100000, output-limit: 8M}\n");
  }

  testing::TempDirectory place_;
  Store store_;
};

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string pool_of(int count, const std::string& more, const std::string& kind = "image: host") {
  return more + "pool: {memory: none, sandboxes: [{" + kind + ", count: " + std::to_string(count) + "}]}\n";
}

std::string token_file(const std::string& expires) {
  return "tokens: [{name: a, digest: \"sha256:" + std::string(64, 'a') +
         "\", scope: run, projects: all, expires: " + expires + "}]\n";
}

}  // namespace

TEST_CASE("settings that mean what they say, and those that nobody changed, give no finding") {
  const Host host;
  host.add_image("toy-1", "toy");
  write_file(host.file("tokens.yaml"), token_file("2999-01-01T00:00:00Z"));
  REQUIRE(chmod(host.file("tokens.yaml").c_str(), 0600) == 0);
  CHECK(host.findings("max_sandboxes: 256\n") == "");
  CHECK(host.findings("socket_group: root\nmax_sandboxes: 8\nid_pool: {ranges: 9}\nlanguages: {toy: toy-1}\n"
                      "prepare_images: [toy-1]\nlisten: [{address: 127.0.0.1, port: 1}]\ntokens: " +
                      host.file("tokens.yaml") +
                      "\nadmission: {memory: 4G}\npool: {memory: 3G, sandboxes: [{image: toy-1, count: 4}, "
                      "{image: toy-x, count: 2}, {image: host, policy: gone, count: none}]}\n") == "");
}

TEST_CASE("a finding tells file, key and text; one of no key is told without a file") {
  const Finding finding{Finding::Kind::warning, "tokens", "there is none"};
  CHECK(finding.told("/c.yaml") == "/c.yaml: tokens: there is none");
  CHECK(finding.told("") == "tokens: there is none");
  CHECK(Finding{Finding::Kind::warning, "", "p.yaml:1:1: wrong"}.told("/c.yaml") == "p.yaml:1:1: wrong");
  CHECK_FALSE(has_error({finding}));
  CHECK(has_error({finding, {Finding::Kind::error, "", ""}}));
}

TEST_CASE("there are no more sandboxes than ranges of ids") {
  const Host host;
  const std::string named = host.findings("max_sandboxes: 9\nid_pool: {ranges: 9}\n");
  CHECK_MESSAGE(named.starts_with("error max_sandboxes: 9 ranges of ids are one for the projects and 8 "),
                named);
  CHECK(holds(named, "max_sandboxes at most 8, or id_pool.ranges at least 10"));
  CHECK(host.findings("id_pool: {ranges: 9}\n").starts_with("error id_pool.ranges: 9 ranges"));
  CHECK(host.findings("id_pool: {ranges: 257}\n") == "");
}

TEST_CASE("a cgroup_parent that is in no hierarchy is an error") {
  const Host host;
  const std::string found = host.findings("cgroup_parent: /nowhere/group\n");
  CHECK_MESSAGE((found.starts_with("error cgroup_parent: '/nowhere/group' is in no mounted") ||
                 found.starts_with("error cgroup_parent: cgroup: ")),
                found);
}

TEST_CASE("a group that the file names and the host lacks") {
  const Host host;
  const std::string found = host.findings("socket_group: no-such-group\n");
  CHECK_MESSAGE(found.starts_with("warning socket_group: there is no group 'no-such-group'"), found);
  Settings unnamed = host.settings("max_sandboxes: 1\n");
  unnamed.socket_group = "no-such-group";
  CHECK(host.look_at(unnamed).empty());
}

TEST_CASE("without a token nobody comes over TCP") {
  const Host host;
  const std::string path = host.file("tokens.yaml");
  const std::string named = "tokens: " + path + "\n";
  const auto write_tokens = [&](const std::string& text) {
    write_file(path, text);
    REQUIRE(chmod(path.c_str(), 0600) == 0);
  };
  CHECK(holds(host.findings(named), "warning tokens: there is no file '" + path + "'"));
  write_tokens("tokens: []\n");
  CHECK(holds(host.findings(named), "warning tokens: there is no token in '" + path + "'"));
  write_tokens(token_file("2001-01-01T00:00:00Z"));
  CHECK(holds(host.findings(named), "warning tokens: all tokens in '" + path + "' have expired"));
  CHECK(holds(host.findings(named), "sbxctl token create"));
  write_tokens(token_file("2999-01-01T00:00:00Z"));
  CHECK(host.findings(named) == "");
  write_tokens("tokens: wrong\n");
  CHECK(host.findings(named) == "");  // told by who reads it

  // Not named, it matters to who listens.
  Settings settings = host.settings("listen: [{address: 127.0.0.1, port: 1}]\n");
  settings.tokens = host.file("none.yaml");
  REQUIRE(host.look_at(settings).size() == 1);
  CHECK(host.look_at(settings).front().key == "tokens");
  settings.listeners.clear();
  CHECK(host.look_at(settings).empty());
}

TEST_CASE("images that are named and not there") {
  const Host host;
  host.add_image("toy-1", "toy");
  const auto found = [&](const std::string& text) { return host.findings(text); };
  CHECK(found("languages: {toy: toy-1, toy-x: toy-1}\n") == "");
  CHECK(found("languages: {toy: toy-2}\n").starts_with("warning languages.toy: there is no image 'toy-2'; "));
  CHECK(found("languages: {c#: toy-1}\n")
            .starts_with("warning languages.c#: image 'toy-1' has no language 'c#' (it has toy)"));
  CHECK(found("languages: {c: host}\n")
            .starts_with("warning languages.c: image 'host' has no language 'c' (it has none)"));

  CHECK(found("prepare_images: [toy-1]\n") == "");
  const std::string missing = found("prepare_images: [toy-1, toy-2]\n");
  CHECK_MESSAGE(missing.starts_with("warning prepare_images[1]: none was built in '" + host.file("built") +
                                    "', and there is no image 'toy-2'"),
                missing);
  std::filesystem::create_directories(host.file("built"));
  write_file(host.file("built/toy-2.json"), "{}");
  CHECK(found("prepare_images: [toy-2]\n") != "");
  write_file(host.file("built/toy-2.tar.zst"), "");
  CHECK(found("prepare_images: [toy-2]\n") == "");
  CHECK(found("prepare_images: [host]\n").starts_with("warning prepare_images[0]: 'host' is built in"));

  CHECK(found("pool: {sandboxes: [{image: toy-x, count: 1}]}\n") == "");
  CHECK(found("pool: {sandboxes: [{image: host}, {image: toy-2}]}\n")
            .starts_with("warning pool.sandboxes[1].image: there is no image 'toy-2'"));

  Settings settings = host.settings("languages: {toy: toy-1}\n");
  settings.state_dir = host.policies() + "/default.yaml";  // no directory
  REQUIRE(host.look_at(settings).size() == 1);
  CHECK(host.look_at(settings).front().told("").starts_with("state_dir: images were not looked for: "));
}

TEST_CASE("a sandbox of the pool under a policy that is missing or cannot be read is never made") {
  const Host host;
  const std::string missing = host.findings(pool_of(1, "", "image: host, policy: gone"));
  CHECK_MESSAGE(missing.starts_with("error pool.sandboxes[0].policy: no policy 'gone' in "), missing);
  const std::string wrong = host.findings(pool_of(1, "", "image: host, policy: odd"));
  CHECK_MESSAGE(wrong.starts_with("error pool.sandboxes[0].policy: " + host.policies() + "/odd.yaml:4:"),
                wrong);
}

TEST_CASE("what the user may not read is no error of the configuration") {
  const Host host;
  REQUIRE(chmod((host.policies() + "/default.yaml").c_str(), 0) == 0);
  constexpr uid_t kNobody = 65534;
  const bool is_root = test::is_root();
  const ScopeExit back([&] {
    if (is_root) (void)seteuid(0);
  });
  if (is_root) REQUIRE(seteuid(kNobody) == 0);
  const std::string found = host.findings(pool_of(1, ""));
  CHECK_MESSAGE(holds("\n" + found, "\nwarning pool.sandboxes[0].policy: "), found);
  CHECK_FALSE(holds("\n" + found, "\nerror "));
}

TEST_CASE("the pool wants no more than admission leaves it") {
  const Host host;
  for (std::uint32_t most = 1; most <= 21; ++most) {
    api::Admission admission([](const std::function<void()>&) {},
                             {.sandboxes = most, .memory_bytes = {}, .queue = 1});
    std::vector<api::Admission::Place> places;
    while (auto place = admission.take_spare(1)) places.push_back(std::move(*place));
    const int left = static_cast<int>(places.size());
    const std::string text = "max_sandboxes: " + std::to_string(most) + "\n";
    CAPTURE(most);
    if (left > 0) CHECK(host.findings(pool_of(left, text)) == "");
    CHECK(host.findings(pool_of(left + 1, text)).starts_with("error pool.sandboxes: "));
  }
  CHECK(holds(host.findings(pool_of(4, "max_sandboxes: 4\n")),
              "4 are wanted, and of max_sandboxes (4) the pool may take 3, never the last quarter"));
}

TEST_CASE("the pool wants no more memory than there is for it") {
  const Host host;
  const std::string most = "admission: {memory: 2G}\n";
  CHECK(host.findings(pool_of(3, most)) == "");
  const std::string found = host.findings(pool_of(4, most));
  CHECK_MESSAGE(holds(found,
                      "error pool.sandboxes: the limits of memory of 4 sandboxes come to 2G, and of "
                      "admission.memory (2G) the pool may take 1536M"),
                found);
  // Without a limit: all that there is, once there is an end to that.
  CHECK(host.findings(pool_of(9, "", "image: host, policy: endless")) == "");
  CHECK(holds(host.findings(pool_of(1, most, "image: host, policy: endless")), "come to 2G"));

  const auto within = [&](const std::string& memory, int count) {
    return host.findings("pool: {" + memory + "sandboxes: [{image: host, count: " + std::to_string(count) +
                         "}]}\n");
  };
  CHECK(within("memory: 1G, ", 2) == "");
  CHECK(holds(within("memory: 1G, ", 3),
              "error pool.sandboxes: the limits of memory of 3 sandboxes come to "
              "1536M, and pool.memory is 1G: "));
  CHECK(holds(within("", 1000), "a quarter of this host's"));  // half a TiB
}

}  // namespace sbx
