#include "support/sandbox.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

namespace sbx::test {
namespace {

namespace fs = std::filesystem;

std::string required(const char* name) {
  const char* value = std::getenv(name);
  REQUIRE_MESSAGE(value != nullptr, name << " is not set; run the tests by tools/test or tools/dev test");
  return value;
}

// Files of journals that are not empty: sandboxes alive, or left behind.
std::string open_journals(const std::string& run_dir) {
  std::string text;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(run_dir + "/ids", error)) {
    if (entry.file_size(error) > 0)
      text += "journal " + entry.path().string() + ": " + read_file(entry.path()) + "\n";
  }
  return text;
}

// Nothing that can be read of a process tells whose it is: only where nothing else runs (tools/test says so
// by SBX_TEST_ALONE) is anything with one of our names a leftover.
bool alone() { return std::getenv("SBX_TEST_ALONE") != nullptr; }

// What a living sbxd needs, whoever asks it for sandboxes or not.
bool belongs_to_sbxd(const fs::path& process, const std::string& comm) {
  if (comm != "sbx-api\n" && comm != "sbx-nursery\n") return false;
  const std::string stat = read_file(process / "stat");
  std::istringstream fields(stat.substr(std::min(stat.rfind(')') + 1, stat.size())));
  std::string state;
  std::string parent;
  fields >> state >> parent;
  return read_file("/proc/" + parent + "/comm") == "sbxd\n";
}

std::string our_processes() {
  std::string text;
  if (!alone()) return text;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::string comm = read_file(entry.path() / "comm");
    // A zombie holds nothing, and is its new parent's to reap.
    if (read_file(entry.path() / "stat").find(") Z ") != std::string::npos) continue;
    if (comm.starts_with("sbx-") && !belongs_to_sbxd(entry.path(), comm))
      text += "process " + name + " " + comm;
  }
  return text;
}

// Groups come and go while others run: one that is gone must not hide those behind it, as it would with a
// recursive iterator.
void add_sandbox_cgroups(const fs::path& directory, std::set<std::string>& paths) {
  std::error_code error;
  for (auto entry = fs::directory_iterator(directory, error); entry != fs::directory_iterator();
       entry.increment(error)) {
    if (error) break;
    if (entry->is_symlink(error) || !entry->is_directory(error)) continue;
    if (entry->path().filename().string().starts_with("sbx-")) {
      paths.insert(entry->path());
    } else {
      add_sandbox_cgroups(entry->path(), paths);
    }
  }
}

std::set<std::string> sandbox_cgroups() {
  std::set<std::string> paths;
  add_sandbox_cgroups("/sys/fs/cgroup", paths);
  return paths;
}

// What somebody's killed run left on the machine before the first test is not a leftover of a test.
const std::set<std::string>& cgroups_before_the_tests() {
  static const std::set<std::string> before = sandbox_cgroups();
  return before;
}

std::string our_cgroups(const std::string& log) {
  std::string text;
  const std::string ids = read_file(log);
  for (const std::string& path : sandbox_cgroups()) {
    if (cgroups_before_the_tests().contains(path)) continue;
    if (alone() || ids.find(fs::path(path).filename()) != std::string::npos) text += "cgroup " + path + "\n";
  }
  return text;
}

std::string our_mounts(const std::string& directory) {
  std::string text;
  std::istringstream lines(read_file("/proc/self/mountinfo"));
  for (std::string line; std::getline(lines, line);) {
    if (line.find(directory) != std::string::npos) text += "mount " + line + "\n";
  }
  return text;
}

// Temporary names that finished runs must not leave in our directories. (What is deeper is the programs'.)
std::string half_made(const std::string& directory) {
  std::string text;
  std::error_code error;
  for (auto entry = fs::recursive_directory_iterator(directory, error);
       entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (error) break;
    if (entry.depth() >= 2) entry.disable_recursion_pending();
    const std::string name = entry->path().filename();
    const bool half_image = name == "new" && entry->path().parent_path().filename() == "host-root";
    if (half_image || name.ends_with(".new") || name.find(".new.") != std::string::npos) {
      text += "half made " + entry->path().string() + "\n";
      entry.disable_recursion_pending();
    }
  }
  return text;
}

// Block devices over files below `directory`. The tests' own go when they are unmounted.
std::string our_block_devices(const std::string& directory) {
  std::string text;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/sys/block", error)) {
    const std::string file = read_file(entry.path() / "loop/backing_file");
    if (file.find(directory + "/state/projects") != std::string::npos) {
      text += "block device " + entry.path().filename().string() + " over " + file;
    }
  }
  return text;
}

std::vector<nlohmann::json> json_lines(const std::string& path) {
  std::vector<nlohmann::json> lines;
  std::istringstream text(read_file(path));
  for (std::string line; std::getline(text, line);) {
    nlohmann::json parsed = nlohmann::json::parse(line, nullptr, false);
    CHECK_MESSAGE(!parsed.is_discarded(), "not JSON: " << line);
    lines.push_back(std::move(parsed));
  }
  return lines;
}

}  // namespace

std::string program_directory() { return required("SBX_TEST_BIN"); }
std::string probe_directory() { return required("SBX_TEST_PROBES"); }

int time_scale() {
  const char* value = std::getenv("SBX_TEST_TIME_SCALE");
  return value != nullptr && std::atoi(value) > 0 ? std::atoi(value) : 1;
}

bool nothing_felt(const nlohmann::json& result) {
  for (const auto& hit : result["limits_hit"]) {
    if (time_scale() == 1 || hit["limit"] != "cpus") return false;
  }
  return true;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE_MESSAGE(at != std::string::npos, "no '" << from << "' in the text");
  return text.replace(at, from.size(), to);
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  REQUIRE_MESSAGE(file.good(), "cannot write " << path);
}

Sandbox::Sandbox() {
  cgroups_before_the_tests();
  // Below the state directory's own file system where there is one (a virtual machine), else /var/tmp.
  const char* base = std::getenv("SBX_TEST_DIR");
  std::string pattern = std::string(base != nullptr ? base : "/var/tmp") + "/sbx-test-XXXXXX";
  REQUIRE(mkdtemp(pattern.data()) != nullptr);
  directory_ = pattern;
}

Sandbox::~Sandbox() {
  if (check_leftovers_) {
    const std::string left = leftovers();
    CHECK_MESSAGE(left.empty(), "left on the host:\n" << left);
  }
  std::error_code error;
  fs::remove_all(directory_, error);
  CHECK_MESSAGE(!error, "removing " << directory_ << ": " << error.message());
}

ProgramResult Sandbox::sbxrun(const std::vector<std::string>& arguments, ProgramOptions options) const {
  return start({program_directory() + "/sbxrun"}, arguments, std::move(options));
}

ProgramResult Sandbox::run_by(std::vector<std::string> wrapper, const std::vector<std::string>& arguments,
                              ProgramOptions options) const {
  wrapper.insert(wrapper.end(), {program_directory() + "/sbxrun", "--direct", "--quiet"});
  return start(std::move(wrapper), arguments, std::move(options));
}

ProgramResult Sandbox::start(std::vector<std::string> all, const std::vector<std::string>& arguments,
                             ProgramOptions options) const {
  all.insert(all.end(), arguments.begin(), arguments.end());
  options.environment.emplace_back("SBX_STATE_DIR", state_dir());
  options.environment.emplace_back("SBX_RUN_DIR", run_dir());
  options.environment.emplace_back("SBX_LOG", log());
  return run_program(all, options);
}

ProgramResult Sandbox::run(const std::vector<std::string>& arguments, ProgramOptions options) const {
  std::vector<std::string> all{"--direct", "--quiet"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return sbxrun(all, std::move(options));
}

nlohmann::json Sandbox::run_json(const std::vector<std::string>& arguments, ProgramOptions options) const {
  std::vector<std::string> all{"--json"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  const ProgramResult result = run(all, std::move(options));
  INFO("sbxrun said: " << result.err << result.out);
  nlohmann::json parsed = nlohmann::json::parse(result.out, nullptr, false);
  REQUIRE(!parsed.is_discarded());
  CHECK(result.out.find('\n') == result.out.size() - 1);
  return parsed;
}

ProgramResult Sandbox::shell(const std::string& script, std::vector<std::string> options) const {
  for (const char* argument : {"--", "/bin/sh", "-c"}) options.emplace_back(argument);
  options.push_back(script);
  return run(options);
}

std::vector<nlohmann::json> Sandbox::log_lines() const {
  std::vector<nlohmann::json> lines = json_lines(log());
  std::erase_if(lines, [](const nlohmann::json& line) { return line.contains("event"); });
  return lines;
}

std::vector<nlohmann::json> Sandbox::events(const std::string& of) const {
  std::vector<nlohmann::json> lines = json_lines(log());
  std::erase_if(lines, [&](const nlohmann::json& line) {
    return !line.contains("event") || !line["event"].get<std::string>().starts_with(of);
  });
  return lines;
}

std::string Sandbox::leftovers(int seconds) const {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds * time_scale());
  while (true) {
    std::string left = open_journals(run_dir()) + our_processes() + our_cgroups(log()) +
                       our_mounts(directory_) + our_block_devices(directory_) + half_made(state_dir()) +
                       half_made(run_dir());
    if (left.empty() || std::chrono::steady_clock::now() > deadline) return left;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace sbx::test
