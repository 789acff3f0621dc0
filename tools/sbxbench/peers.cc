#include "peers.h"

#include <unistd.h>

#include <initializer_list>
#include <utility>

#include "oci_bundle.h"
#include "plan/proc_masks.h"

namespace sbx::bench {
namespace {

using Words = std::vector<std::string>;

Words join(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// A peer that takes the program at the end of its command line.
Way prefix(const Words& words, const Words& environment) {
  return {.note = "",
          .command = [=](const Program& program) -> Result<Command> {
            return Command{join(words, program), environment, -1};
          },
          .clean_up = std::nullopt};
}

Peer native(const Words& environment) {
  return {.name = kNative, .title = "native vfork+exec", .version = {}, .ways = {prefix({}, environment)}};
}

Peer sbx(const std::string& sbxrun, const Words& environment) {
  return {.name = kSbx,
          .title = "sbxrun --direct",
          .version = {{sbxrun, "--version"}, environment, -1},
          .ways = {prefix({sbxrun, "--direct", "--quiet", "--image", "host", "--"}, environment)}};
}

Words bubblewrap_words(const std::string& path, const std::string& root) {
  return {path,
          "--unshare-all",
          "--die-with-parent",
          "--new-session",
          "--ro-bind",
          root,
          "/",
          "--ro-bind",
          "/usr",
          "/usr",
          "--proc",
          "/proc",
          "--dev",
          "/dev",
          "--tmpfs",
          "/tmp",
          "--tmpfs",
          "/workspace",
          "--uid",
          "1000",
          "--gid",
          "1000",
          "--cap-drop",
          "ALL",
          "--hostname",
          "sandbox",
          "--chdir",
          "/workspace"};
}

// The mounts of a sandbox of ours that those above lack.
Words other_mounts(const std::string& root) {
  Words words{"--tmpfs", "/var/tmp", "--tmpfs",  "/home/sandbox",
              "--tmpfs", "/dev/shm", "--mqueue", "/dev/mqueue"};
  const auto add = [&](const std::string& source, const std::string& target) {
    if (access(target.c_str(), F_OK) == 0) words = join(std::move(words), {"--ro-bind", source, target});
  };
  for (const std::string_view path : kMaskedFiles) add("/dev/null", "/" + std::string(path));
  for (const std::string_view path : kMaskedDirectories) add(root + "/mnt", "/" + std::string(path));
  for (const std::string_view path : kReadOnlyPaths) add("/" + std::string(path), "/" + std::string(path));
  return words;
}

Peer bubblewrap(const Workbench& bench, const Words& environment, bool same_mounts) {
  Peer peer{.name = same_mounts ? "bwrap-same" : "bwrap",
            .title = same_mounts ? "bwrap, same mounts" : "bwrap --unshare-all",
            .version = {},
            .ways = {}};
  const auto path = find_program("bwrap");
  if (!path) return peer;
  peer.version = {{*path, "--version"}, environment, -1};
  Words words = bubblewrap_words(*path, bench.root());
  if (same_mounts) words = join(std::move(words), other_mounts(bench.root()));
  peer.ways = {prefix(words, environment)};
  return peer;
}

struct OciRuntime {
  std::string name;
  std::string path;
  std::string directory;  // bundles and state
  std::string root;
  Words environment;
};

Way oci_way(const OciRuntime& runtime, bool limits, int mount_namespace) {
  const std::string id = "sbxbench-" + std::to_string(getpid()) + "-" + runtime.name;
  const Words state{runtime.path, "--root", runtime.directory + "/state"};
  Way way;
  if (!limits) way.note = "without limits";
  if (mount_namespace >= 0)
    way.note += std::string(limits ? "" : " and ") + "with the cgroup v2 mount hidden";
  way.command = [=](const Program& program) -> Result<Command> {
    const std::string bundle = runtime.directory + (limits ? "/limits" : "/plain") + "-" +
                               program.front().substr(program.front().find_last_of('/') + 1);
    TRY(write_bundle(bundle, {.root = runtime.root, .program = program, .limits = limits}));
    return Command{join(state, {"run", "--bundle", bundle, id}), runtime.environment, mount_namespace};
  };
  way.clean_up = Command{join(state, {"delete", "--force", id}), runtime.environment, mount_namespace};
  return way;
}

Peer oci(const std::string& name, const Workbench& bench, const Words& environment, int hidden_cgroup_v2) {
  Peer peer{.name = name, .title = name + " run", .version = {}, .ways = {}};
  const auto path = find_program(name);
  if (!path) return peer;
  peer.version = {{*path, "--version"}, environment, -1};
  const OciRuntime runtime{name, *path, bench.directory() + "/" + name, bench.root(), environment};
  for (const bool limits : {true, false}) {
    peer.ways.push_back(oci_way(runtime, limits, -1));
    if (hidden_cgroup_v2 >= 0) peer.ways.push_back(oci_way(runtime, limits, hidden_cgroup_v2));
  }
  return peer;
}

}  // namespace

std::vector<Peer> make_peers(const Workbench& bench, const std::string& sbxrun, int hidden_cgroup_v2) {
  const Words environment = bench.environment();
  return {native(environment),
          sbx(sbxrun, environment),
          bubblewrap(bench, environment, false),
          bubblewrap(bench, environment, true),
          oci("crun", bench, environment, hidden_cgroup_v2),
          oci("runc", bench, environment, hidden_cgroup_v2)};
}

}  // namespace sbx::bench
