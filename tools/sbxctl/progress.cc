#include "progress.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace sbx {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBarWidth = 30;
constexpr auto kRedraw = 100ms;

std::uint64_t percent(const ImportProgress& progress) {
  return progress.total_bytes == 0
             ? 100
             : std::min<std::uint64_t>(100, progress.done_bytes * 100 / progress.total_bytes);
}

}  // namespace

std::string readable_bytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 4> kUnits{"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return std::to_string(bytes) + " B";
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (value >= 1000 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> text{};
  (void)snprintf(text.data(), text.size(), "%.1f %s", value, kUnits[unit]);
  return text.data();
}

ProgressDisplay::ProgressDisplay(std::string what)
    : what_(std::move(what)), on_terminal_(isatty(STDERR_FILENO) == 1) {}

std::string ProgressDisplay::numbers(const ImportProgress& progress) const {
  const double seconds = std::max(std::chrono::duration<double>(Clock::now() - start_).count(), 0.001);
  const auto rate = static_cast<std::uint64_t>(static_cast<double>(progress.done_bytes) / seconds);
  return readable_bytes(progress.done_bytes) + " of " + readable_bytes(progress.total_bytes) + ", " +
         (progress.entries == 0 ? "" : std::to_string(progress.entries) + " entries, ") +
         readable_bytes(rate) + "/s";
}

void ProgressDisplay::update(const ImportProgress& progress) {
  const std::uint64_t done = percent(progress);
  if (!on_terminal_) {
    if (done < next_percent_) return;
    next_percent_ = done / 10 * 10 + 10;
    (void)fprintf(stderr, "%s: %3lu %% (%s)\n", what_.c_str(), static_cast<unsigned long>(done),
                  numbers(progress).c_str());
    return;
  }
  const Clock::time_point now = Clock::now();
  if (now - last_shown_ < kRedraw && done < 100) return;
  last_shown_ = now;
  std::string bar(kBarWidth * done / 100, '#');
  bar.resize(kBarWidth, '.');
  // The end of the line is cleared: the numbers before may have been longer.
  (void)fprintf(stderr, "\r%s [%s] %3lu %%  %s\x1b[K", what_.c_str(), bar.c_str(),
                static_cast<unsigned long>(done), numbers(progress).c_str());
  (void)fflush(stderr);
  shown_ = true;
}

void ProgressDisplay::finish() {
  if (shown_) (void)fputc('\n', stderr);
  shown_ = false;
}

}  // namespace sbx
