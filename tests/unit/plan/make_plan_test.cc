#include "plan/make_plan.h"

#include <doctest/doctest.h>
#include <linux/mount.h>
#include <sys/resource.h>

#include <algorithm>

#include "os/socket.h"
#include "request/check_binds.h"

namespace sbx {
namespace {

struct Case {
  RunRequest request;
  LimitSet limits;
  Policy policy;
  PlanFacts facts;

  Case() {
    request.command = {"prog", "arg"};
    limits.nofile = 1024;
    limits.tmp_bytes = 1000;
    limits.disk_bytes = 2000;
    policy.name = "default";
    policy.seccomp = "default";
    facts.image_root = "/image";
  }
  [[nodiscard]] Result<SandboxPlan> make() const {
    return make_plan(request, limits, policy, facts, "sbx-1");
  }
  [[nodiscard]] SandboxPlan plan() const {
    auto made = make();
    REQUIRE_MESSAGE(made, (made ? "" : made.error().text));
    return *made;
  }
};

const MountCommand* find_target(const SandboxPlan& plan, const std::string& target) {
  const auto found = std::ranges::find(plan.commands, target, &MountCommand::target);
  return found == plan.commands.end() ? nullptr : &*found;
}

const MountSource& source_at(const SandboxPlan& plan, const std::string& target) {
  const MountCommand* command = find_target(plan, target);
  REQUIRE(command != nullptr);
  REQUIRE(command->action == MountAction::attach);
  return plan.sources[command->descriptor];
}

std::string error_of(const Case& c) {
  const auto made = c.make();
  REQUIRE_FALSE(made);
  return made.error().text;
}

bool has_environment(const SandboxPlan& plan, const std::string& entry) {
  return std::ranges::find(plan.exec.environment, entry) != plan.exec.environment.end();
}

}  // namespace

TEST_CASE("the root is the image, read-only, without set-id and devices") {
  const SandboxPlan plan = Case().plan();
  constexpr auto kAttributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  const MountSource& image = source_at(plan, "/image");
  CHECK(image.path == "/image");
  CHECK(image.id_map == SourceIdMap::sandbox);
  CHECK(image.attributes == kAttributes);
  const MountCommand* root = find_target(plan, "/root");
  REQUIRE(root != nullptr);
  CHECK(root->attributes == kAttributes);
  CHECK(root->upper.empty());
}

TEST_CASE("the host's own tree is shown without the ids that a login user of the host could have") {
  Case c;
  c.facts.host_usr = "/usr";
  const SandboxPlan plan = c.plan();
  CHECK(source_at(plan, "/usr").id_map == SourceIdMap::host);
  CHECK(find_target(plan, "usr")->action == MountAction::overlay);
}

TEST_CASE("no source of the host is mounted without nosuid and nodev") {
  Case c;
  c.facts.host_usr = "/usr";
  c.facts.workspace_dir = "/state/projects/p/workspace";
  c.request.project = "p";
  c.request.binds = {{"/a", "/mnt/a", BindMode::read_write},
                     {"/b", "/workspace/agent_workspace", BindMode::read_only}};
  for (const MountSource& source : c.plan().sources) {
    CAPTURE(source.path);
    CHECK((source.attributes & MOUNT_ATTR_NOSUID) != 0);
    if (source.kind != MountSource::Kind::devices) CHECK((source.attributes & MOUNT_ATTR_NODEV) != 0);
  }
}

TEST_CASE("a writable root is an upper layer of limited size") {
  Case c;
  c.policy.writable_root = true;
  const SandboxPlan plan = c.plan();
  const MountCommand* root = find_target(plan, "/root");
  REQUIRE(root != nullptr);
  CHECK(root->action == MountAction::overlay);
  CHECK((root->attributes & MOUNT_ATTR_RDONLY) == 0);
  CHECK(source_at(plan, "/disk").size_bytes == 2000);
}

TEST_CASE("without a project the workspace is a sized one with three folders that is thrown away") {
  const SandboxPlan plan = Case().plan();
  const MountSource& disk = source_at(plan, "/disk");
  CHECK(disk.size_bytes == 2000);
  for (const char* folder : {"workspace/project_files", "workspace/agent_workspace", "workspace/outputs"}) {
    const auto found = std::ranges::find(disk.directories, folder, &ScratchDirectory::name);
    REQUIRE(found != disk.directories.end());
    CHECK(found->inside_owner == kWorkloadId);
  }
  CHECK(plan.exec.cwd == "/workspace/agent_workspace");
}

TEST_CASE("a persistent project is mounted itself, an ephemeral one below a layer") {
  Case c;
  c.request.project = "p";
  c.facts.workspace_dir = "/state/p";
  c.facts.workspace_tree = "g/3";
  CHECK(source_at(c.plan(), "/project").path == "/state/p");
  CHECK((source_at(c.plan(), "/project").attributes & MOUNT_ATTR_RDONLY) == 0);
  CHECK(find_target(c.plan(), "workspace")->source == "/project/g/3");
  CHECK(find_target(c.plan(), "workspace/project_files")->action == MountAction::read_only);

  c.request.workspace_mode = WorkspaceMode::ephemeral;
  const SandboxPlan plan = c.plan();
  CHECK(find_target(plan, "workspace")->action == MountAction::overlay);
  CHECK(find_target(plan, "workspace")->source == "project/g/3");
  CHECK((source_at(plan, "/project").attributes & MOUNT_ATTR_RDONLY) != 0);
}

TEST_CASE("what a transaction changes is kept on the project's disk, under its limits") {
  Case c;
  c.request.project = "p";
  c.request.workspace_mode = WorkspaceMode::transaction;
  c.facts.workspace_dir = "/state/p";
  c.facts.workspace_tree = "g/3";
  c.facts.workspace_branch = "b/t";
  c.facts.project_bytes = 12345;
  const SandboxPlan plan = c.plan();
  const MountCommand* view = find_target(plan, "workspace");
  REQUIRE(view != nullptr);
  CHECK(view->action == MountAction::user_overlay);
  CHECK(view->source == "project/g/3");
  CHECK(view->upper == "/project/b/t");
  CHECK((source_at(plan, "/project").attributes & MOUNT_ATTR_RDONLY) == 0);
  CHECK(find_target(plan, "workspace/project_files")->action == MountAction::read_only);
  CHECK(plan.limits.disk_bytes == 12345);
}

TEST_CASE("a flat project starts at its top and has no read-only folder") {
  Case c;
  c.request.project = "p";
  c.facts.workspace_dir = "/state/p";
  c.facts.workspace_flat = true;
  const SandboxPlan plan = c.plan();
  CHECK(plan.exec.cwd == "/workspace");
  CHECK(find_target(plan, "workspace/project_files") == nullptr);
  c.request.here = BindRequest{"/x", "/workspace/project_files", BindMode::read_only};
  CHECK(error_of(c).find("flat") != std::string::npos);
}

TEST_CASE("--here shows the directory at project_files and starts there") {
  Case c;
  c.request.here = BindRequest{"/home/me/code", "/workspace/project_files", BindMode::read_only};
  SandboxPlan plan = c.plan();
  CHECK(plan.exec.cwd == "/workspace/project_files");
  CHECK((source_at(plan, "workspace/project_files").attributes & MOUNT_ATTR_RDONLY) != 0);
  c.request.here->mode = BindMode::read_write;
  plan = c.plan();
  CHECK((source_at(plan, "workspace/project_files").attributes & MOUNT_ATTR_RDONLY) == 0);
  c.request.here->mode = BindMode::copy_on_write;
  plan = c.plan();
  CHECK(find_target(plan, "workspace/project_files")->action == MountAction::overlay);
  CHECK((source_at(plan, "/here").attributes & MOUNT_ATTR_RDONLY) != 0);
}

TEST_CASE("a bind outside our own places gets its target from a layer over the image") {
  Case c;
  c.request.binds = {{"/data", "/opt/data/in", BindMode::read_only}};
  const SandboxPlan plan = c.plan();
  CHECK(find_target(plan, "/root")->action == MountAction::overlay);
  CHECK((find_target(plan, "/root")->attributes & MOUNT_ATTR_RDONLY) != 0);
  const MountSource& disk = source_at(plan, "/disk");
  for (const char* name : {"root/upper/opt", "root/upper/opt/data", "root/upper/opt/data/in"}) {
    CHECK(std::ranges::find(disk.directories, name, &ScratchDirectory::name) != disk.directories.end());
  }
}

TEST_CASE("a bind in the host's /usr gets its target from the layer above that") {
  Case c;
  c.facts.host_usr = "/usr";
  c.request.binds = {{"/data", "/usr/new/in", BindMode::read_only}, {"/file", "/usr/f", BindMode::read_only}};
  c.facts.bind_is_file = {false, true};
  const SandboxPlan plan = c.plan();
  const auto made = [&](const char* name) {
    const auto& directories = source_at(plan, "/disk").directories;
    const auto found = std::ranges::find(directories, name, &ScratchDirectory::name);
    REQUIRE_MESSAGE(found != directories.end(), name);
    return *found;
  };
  CHECK(made("usr/new").inside_owner == 0);
  CHECK_FALSE(made("usr/new/in").file);
  CHECK(made("usr/f").file);
  CHECK(find_target(plan, "usr")->source == "disk/usr:usr");
}

TEST_CASE("the most binds and all else that a sandbox mounts fit into one message to the spawner") {
  Case c;
  c.facts.host_usr = "/usr";
  c.facts.workspace_dir = "/state/p";
  c.request.project = "p";
  c.request.workspace_mode = WorkspaceMode::ephemeral;
  c.request.here = BindRequest{"/x", "/workspace/project_files", BindMode::copy_on_write};
  for (std::size_t i = 0; i < kMostBinds; ++i)
    c.request.binds.push_back({"/x", "/mnt/" + std::to_string(i), BindMode::copy_on_write});
  // The payload, init's socket, and a control group in each of six hierarchies.
  CHECK(c.plan().sources.size() + 2 + 6 <= os::kMaxDescriptors);
}

TEST_CASE("binds over what belongs to the sandbox are refused") {
  for (const char* target : {"/proc", "/proc/sys", "/sys", "/sys/fs", "/dev", "/dev/null", "/"}) {
    Case c;
    c.request.binds = {{"/x", target, BindMode::read_only}};
    CAPTURE(target);
    CHECK(error_of(c).find("--bind") != std::string::npos);
  }
  Case twice;
  twice.request.binds = {{"/x", "/mnt/a", BindMode::read_only}, {"/y", "/mnt/a", BindMode::read_only}};
  CHECK(error_of(twice).find("twice") != std::string::npos);
  Case near;
  near.request.binds = {{"/x", "/processes", BindMode::read_only}};
  CHECK(near.make());
  Case file;
  file.request.binds = {{"/x", "/mnt/x", BindMode::copy_on_write}};
  file.facts.bind_is_file = {true};
  CHECK(error_of(file).find("'/x' is a file; only a directory") != std::string::npos);
}

TEST_CASE("the environment is built from scratch: ours, then the image's, then the request's") {
  Case c;
  c.facts.image_environment = {"LANG=xx", "GOPATH=/go", "=broken", "nothing"};
  c.request.environment = {{"LANG", "C"}, {"X", "1=2"}};
  const SandboxPlan plan = c.plan();
  CHECK(has_environment(plan, "LANG=C"));
  CHECK(has_environment(plan, "GOPATH=/go"));
  CHECK(has_environment(plan, "X=1=2"));
  CHECK(has_environment(plan, "HOME=/home/sandbox"));
  CHECK(plan.exec.environment.size() == 7);
  c.request.environment = {{"A=B", "1"}};
  CHECK(error_of(c).find("A=B") != std::string::npos);
  c.request.environment = {{"A", std::string("1\0", 2)}};
  CHECK(error_of(c).find("NUL") != std::string::npos);
}

TEST_CASE("what a compile step leaves is written by it, and only read by the program") {
  for (const BuildPlace build : {BuildPlace::none, BuildPlace::written, BuildPlace::read}) {
    CAPTURE(build);
    Case c;
    LanguageCommand& language = c.facts.language.emplace();
    language.command = {"toy"};
    language.build = build;
    const SandboxPlan plan = c.plan();
    const auto place = std::ranges::find(plan.sources, MountSource::Kind::build, &MountSource::kind);
    CHECK((place != plan.sources.end()) == (build != BuildPlace::none));
    if (place == plan.sources.end()) continue;
    CHECK(((place->attributes & MOUNT_ATTR_RDONLY) == 0) == (build == BuildPlace::written));
    const auto index = static_cast<std::uint32_t>(place - plan.sources.begin());
    const auto is_attached = [&](const MountCommand& command) {
      return command.action == MountAction::attach && command.descriptor == index &&
             command.target == "tmp/build";
    };
    CHECK(std::ranges::count_if(plan.commands, is_attached) == 1);
    const std::string text = describe_plan(plan, c.policy, c.request, c.facts);
    CHECK(text.find("attach     /tmp/build <- tmpfs (memory, what the compile step leaves) ") !=
          std::string::npos);
  }
}

TEST_CASE(
    "a language's command takes the place of the request's, its variables come between image and request") {
  Case c;
  c.request.command.clear();
  c.facts.image_environment = {"A=image", "B=image"};
  c.request.environment = {{"C", "request"}};
  LanguageCommand& language = c.facts.language.emplace();
  language.command = {"toy", "main.toy"};
  language.environment = {"B=language", "C=language"};
  const SandboxPlan plan = c.plan();
  CHECK(plan.exec.command == language.command);
  for (const char* entry : {"A=image", "B=language", "C=request"}) CHECK(has_environment(plan, entry));
  const std::string text = describe_plan(plan, c.policy, c.request, c.facts);
  CHECK(text.find("\n  B=language\n") != std::string::npos);
  CHECK(text.find("request") == std::string::npos);
}

TEST_CASE("code is put into a file system of the sandbox's own") {
  for (const bool apart : {false, true}) {
    Case c;
    LanguageCommand& language = c.facts.language.emplace();
    language.command = {"toy"};
    language.directory = apart ? "/tmp/code" : "/workspace/agent_workspace";
    language.files = {{"main.toy", "print 1"}, {"lib/a", "x"}, {"lib/b", ""}};
    const SandboxPlan plan = c.plan();
    const MountSource& source = source_at(plan, apart ? "/scratch" : "/disk");
    const std::string top = language.directory.substr(1);
    const auto found = [&](const std::string& name) {
      const auto entry = std::ranges::find(source.directories, top + "/" + name, &ScratchDirectory::name);
      REQUIRE(entry != source.directories.end());
      CHECK(entry->inside_owner == kWorkloadId);
      return *entry;
    };
    CHECK(found("main.toy").file);
    CHECK(found("main.toy").content == "print 1");
    CHECK(found("lib").mode == 0755);
    CHECK_FALSE(found("lib").file);
    CHECK(found("lib/b").file);
    CHECK(std::ranges::count(source.directories, top + "/lib", &ScratchDirectory::name) == 1);
    CHECK(describe_plan(plan, c.policy, c.request, c.facts)
              .find("\nfile " + language.directory + "/lib/a, 1 bytes\n") != std::string::npos);
  }
}

TEST_CASE("what a runner calls writable is a copy of the image's, bound by the disk limit") {
  Case c;
  c.request.project = "p";
  c.facts.workspace_dir = "/state/p";
  c.limits.disk_bytes = 2000;
  CHECK_FALSE(c.plan().limits.disk_bytes);
  c.facts.language.emplace().command = {"go"};
  c.facts.writable = {"/var/cache/go"};
  const SandboxPlan plan = c.plan();
  const MountCommand* view = find_target(plan, "var/cache/go");
  REQUIRE(view != nullptr);
  CHECK(view->action == MountAction::overlay);
  CHECK(view->source == "image/var/cache/go");
  CHECK(view->upper == "/disk/writable0");
  CHECK(plan.limits.disk_bytes == 2000);

  // A place for a bind in it is made in it, not below it.
  c.request.binds = {{"/host", "/var/cache/go/x/y"}};
  const SandboxPlan bound = c.plan();
  const MountSource& disk = source_at(bound, "/disk");
  CHECK(std::ranges::count(disk.directories, "writable0/upper/x/y", &ScratchDirectory::name) == 1);
}

TEST_CASE("a command without a slash is looked up in the PATH of the sandbox") {
  Case c;
  c.request.environment = {{"PATH", "/a::/b"}};
  CHECK(c.plan().exec.candidates == std::vector<std::string>{"/a/prog", "./prog", "/b/prog"});
  c.request.command = {"./prog"};
  CHECK(c.plan().exec.candidates == std::vector<std::string>{"./prog"});
  c.request.command = {""};
  CHECK(c.plan().exec.candidates == std::vector<std::string>{""});  // found nowhere
}

TEST_CASE("nofile is lowered to what the host allows, and never below what init needs") {
  Case c;
  c.facts.nofile_hard = 512;
  CHECK(c.plan().limits.nofile == 512);
  c.facts.nofile_hard = 8;
  CHECK(error_of(c) ==
        "a sandbox needs at least 16 open files per process, and the caller's hard limit is 8; raise it "
        "(ulimit "
        "-Hn 4096)");
}

TEST_CASE("a project that is kept has its own limits of disk and inodes, or none") {
  Case c;
  c.request.project = "p";
  c.facts.workspace_dir = "/state/projects/p/workspace";
  CHECK_FALSE(c.plan().limits.disk_bytes);
  c.facts.project_bytes = 7000;
  c.facts.project_inodes = 70;
  CHECK(c.plan().limits.disk_bytes == 7000);
  CHECK(c.plan().limits.inodes == 70);
  CHECK(source_at(c.plan(), "/project").limit == "disk_bytes");
  c.request.workspace_mode = WorkspaceMode::ephemeral;
  CHECK(c.plan().limits.disk_bytes == 2000);
}

TEST_CASE("core dumps are always off") {
  const SandboxPlan plan = Case().plan();
  const auto core = std::ranges::find(plan.resource_limits, RLIMIT_CORE, &ResourceLimit::resource);
  REQUIRE(core != plan.resource_limits.end());
  CHECK(core->hard == 1);  // below any core, and refused by a core_pattern pipe
}

TEST_CASE(
    "locked memory and message queues are the kernel's default for a user, however much the caller has") {
  Case c;
  const auto has = [&](std::uint32_t resource, std::uint64_t value) {
    const SandboxPlan plan = c.plan();
    return std::ranges::find(plan.resource_limits, ResourceLimit{resource, value, value}) !=
           plan.resource_limits.end();
  };
  CHECK(has(RLIMIT_MEMLOCK, 8U << 20U));
  CHECK(has(RLIMIT_MSGQUEUE, 819'200));
  c.facts.memlock_hard = 65'536;
  c.facts.msgqueue_hard = 4'096;
  CHECK(has(RLIMIT_MEMLOCK, 65'536));
  CHECK(has(RLIMIT_MSGQUEUE, 4'096));
}

TEST_CASE("a request without a command, or with a bad host name, is refused") {
  Case c;
  c.request.command = {};
  CHECK(error_of(c) == "no command to run");
  c.request.action = RequestAction::keep;  // for the many that are to come
  CHECK(c.plan().exec.command.empty());
  c = Case();
  c.request.hostname = "a b";
  CHECK(error_of(c).find("--hostname") != std::string::npos);
  c.request.hostname = "box";
  CHECK(c.plan().hostname == "box");
}

TEST_CASE("a plan can be read, and does not tell the values of variables") {
  Case c;
  c.request.environment = {{"TOKEN", "secret"}};
  const std::string text = describe_plan(c.plan(), c.policy, c.request, c.facts);
  CHECK(text.find("TOKEN") != std::string::npos);
  CHECK(text.find("secret") == std::string::npos);
  CHECK(text.find("/workspace") != std::string::npos);
  CHECK(text.find("root is    stage:") != std::string::npos);
  c.request.project = "p";
  c.facts.workspace_dir = "/state/projects/p/workspace";
  CHECK(describe_plan(c.plan(), c.policy, c.request, c.facts).find("project p, layout split\n") !=
        std::string::npos);
  CHECK(explain_plan(c.plan(), c.policy, c.request, c.facts).find("read-only") != std::string::npos);
}

}  // namespace sbx
