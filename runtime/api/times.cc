#include "api/times.h"

#include <time.h>

#include <array>
#include <chrono>
#include <cstdio>

namespace sbx::api {

std::int64_t now_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

std::string rfc3339(std::int64_t ms) {
  const time_t seconds = ms / 1000;
  tm parts{};
  (void)gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  (void)std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
                      parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                      static_cast<int>(ms % 1000));
  return text.data();
}

}  // namespace sbx::api
