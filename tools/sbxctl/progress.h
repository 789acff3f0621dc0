// Shows how far an import is, on standard error: a bar on a terminal, a line every tenth elsewhere (logs).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "resource/image_store.h"

namespace sbx {

// "91.1 MiB"
std::string readable_bytes(std::uint64_t bytes);

class ProgressDisplay {
 public:
  explicit ProgressDisplay(std::string what);
  void update(const ImportProgress& progress);
  // Ends the line of the bar; before anything else is printed.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] std::string numbers(const ImportProgress& progress) const;

  std::string what_;
  bool on_terminal_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_shown_{};
  std::uint64_t next_percent_ = 10;
  bool shown_ = false;
};

}  // namespace sbx
