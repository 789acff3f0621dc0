// What sbxd tells of its host: images, languages, what it can enforce, counts; and the sweep of orphans.
#include "integration/daemon.h"
#include "integration/lifecycle_fixture.h"
#include "integration/toy_image.h"

namespace sbx::test {

namespace {

using Strings = std::vector<std::string>;

// As another user: asked by curl, too.
HttpAnswer ask_as_nobody(const Daemon& daemon, const std::string& method, const std::string& path) {
  ProgramOptions options;
  options.before_exec = [] {
    if (setgid(65534) != 0 || setuid(65534) != 0) _exit(99);
  };
  const ProgramResult result = run_program({"curl", "-s", "--unix-socket", daemon.socket(), "-X", method,
                                            "-w", "\n%{http_code}", "http://sbx" + path},
                                           options);
  HttpAnswer answer;
  const std::size_t end = result.out.find_last_of('\n');
  REQUIRE_MESSAGE(end != std::string::npos, result.err);
  answer.status = std::stoi(result.out.substr(end + 1));
  answer.text = result.out.substr(0, end);
  answer.body = json::parse(answer.text, nullptr, false);
  return answer;
}

// The value of the sample whose line begins so.
double sample(const std::string& text, const std::string& name) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + " ")) return std::stod(line.substr(name.size() + 1));
  }
  FAIL("there is no sample '" << name << "' in " << text);
  return 0;
}

}  // namespace

TEST_CASE("the API tells of images and languages what sbxctl does, and of one that is damaged why") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  CHECK(daemon.get("/v1/images").body == json{{"images", json::array()}});
  CHECK(daemon.get("/v1/languages").body == json{{"languages", json::array()}});
  // While it runs: nothing is remembered.
  import_toy(place, "toy", kPlainToy);
  import_toy(place, "spoiled", kPlainToy);
  const std::string link = place.state_dir() + "/images/names/spoiled";
  std::filesystem::rename(link + "/spoiled.json", link + "/away.json");
  const json images = daemon.get("/v1/images").body["images"];
  REQUIRE(images.size() == 2);
  const json& toy = images[0];
  const json listed = json::parse(sbxctl(place, {"images", "list", "--json"}).out)[0];
  for (const char* key : {"name", "digest", "unpacked_bytes", "versions", "built_at", "age_days"})
    CHECK(toy[key] == listed[key]);
  CHECK(toy["state"] == "ready");
  CHECK(toy["tarball_bytes"].get<std::uint64_t>() > 0);
  CHECK(toy["languages"] == json{"toy"});
  CHECK(images[1]["name"] == "spoiled");
  CHECK(images[1]["state"] == "damaged");
  CHECK(images[1]["detail"].get<std::string>().find("spoiled") != std::string::npos);
  CHECK(daemon.get("/v1/images/toy").body == toy);
  CHECK(daemon.get("/v1/images/none").status == 404);
  CHECK(daemon.get("/v1/images/host").status == 404);
  CHECK(daemon.get("/v1/languages").body["languages"] ==
        json::parse(sbxctl(place, {"languages", "--json"}).out));
  // Its tree, too.
  std::filesystem::rename(place.state_dir() + "/images/names/toy/rootfs",
                          place.state_dir() + "/images/names/toy/elsewhere");
  CHECK(daemon.get("/v1/images/toy").body["state"] == "damaged");
  std::filesystem::rename(place.state_dir() + "/images/names/toy/elsewhere",
                          place.state_dir() + "/images/names/toy/rootfs");
  CHECK(daemon.get("/v1/images/toy").body["state"] == "ready");
}

TEST_CASE("capabilities are what the doctor says, for a policy by its name") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const auto checks = [](const json& report) {
    std::map<std::string, json> states;
    for (const json& check : report["checks"]) states[check["name"]] = check["state"];
    return states;
  };
  for (const std::string policy : {"default", "strict"}) {
    const HttpAnswer answer = daemon.get("/v1/capabilities?policy=" + policy);
    REQUIRE_MESSAGE(answer.status == 200, answer.text);
    const ProgramResult doctor = sbxctl(place, {"doctor", "--json", "--policy", policy});
    const json said = json::parse(doctor.out);
    CHECK(answer.body["policy"] == policy);
    CHECK(answer.body["enforceable"] == said["enforceable"]);
    CHECK(checks(answer.body) == checks(said));
  }
  const json unknown = daemon.get("/v1/capabilities?policy=none").body;
  CHECK(unknown["enforceable"] == false);
  CHECK(daemon.get("/v1/capabilities?policy=/etc/passwd").status == 400);
  CHECK(place.leftovers() == "");
}

TEST_CASE("metrics and stats count the same, and what happened") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string id = daemon.create();
  (void)daemon.exec(id, "true");
  (void)daemon.exec(id, "exit 3");
  (void)daemon.run({{"shell", "sleep 10"}, {"timeout_ms", 100}});
  CHECK(daemon.post("/v1/sandboxes", {{"image", "none"}}).status == 422);
  for (const pid_t pid : daemon.processes("sbx-nursery")) (void)kill(pid, SIGKILL);
  CHECK(
      comes_true([&] { return sample(daemon.get("/v1/metrics").text, "sbx_nursery_restarts_total") >= 1; }));
  const std::string text = daemon.get("/v1/metrics").text;
  CHECK(sample(text, "sbx_sandboxes{state=\"ready\"}") == 1);
  CHECK(sample(text, "sbx_keepers") == 1);
  CHECK(sample(text, "sbx_runs_ended_total{outcome=\"exited\"}") == 2);
  CHECK(sample(text, "sbx_runs_ended_total{outcome=\"timed_out\"}") == 1);
  CHECK(sample(text, "sbx_exec_seconds_count{kind=\"command\"}") == 2);
  CHECK(sample(text, "sbx_exec_seconds_count{kind=\"run\"}") == 1);
  CHECK(sample(text, "sbx_exec_seconds_sum{kind=\"run\"}") >= 0.1);
  CHECK(sample(text, "sbx_exec_seconds_bucket{kind=\"run\",le=\"0.1\"}") == 0);
  CHECK(sample(text, "sbx_exec_seconds_bucket{kind=\"run\",le=\"+Inf\"}") == 1);
  CHECK(sample(text, "sbx_create_seconds_count") == 1);
  CHECK(sample(text, "sbx_create_failures_total") == 1);
  CHECK(sample(text, "process_start_time_seconds") >= sample(text, "sbx_start_time_seconds"));
  const json stats = daemon.get("/v1/stats").body;
  CHECK(stats["sandboxes"]["ready"] == 1);
  CHECK(stats["runs"]["ended"] == json{{"exited", 2}, {"timed_out", 1}});
  CHECK(stats["command"]["count"] == 2);
  CHECK(stats["restarts"]["nurseries"].get<int>() >= 1);
  CHECK(stats["restarts"]["api"] == 0);
  for (const pid_t pid : daemon.processes("sbx-api")) (void)kill(pid, SIGKILL);
  CHECK(comes_true([&] {
    const HttpAnswer answer = daemon.ask("GET", "/v1/stats", nullptr,
                                         {"--retry", "20", "--retry-connrefused", "--retry-delay", "1"});
    return answer.body.is_object() && answer.body["restarts"]["api"] == 1;
  }));
}

TEST_CASE("a sweep removes what killed runs left, tells what, and is root's to ask for") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const std::string config = place.directory() + "/config.yaml";
  write_file(config, "cleanup_interval: off\n");
  const Daemon daemon(place, {"--config", config});
  // A direct run beside it, whose supervisor is killed, has nobody who sweeps for it.
  REQUIRE(run_and_kill(place, unique_duration(), {Program::direct, {}, true}).hit);
  CHECK(journals(place) != "");
  const std::string kept = daemon.create({{"project_id", "kept" + std::to_string(getpid())}});
  CHECK(daemon.exec(kept, "echo kept >file")["exit_code"] == 0);
  CHECK(ask_as_nobody(daemon, "POST", "/v1/cleanup").status != 200);
  const HttpAnswer swept = daemon.ask("POST", "/v1/cleanup");
  REQUIRE_MESSAGE(swept.status == 200, swept.text);
  REQUIRE(swept.body["removed"].size() == 1);
  CHECK(swept.body["failure"] == nullptr);
  const std::string run = place.log_lines().back()["run_id"];
  CHECK(swept.body["removed"][0].get<std::string>().starts_with(run));
  CHECK(daemon.said().find("swept what killed runs left: " + run) != std::string::npos);
  // What lives is nobody's orphan.
  CHECK(daemon.exec(kept, "cat file")["stdout"]["text"] == "kept\n");
  CHECK(daemon.ask("POST", "/v1/cleanup").body["removed"].empty());
  CHECK(sample(daemon.get("/v1/metrics").text, "sbx_swept_total") == 1);
  CHECK(sample(daemon.get("/v1/metrics").text, "sbx_sweeps_total") == 2);
}

TEST_CASE("sbxctl cleanup asks the sbxd that runs, and does it itself where none does") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const auto cleanup = [&](const Strings& options) {
    Strings all{"cleanup", "--run-dir", place.run_dir()};
    all.insert(all.end(), options.begin(), options.end());
    return sbxctl(place, all);
  };
  const auto leave_orphan = [&] {
    REQUIRE(run_and_kill(place, unique_duration(), {Program::direct, {}, true}).hit);
    CHECK(journals(place) != "");
  };
  leave_orphan();
  const ProgramResult direct = cleanup({});
  CHECK_MESSAGE(direct.exit_status == 0, direct.err);
  CHECK(direct.out.starts_with("removed " + place.log_lines().back()["run_id"].get<std::string>() + " ("));
  CHECK(journals(place) == "");
  CHECK(cleanup({}).out == "nothing was left\n");
  {
    const Daemon daemon(place);
    leave_orphan();
    const json swept = json::parse(cleanup({"--json"}).out);
    CHECK(swept["by"] == "sbxd");
    CHECK(swept["removed"].size() == 1);
    CHECK(journals(place) == "");
  }
  leave_orphan();
  // A socket behind which nobody is, as after a kill -9.
  const std::string dead = place.directory() + "/dead.sock";
  {
    Daemon killed(place, {}, dead);
    killed.kill_with_9();
  }
  REQUIRE(std::filesystem::exists(dead));
  const json swept = json::parse(cleanup({"--json", "--socket", dead}).out);
  CHECK(swept["by"] == "sbxctl");
}

TEST_CASE("what a killed run left is swept from time to time, as the configuration says") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const std::string config = place.directory() + "/config.yaml";
  write_file(config, "cleanup_interval: 50ms\n");
  const Daemon daemon(place, {"--config", config});
  REQUIRE(run_and_kill(place, unique_duration(), {Program::direct, {}, true}).hit);
  CHECK(comes_true([&] { return journals(place).empty(); }));
  CHECK(comes_true([&] { return daemon.said().find("swept what killed runs left: ") != std::string::npos; }));
  CHECK(comes_true([&] { return sample(daemon.get("/v1/metrics").text, "sbx_swept_total") == 1; }));
  for (const auto& [text, good] : {std::pair{"off", true}, {"1h", true}, {"0", false}, {"never", false}}) {
    write_file(config, "cleanup_interval: " + std::string(text) + "\n");
    const ProgramResult checked =
        run_program({program_directory() + "/sbxd", "--config", config, "--check-config"});
    CHECK_MESSAGE(checked.exit_status == (good ? 0 : 2), text << ": " << checked.err);
    if (!good) CHECK(checked.err.find("config.yaml:1:") != std::string::npos);
  }
}

TEST_CASE("images are looked at when sbxd starts; one that is damaged is named and stops no other") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  import_toy(place, "good", kPlainToy);
  import_toy(place, "spoiled", kPlainToy);
  std::filesystem::remove(place.state_dir() + "/images/names/spoiled/spoiled.json");
  const auto images = [](const Daemon& daemon) { return daemon.get("/v1/health/ready").body["images"]; };
  const Daemon daemon(place);
  CHECK(comes_true([&] { return images(daemon)["ready"] == json{"good"}; }));
  CHECK(comes_true([&] { return images(daemon)["failed"].size() == 1; }));
  CHECK(images(daemon)["failed"][0]["name"] == "spoiled");
  CHECK(images(daemon)["failed"][0]["detail"].get<std::string>().find("spoiled") != std::string::npos);
  CHECK(images(daemon)["preparing"].empty());
  CHECK(daemon.said().find("image 'spoiled': ") != std::string::npos);
  CHECK(daemon.run({{"language", "toy"}, {"image", "good"}, {"code", "out hello\n"}})["outcome"] == "exited");
  // And what becomes of them while it runs is told, too.
  std::filesystem::remove_all(place.state_dir() + "/images/names/spoiled");
  import_toy(place, "late", kPlainToy);
  CHECK(images(daemon)["ready"] == json{"good", "late"});
  CHECK(images(daemon)["failed"].empty());
}

TEST_CASE("images that the configuration names are imported when sbxd starts") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const std::string cache = place.directory() + "/cache";
  std::filesystem::create_directories(cache + "/images");
  (void)make_toy(place, cache + "/images", "built", kPlainToy);
  const std::string config = place.directory() + "/config.yaml";
  const auto start = [&](const std::string& text) {
    write_file(config, text);
    return std::make_unique<Daemon>(place, Strings{"--config", config}, "", Strings{},
                                    [&] { (void)setenv("SBX_CACHE_DIR", cache.c_str(), 1); });
  };
  const json nothing{{"preparing", json::array()},
                     {"ready", json::array()},
                     {"failed", json::array()},
                     {"missing", json::array()}};
  {
    const auto daemon = start("prepare_images: none\n");
    CHECK(daemon->get("/v1/health/ready").body["images"] == nothing);
    CHECK(daemon->get("/v1/images/built").status == 404);
  }
  const auto daemon = start("prepare_images: [built, no-such]\n");
  CHECK(comes_true([&] { return daemon->get("/v1/images/built").body["state"] == "ready"; }));
  CHECK(comes_true([&] { return daemon->get("/v1/images/no-such").body["state"] == "missing"; }));
  CHECK(daemon->get("/v1/health/ready").body["images"]["missing"] == json{"no-such"});
  for (const char* wrong : {"some", "[../up]", "{a: b}"}) {
    write_file(config, "prepare_images: " + std::string(wrong) + "\n");
    const ProgramResult checked =
        run_program({program_directory() + "/sbxd", "--config", config, "--check-config"});
    CHECK(checked.exit_status == 2);
    CHECK_MESSAGE(checked.err.find("prepare_images") != std::string::npos, checked.err);
  }
}

}  // namespace sbx::test
