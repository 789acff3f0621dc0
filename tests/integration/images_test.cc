// sbxctl images: what an operator does with the store. Hostile tarballs are in tests/unit/resource.
#include <sys/stat.h>

#include "support/process_tree.h"
#include "toy_image.h"

namespace sbx::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kRunner =
    "languages:\n  - {name: toy, file: main.toy, actions: {run: [/bin/toy, \"{file}\"]}}\n";

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string tree_of(const Sandbox& sandbox, const std::string& name) {
  return json::parse(sbxctl(sandbox, {"images", "inspect", name}).out)["root"].get<std::string>();
}

// What rootfs/build would have left.
class BuiltImages {
 public:
  explicit BuiltImages(const Sandbox& sandbox) : cache_(sandbox.directory() + "/cache") {
    fs::create_directories(directory());
    options_.environment = {{"SBX_CACHE_DIR", cache_}};
  }
  [[nodiscard]] std::string directory() const { return cache_ + "/images"; }
  [[nodiscard]] ProgramResult warm(const Sandbox& sandbox, std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"images", "warm"});
    return sbxctl(sandbox, arguments, options_);
  }

 private:
  std::string cache_;
  ProgramOptions options_;
};

// Programs in build/bin, and what they need beside it: a folder of one image, and rootfs/build is the
// caller's.
std::string make_checkout(const Sandbox& sandbox, const std::string& image) {
  const std::string place = sandbox.directory() + "/checkout";
  fs::create_directories(place + "/build/bin");
  fs::create_directories(place + "/rootfs/images/" + image);
  for (const char* program : {"sbxrun", "sbxctl", "sbx-direct", "sbx-spawner", "sbx-init"})
    fs::copy_file(program_directory() + "/" + program, place + "/build/bin/" + program);
  fs::copy(std::string(std::getenv("SBX_TEST_DATA")) + "/policies", place + "/policies",
           fs::copy_options::recursive);
  write_file(place + "/rootfs/images/" + image + "/Dockerfile.debian", "");
  return place;
}

void write_builder(const std::string& checkout, const std::string& script) {
  write_file(checkout + "/rootfs/build", "#!/bin/sh\n" + script + "\n");
  REQUIRE(chmod((checkout + "/rootfs/build").c_str(), 0755) == 0);
}

}  // namespace

TEST_CASE("images verify names each file that is not what was imported") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  import_toy(sandbox, "toy-1", kRunner);
  import_toy(sandbox, "toy-2", kRunner);
  ProgramResult result = sbxctl(sandbox, {"images", "verify"});
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  CHECK(holds(result.out, "toy-1 is what was imported: sha256:"));
  CHECK(holds(result.out, "toy-2 is what was imported: sha256:"));
  CHECK(sandbox.run({"--image", "toy-1", "--language", "toy", "--code", "print x"}).out == "x\n");
  CHECK(sbxctl(sandbox, {"images", "verify", "toy-1"}).exit_status == 0);  // a run changes nothing

  const std::string tree = tree_of(sandbox, "toy-1");
  const timespec times[2] = {{0, UTIME_OMIT}, {1, 0}};
  struct Change {
    std::function<void()> make;
    std::string says;
  };
  for (const Change& change :
       {Change{[&] { write_file(tree + "/var/cache/toy/old", "new\n"); },
               "'var/cache/toy/old' is not what it was (time, sha256digest)"},
        Change{[&] { write_file(tree + "/planted", "x"); }, "'planted' was not there"},
        Change{[&] { fs::remove(tree + "/bin/toy"); }, "'bin/toy' is not there"},
        Change{[&] { (void)chmod((tree + "/var/cache").c_str(), 0777); },
               "'var/cache' is not what it was (mode)"},
        Change{[&] { (void)chown((tree + "/tmp").c_str(), 1, 1); }, "'tmp' is not what it was (gid, uid)"},
        Change{[&] { (void)utimensat(AT_FDCWD, (tree + "/home").c_str(), times, 0); },
               "'home' is not what it was (time)"}}) {
    change.make();
    result = sbxctl(sandbox, {"images", "verify", "toy-1"});
    CHECK(result.exit_status == 1);
    CHECK_MESSAGE(holds(result.err, "sbxctl: toy-1: " + change.says + "\n"), result.err);
  }
  CHECK(holds(result.err, "sbxctl: toy-1: remove toy-1 and toy-2, and import again\n"));
  // The tree is the same for both names. One that is wrong does not keep others from being looked at.
  import_toy(sandbox, "other", std::string(kRunner) + "# \n");
  result = sbxctl(sandbox, {"images", "verify", "toy-1", "nothing", "toy-2"});
  CHECK(result.exit_status == 1);
  CHECK(holds(result.err, "nothing: there is no image 'nothing'"));
  CHECK(holds(result.err, "toy-2: 'planted' was not there"));
  // What is said then helps.
  for (const char* name : {"toy-1", "toy-2", "other"})
    CHECK(sbxctl(sandbox, {"images", "remove", name}).exit_status == 0);
  import_toy(sandbox, "toy-1", kRunner);
  CHECK(sbxctl(sandbox, {"images", "verify", "toy-1"}).exit_status == 0);
  fs::remove_all(tree_of(sandbox, "toy-1"));
  result = sbxctl(sandbox, {"images", "import", sandbox.directory() + "/toy-1.tar.zst"});
  CHECK(result.exit_status == 1);
  CHECK(
      holds(result.err, "importing 'toy-1': its tree in the store is gone: remove the images that have it"));
}

TEST_CASE("images prune removes trees without a name, and nothing else") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  import_toy(sandbox, "toy-1", kRunner);
  ProgramResult result = sbxctl(sandbox, {"images", "prune"});
  CHECK(result.exit_status == 0);
  CHECK(result.out.empty());
  const std::string old = tree_of(sandbox, "toy-1");
  write_file(sandbox.directory() + "/tree/new", "new\n");
  const std::string tarball = make_toy(sandbox, sandbox.directory(), "toy-1", kRunner);
  std::string sidecar = read_file(sandbox.directory() + "/toy-1.json");
  json object = json::parse(sidecar);
  object["unpacked_bytes"] = object["unpacked_bytes"].get<std::uint64_t>() + 4;
  object["entries"] = 8;
  write_file(sandbox.directory() + "/toy-1.json", object.dump());
  REQUIRE(sbxctl(sandbox, {"images", "import", tarball}).exit_status == 0);
  CHECK(fs::exists(old));
  result = sbxctl(sandbox, {"images", "prune"});
  CHECK(result.exit_status == 0);
  CHECK(result.out == "removed the tree sha256:" + fs::path(old).parent_path().filename().string() + "\n");
  CHECK_FALSE(fs::exists(old));
  CHECK(sbxctl(sandbox, {"images", "verify"}).exit_status == 0);
}

TEST_CASE("images warm imports what was built, and one that is broken does not stop the others") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const BuiltImages built(sandbox);
  (void)make_toy(sandbox, built.directory(), "toy-1", kRunner);
  (void)make_toy(sandbox, built.directory(), "toy-3", kRunner);
  write_file(built.directory() + "/toy-2.json", "{");
  write_file(built.directory() + "/toy-3.tar.zst", "no tarball");
  ProgramResult result = built.warm(sandbox, {"toy-1", "toy-2", "toy-3", "toy-4"});
  CHECK(result.exit_status == 1);
  CHECK_MESSAGE(holds(result.out, "toy-1             ready    imported now: sha256:"), result.out);
  CHECK(holds(result.out, "toy-2             failed   sidecar '"));
  CHECK(holds(result.out, "toy-3             failed   importing 'toy-3': "));
  CHECK(holds(result.out, "toy-4             missing  there is no image 'toy-4'; "));
  CHECK(sandbox.run({"--language", "toy", "--code", "print x"}).out == "x\n");

  // What is newer in the store came from somewhere else, and stays.
  json older = json::parse(read_file(built.directory() + "/toy-1.json"));
  const std::string kept = older.dump();
  older["built_at"] = "2020-01-01T00:00:00Z";
  older["digest"] = "sha256:" + std::string(64, '0');
  write_file(built.directory() + "/toy-1.json", older.dump());
  CHECK(holds(built.warm(sandbox, {"toy-1"}).out, "toy-1             ready    sha256:"));
  write_file(built.directory() + "/toy-1.json", kept);

  result = built.warm(sandbox, {"toy-1", "--json"});
  CHECK(result.exit_status == 0);
  const json list = json::parse(result.out);
  CHECK(list[0]["name"] == "toy-1");
  CHECK(list[0]["state"] == "ready");
  CHECK(holds(list[0]["detail"].get<std::string>(), "sha256:"));
  // A new runner of the same tarball is taken over, and a tree that is gone is no image.
  (void)make_toy(sandbox, built.directory(), "toy-1", std::string(kRunner) + "environment: {A: b}\n");
  CHECK(holds(built.warm(sandbox, {"toy-1"}).out, "imported now"));
  CHECK(sandbox.run({"--language", "toy", "--code", "env A"}).out == "A=b\n");
  fs::remove_all(tree_of(sandbox, "toy-1"));
  CHECK(holds(built.warm(sandbox, {"toy-1"}).out, "toy-1             failed   "));
  // Of all: those of rootfs/images too, which may be missing.
  result = built.warm(sandbox, {});
  CHECK(holds(result.out, "python-3.11       missing  'sbxctl images build python-3.11' makes it\n"));
  CHECK(holds(result.out,
              "dotnet-8          missing  'sbxctl images build --variant upstream dotnet-8' makes it\n"));
}

TEST_CASE("an image that is old is told so") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  import_toy(sandbox, "bash", kRunner);
  json object = json::parse(read_file(sandbox.directory() + "/bash.json"));
  const auto listed_as_of = [&](const std::string& built_at, const std::string& config) {
    object["built_at"] = built_at;
    write_file(sandbox.directory() + "/bash.json", object.dump());
    write_file(sandbox.directory() + "/config.yaml", config);
    REQUIRE(sbxctl(sandbox, {"images", "import", sandbox.directory() + "/bash.tar.zst"}).exit_status == 0);
    return sbxctl(sandbox, {"--config", sandbox.directory() + "/config.yaml", "images", "list"}).err;
  };
  const std::string usual = "run_dir: /run/sbx\n";
  CHECK(holds(listed_as_of("2020-01-01T00:00:00Z", usual), "bash was built "));
  CHECK(holds(listed_as_of("2020-01-01T00:00:00Z", usual),
              " days ago; 'sbxctl images build --refresh bash' takes new packages\n"));
  const json checks = json::parse(
      sbxctl(sandbox, {"--config", sandbox.directory() + "/config.yaml", "doctor", "--json"}).out)["checks"];
  CHECK(checks.back()["group"] == "images");
  CHECK(checks.back()["name"] == "bash");
  CHECK(checks.back()["state"] == "degraded");
  CHECK(checks.back()["required"] == false);
  CHECK(checks.back()["fix"] == "'sbxctl images build --refresh bash' takes new packages");
  CHECK(listed_as_of("2020-01-01T00:00:00Z", "image_max_age_days: none\n").empty());
  CHECK(listed_as_of("2020-01-01T00:00:00Z", "image_max_age_days: 36500\n").empty());
  object["variant"] = "upstream";
  CHECK(holds(listed_as_of("2020-01-01T00:00:00Z", usual),
              "'sbxctl images build --refresh --variant upstream bash' takes"));
  CHECK(listed_as_of("2990-01-01T00:00:00Z", usual).empty());
  const json list = json::parse(sbxctl(sandbox, {"images", "list", "--json"}).out);
  CHECK(list[0]["age_days"].is_null());
  // Where there is no folder to build it from.
  object["name"] = "other";
  CHECK(holds(listed_as_of("2020-01-01T00:00:00Z", usual), "other was built "));
  CHECK(holds(listed_as_of("2020-01-01T00:00:00Z", usual), "import a newer one (sbxctl images import)"));
}

TEST_CASE(
    "images build takes several names, checks them first, and each build has the limits of the caller") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  // sbxctl looks for rootfs/ two levels above itself: here a builder that tells what it was called with.
  const std::string root = sandbox.directory() + "/own";
  fs::create_directories(root + "/build/bin");
  fs::copy_file(program_directory() + "/sbxctl", root + "/build/bin/sbxctl");
  write_file(root + "/build/bin/sbx-direct", "");
  for (const char* name : {"toy-1", "toy-2", "other"}) {
    fs::create_directories(root + "/rootfs/images/" + name);
    write_file(root + "/rootfs/images/" + name + "/Dockerfile.debian", "");
    fs::create_directories(root + "/images");
    (void)make_toy(sandbox, root + "/images", name, kRunner);
  }
  write_file(root + "/rootfs/build", "#!/bin/sh\necho \"$@\" memory $(ulimit -v)\n");
  REQUIRE(chmod((root + "/rootfs/build").c_str(), 0755) == 0);
  const auto build = [&](std::vector<std::string> names) {
    names.insert(names.begin(), {root + "/build/bin/sbxctl", "--state-dir", sandbox.state_dir(), "--log",
                                 sandbox.log(), "images", "build"});
    ProgramOptions options;
    options.environment = {{"SBX_CACHE_DIR", root}};
    return run_program(names, std::move(options));
  };
  ProgramResult result = build({"toy-1", "toy-3"});
  CHECK(result.exit_status == 2);
  CHECK(result.out.empty());
  CHECK(result.err == "sbxctl: there is no image 'toy-3' to build; did you mean 'toy-1'?\n");
  result = build({"toy-1", "toy-2", "--variant", "upstream"});
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  CHECK(holds(result.out, "toy-1 --variant upstream memory unlimited\n"));
  CHECK(holds(result.out, "toy-2 --variant upstream memory unlimited\n"));
}

TEST_CASE("the packages of an image come as a bill of materials") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string tarball = make_toy(sandbox, sandbox.directory(), "toy-1", kRunner);
  json object = json::parse(read_file(sandbox.directory() + "/toy-1.json"));
  object["packages"] = {{{"name", "g++-12"}, {"version", "1:12.2.0-14+deb12u1"}}};
  write_file(sandbox.directory() + "/toy-1.json", object.dump());
  REQUIRE(sbxctl(sandbox, {"images", "import", tarball}).exit_status == 0);
  const json bill = json::parse(sbxctl(sandbox, {"images", "inspect", "--sbom", "toy-1"}).out);
  CHECK(bill["bomFormat"] == "CycloneDX");
  CHECK(bill["metadata"]["component"]["version"] == object["digest"]);
  CHECK(bill["components"] == json::array({{{"type", "library"},
                                            {"name", "g++-12"},
                                            {"version", "1:12.2.0-14+deb12u1"},
                                            {"purl", "pkg:deb/debian/g%2B%2B-12@1%3A12.2.0-14%2Bdeb12u1"}}}));
}

TEST_CASE("a build that fails or is cancelled ends the run, which is recorded, and nothing of it goes on") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string place = make_checkout(sandbox, "bad");
  const auto run = [&](const std::string& builder, ProgramOptions options) {
    write_builder(place, builder);
    return run_program(
        {place + "/build/bin/sbxrun", "--direct", "--json", "--state-dir", sandbox.state_dir(), "--run-dir",
         sandbox.run_dir(), "--log", sandbox.log(), "--build", "--image", "bad", "--", "true"},
        std::move(options));
  };
  ProgramResult result = run("echo no mirror >&2; exit 1", {});
  CHECK(result.exit_status == 125);
  CHECK(holds(result.err, "no mirror"));
  json object = json::parse(result.out);
  CHECK(object["outcome"] == "setup_failed");
  CHECK(object["message"] == "the image 'bad' could not be built: see above");
  CHECK(sandbox.log_lines().back()["run_id"] == object["run_id"]);

  const std::string mark = unique_duration();
  const auto goes_on = [&] { return !processes_with(mark).empty(); };
  ProgramOptions options;
  options.after_start = [&](pid_t sbxrun) {
    CHECK(wait_until(std::chrono::milliseconds(10'000), goes_on));
    (void)kill(sbxrun, SIGTERM);
  };
  result = run("sleep " + mark + " & trap 'kill $!; exit 143' TERM; wait", options);
  CHECK(result.exit_status == 143);
  object = json::parse(result.out);
  CHECK(object["outcome"] == "cancelled");
  CHECK(wait_until(std::chrono::milliseconds(10'000), [&] { return !goes_on(); }));
}

TEST_CASE("an image that is missing is built by the run that needs it, by its name or its language, once") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string name = "toy-" + std::to_string(getpid());
  const std::string place = make_checkout(sandbox, name);
  write_file(place + "/rootfs/images/" + name + "/runner.yaml", kRunner);
  fs::create_directory(sandbox.directory() + "/made");
  (void)make_toy(sandbox, sandbox.directory() + "/made", name, kRunner);
  // Where the builder puts it: the machine's own cache, as the run starts it with an environment of its own.
  const std::string cache = "/var/cache/sbx/images";
  write_builder(place, "echo \"$@\" >>" + place + "/built; mkdir -p " + cache + "; cp " +
                           sandbox.directory() + "/made/* " + cache);
  const std::string config = sandbox.directory() + "/config.yaml";
  const auto run = [&](const std::string& state, std::vector<std::string> options) {
    options.insert(options.begin(), {place + "/build/bin/sbxrun", "--direct", "--quiet", "--state-dir",
                                     sandbox.directory() + "/" + state, "--run-dir", sandbox.run_dir(),
                                     "--log", sandbox.log()});
    return run_program(options);
  };
  const std::vector<std::string> code{"--language", "toy", "--code", "print x"};
  const auto with = [&](std::vector<std::string> options) {
    options.insert(options.end(), code.begin(), code.end());
    return options;
  };
  CHECK(run("s1", code).exit_status == 125);  // nobody asked for it
  CHECK_FALSE(fs::exists(place + "/built"));
  const auto was_built = [&] {
    const std::string text = fs::exists(place + "/built") ? read_file(place + "/built") : "";
    (void)fs::remove(place + "/built");
    return text;
  };
  for (const std::vector<std::string>& options :
       {with({"--build"}), with({"--build", "--image", name}), with({"--config", config})}) {
    CAPTURE(options.back() + " " + options.front());
    write_file(config, "auto_build: true\n");
    fs::remove_all(sandbox.directory() + "/s1");
    ProgramResult result = run("s1", options);
    CHECK_MESSAGE(result.exit_status == 0, result.err);
    CHECK(result.out == "x\n");
    CHECK(was_built() == name + " --variant debian\n");
    CHECK(run("s1", options).out == "x\n");
    CHECK(was_built() == "");
  }
  for (const char* ending : {".tar.zst", ".json"}) CHECK(fs::remove(cache + "/" + name + ending));
}

TEST_CASE("an image that is not there and cannot be built is told as before") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  ProgramResult result = sandbox.run({"--build", "--image", "nothing", "--", "/bin/true"});
  CHECK(result.exit_status == 125);
  CHECK_MESSAGE(holds(result.err, "there is no image 'nothing'"), result.err);
  result = sandbox.run({"--build", "--language", "klingon", "--code", "x"});
  CHECK(result.exit_status == 125);
  CHECK_MESSAGE(holds(result.err, "no language 'klingon' in the images that are here"), result.err);
  CHECK(sandbox.run({"--build", "--", "/bin/true"}).exit_status == 0);  // `host` is always there
}

}  // namespace sbx::test
