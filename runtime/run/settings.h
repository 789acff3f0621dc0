// Where things are and what a supervisor works with: flag or environment (sbxrun resolved those), then the
// configuration file, then the default.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "monitor/log_file.h"
#include "request/run_request.h"
#include "resource/id_pool.h"

namespace sbx {

// What a supervisor that stays remembers of runs that have ended; the oldest are forgotten first.
struct HistorySettings {
  std::uint32_t runs = 100'000;
  std::uint64_t output_bytes = 10ULL << 30U;  // of what they wrote, and of their results
  std::optional<std::uint32_t> days = 30;
};

struct TlsPaths {
  std::string certificate;  // PEM, the server's own first
  std::string key;          // PEM
  bool operator==(const TlsPaths&) const = default;
};

struct TcpListener {
  std::string address;  // a number, IPv4 or IPv6
  std::uint16_t port = 0;
  std::optional<TlsPaths> tls;  // none: loopback only
  bool operator==(const TcpListener&) const = default;

  [[nodiscard]] std::string text() const;  // "127.0.0.1:8080", "[::1]:8080"
};

struct AdmissionSettings {
  std::optional<std::uint64_t> memory_bytes;  // what the limits of all sandboxes may come to
  std::uint32_t queue = 100;                  // runs of a project that wait for their turn
  std::uint32_t per_client_rate = 500;        // requests per second; 0: any number
  std::uint32_t burst = 1000;
};

// Sandboxes that sbxd makes before they are asked for.
struct PoolConfig {
  struct Kind {
    std::string image;
    std::string policy = "default";
    std::uint32_t count = 1;
  };
  std::vector<Kind> kinds;
  std::optional<std::uint64_t>
      memory_bytes;  // what their limits may come to; missing: a quarter of the host's
};

struct Settings {
  std::string file;             // the configuration that was read; empty: there is none
  std::set<std::string> named;  // its keys, of the first level
  std::string state_dir = "/var/lib/sbx";
  std::string run_dir = "/run/sbx";
  MonitorLogOptions log;
  IdPool ids;
  std::string cgroup_parent;                             // empty: found
  std::vector<std::string> policy_dirs;                  // in order of search
  std::string helpers;                                   // the directory of sbx-spawner and sbx-init
  std::string programs;                                  // the directory of sbxctl
  std::string rootfs;                                    // the directory of what builds images
  std::optional<std::uint32_t> image_max_age_days = 90;  // from then on it is told that an image is old
  std::map<std::string, std::string> language_images;    // the image that a language is to be run in
  bool auto_build = false;  // an image that is missing is built by the run that needs it
  // Of a supervisor that stays.
  std::string socket_group = "sbx";   // whose members may connect; there need be none of this name
  std::uint32_t max_sandboxes = 256;  // at once
  std::optional<std::vector<std::string>> prepare_images;  // at its start; nothing: all that the store has
  std::uint64_t cleanup_interval_ms = 3'600'000;           // between two sweeps; 0: none but at its start
  HistorySettings history;
  std::vector<TcpListener> listeners;
  std::vector<std::string> origins;  // of web pages that may ask: "https://host:port"
  std::string tokens = "/etc/sbx/tokens.yaml";
  AdmissionSettings admission;
  PoolConfig pool;

  // What is made from content and can be made again.
  [[nodiscard]] std::string cache_dir() const { return state_dir + "/cache"; }
};

// Fills in what is found from where the running program is: the helpers, and where policies are looked for.
Result<void> find_own_parts(Settings& settings);

// An error that begins with `what` for a path that is not absolute; an empty one is none.
Result<void> check_absolute(std::string_view what, const std::string& path);

Result<Settings> make_settings(const RunRequest& request);

}  // namespace sbx
