// Soak: SBX_TEST_SOAK runs (500), 32 at a time, honest and hostile ones mixed. Each ends right, and the host
// is as it was. What is compared of the whole host is compared only where nothing else runs (SBX_TEST_ALONE).
#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>

#include "soak_kinds.h"
#include "support/process_tree.h"
#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kAtOnce = 32;

std::size_t wanted_runs() {
  const char* value = std::getenv("SBX_TEST_SOAK");
  const int runs = value != nullptr ? std::atoi(value) : 0;
  return static_cast<std::size_t>(runs > 0 ? runs : 500 / time_scale());
}

std::size_t entries_of(const std::string& directory) {
  std::error_code error;
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(directory, error), fs::directory_iterator()));
}

// The number after `key`, which begins a line of `file`; 0: there is none.
long number_in(const std::string& file, const std::string& key) {
  std::istringstream lines(read_file(file));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(key)) return std::atol(line.c_str() + key.size());
  }
  return 0;
}

std::size_t directories_below(const std::string& directory) {
  std::size_t count = 0;
  std::error_code error;
  for (auto entry = fs::recursive_directory_iterator(directory, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (entry->is_directory(error)) ++count;
  }
  return count;
}

std::size_t loop_devices_in_use() {
  std::size_t count = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/sys/block", error)) {
    if (fs::exists(entry.path() / "loop/backing_file", error)) ++count;
  }
  return count;
}

std::size_t lines_of(const std::string& path) {
  const std::string text = read_file(path);
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

// What has to be equal.
struct Exact {
  std::size_t descriptors = entries_of("/proc/self/fd");
  std::size_t mounts = lines_of("/proc/self/mountinfo");
  std::size_t loop_devices = loop_devices_in_use();
  std::size_t cgroups = directories_below("/sys/fs/cgroup");
  std::size_t shared_memory = lines_of("/proc/sysvipc/shm");
  bool operator==(const Exact&) const = default;
  [[nodiscard]] std::string text() const {
    return std::to_string(descriptors) + " descriptors, " + std::to_string(mounts) + " mounts, " +
           std::to_string(loop_devices) + " loop devices, " + std::to_string(cgroups) + " cgroups, " +
           std::to_string(shared_memory) + " lines of shared memory";
  }
};

// Distinct network namespaces that a process is in.
long network_namespaces_in_use() {
  std::set<fs::path> namespaces;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const fs::path name = fs::read_symlink(entry.path() / "ns/net", error);
    if (!error) namespaces.insert(name);
  }
  return static_cast<long>(namespaces.size());
}

// Living processes of anybody: those of the kernel run no file, and neither do zombies.
long processes() {
  long count = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    if (entry.path().filename().string().find_first_not_of("0123456789") != std::string::npos) continue;
    (void)fs::read_symlink(entry.path() / "exe", error);
    if (!error) ++count;
  }
  return count;
}

// Of the whole machine, where something else may begin meanwhile, and what the kernel counts and gives back
// in its own time. The slack does not grow with the runs: what each of a kind of run leaves is more in 500 of
// them, what few leave is in 10,000. (The counters of each CPU are added up late; 9,936 runs left 18 MB more
// slab than before.)
struct Rough {
  struct Count {
    const char* name;
    long value;
    long slack;
  };
  std::array<Count, 6> counts{{
      {"processes", processes(), 32},
      {"network namespaces of processes", network_namespaces_in_use(), 8},
      {"files", number_in("/proc/sys/fs/file-nr", ""), 256},
      {"sockets", number_in("/proc/net/sockstat", "sockets: used "), 64},
      {"network namespaces", number_in("/proc/slabinfo", "net_namespace "), 64},
      {"kB of slab", number_in("/proc/meminfo", "SUnreclaim:"), 96L << 10},
  }};
  // What is more than it may be, in words.
  [[nodiscard]] std::string more_than(const Rough& before) const {
    std::string text;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (counts[i].value <= before.counts[i].value + counts[i].slack) continue;
      text += std::to_string(counts[i].value) + " " + counts[i].name + ", before " +
              std::to_string(before.counts[i].value) + "\n";
    }
    return text;
  }
  [[nodiscard]] std::string text() const {
    std::string text;
    for (const Count& count : counts)
      text += (text.empty() ? "" : ", ") + std::to_string(count.value) + " " + count.name;
    return text;
  }
};

std::string filled_in(std::string text, std::size_t number) {
  for (std::size_t at = text.find('@'); at != std::string::npos; at = text.find('@', at))
    text.replace(at, 1, std::to_string(number));
  return text;
}

class Soak {
 public:
  Soak() {
    fs::create_directories(marks());
    fs::permissions(marks(), fs::perms::all);
    fs::create_directory(here());
    write_file(here() + "/note", "shown\n");
  }

  // Runs `count` of them; those that went wrong, in words.
  std::string run(std::size_t count) {
    std::vector<std::thread> threads;
    std::atomic<std::size_t> next = done_;
    const std::size_t end = done_ += count;
    for (std::size_t i = 0; i < kAtOnce; ++i) {
      threads.emplace_back([&] {
        for (std::size_t number = next++; number < end; number = next++) one(number);
      });
    }
    for (std::thread& thread : threads) thread.join();
    return std::move(wrong_);
  }

  [[nodiscard]] const Sandbox& sandbox() const { return sandbox_; }
  [[nodiscard]] std::size_t kinds() const { return kinds_.size(); }

 private:
  [[nodiscard]] std::string marks() const { return sandbox_.directory() + "/marks"; }
  [[nodiscard]] std::string here() const { return sandbox_.directory() + "/here"; }

  void one(std::size_t number) {
    const SoakKind& kind = kinds_[number % kinds_.size()];
    const std::string file = sandbox_.directory() + "/result-" + std::to_string(number);
    std::vector<std::string> arguments{"--result", file};
    for (const std::string& argument : kind.arguments) arguments.push_back(filled_in(argument, number));
    ProgramOptions options;
    options.null_input = true;
    if (kind.here) options.directory = here();
    const std::string mark = marks() + "/" + std::to_string(number);
    if (kind.signal_to_sbxrun != 0) {
      options.after_start = [&](pid_t sbxrun) {
        (void)wait_until(milliseconds(60'000), [&] { return fs::exists(mark) || has_ended(sbxrun); });
        (void)kill(sbxrun, kind.signal_to_sbxrun);
      };
    }
    check(kind, number, sandbox_.run(arguments, options), file);
    std::error_code ignored;
    fs::remove(file, ignored);
    fs::remove(mark, ignored);
  }

  void check(const SoakKind& kind, std::size_t number, const ProgramResult& result, const std::string& file) {
    const std::string text = read_file(file);
    const json object = json::parse(text, nullptr, false);
    const std::string outcome = object.is_object() ? object.value("outcome", "") : "";
    const bool right = !result.timed_out && result.exit_status == kind.exit_status &&
                       outcome == kind.outcome &&
                       (kind.out == "*" || result.out == filled_in(kind.out, number));
    if (right) return;
    const std::scoped_lock lock(mutex_);
    wrong_ += "run " + std::to_string(number) + " (" + kind.name + "): exit status " +
              std::to_string(result.exit_status) + ", printed '" + result.out.substr(0, 200) + "', said '" +
              result.err.substr(0, 500) + "', result " + text.substr(0, 2000) + "\n";
  }

  Sandbox sandbox_;
  std::vector<SoakKind> kinds_ = soak_kinds(marks(), std::to_string(300 * time_scale()) + "ms");
  std::size_t done_ = 0;
  std::mutex mutex_;
  std::string wrong_;
};

}  // namespace

TEST_CASE("many runs, honest and hostile, 32 at a time: every result is right, and the host is as it was") {
  SKIP_UNLESS(is_root(), "needs root");
  Soak soak;
  // Each kind a few times: caches, projects and what the kernel keeps for the next time are there then.
  const std::size_t first = 2 * kAtOnce;
  REQUIRE(soak.run(first) == "");
  REQUIRE(soak.sandbox().leftovers(30) == "");
  const Exact before;
  const Rough roughly_before;

  const std::size_t runs = std::max(wanted_runs(), first + kAtOnce) - first;  // some, on slow machines, too
  const std::string wrong = soak.run(runs);
  CHECK_MESSAGE(wrong.empty(), wrong);
  CHECK(soak.sandbox().leftovers(30) == "");

  std::set<std::string> ids;
  const std::vector<json> lines = soak.sandbox().log_lines();
  for (const json& line : lines) ids.insert(line["run_id"]);
  CHECK(lines.size() == first + runs);
  CHECK(ids.size() == first + runs);

  const Exact after;
  CHECK(after.descriptors == before.descriptors);
  CHECK(after.mounts == before.mounts);
  if (std::getenv("SBX_TEST_ALONE") == nullptr) return;
  CHECK_MESSAGE(after == before, "before: " << before.text() << "; after: " << after.text());
  Rough now;
  // Namespaces and groups are taken apart by the kernel's workers, when all is over.
  (void)wait_until(milliseconds(30'000), [&] {
    now = Rough();
    return now.more_than(roughly_before).empty();
  });
  MESSAGE(runs << " runs; before: " << roughly_before.text() << "; after: " << now.text());
  CHECK(now.more_than(roughly_before) == "");
}

}  // namespace sbx::test
