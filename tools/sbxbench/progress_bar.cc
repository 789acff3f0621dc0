#include "progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace sbx::bench {

using namespace std::chrono_literals;

ProgressBar::ProgressBar() : on_terminal_(isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() {
  if (shown_) (void)std::fputs("\r\x1b[K", stderr);
}

void ProgressBar::update(std::size_t done, std::size_t total, const std::string& what) {
  constexpr std::size_t kWidth = 30;
  const Clock::time_point now = Clock::now();
  if (!on_terminal_ || now - last_ < 100ms) return;
  last_ = now;
  shown_ = true;
  const std::size_t filled = total == 0 ? 0 : std::min(kWidth, kWidth * done / total);
  (void)std::fprintf(stderr, "\r[%s%s] %zu of %zu  %s\x1b[K", std::string(filled, '#').c_str(),
                     std::string(kWidth - filled, '.').c_str(), done, total, what.c_str());
  (void)std::fflush(stderr);
}

}  // namespace sbx::bench
