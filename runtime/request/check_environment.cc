#include "request/check_environment.h"

#include <string>

#include "base/printable.h"

namespace sbx {

Result<void> check_environment(std::string_view what, const std::vector<EnvironmentVariable>& variables) {
  constexpr std::size_t kMostVariables = 4096;
  const std::string key(what);
  if (variables.size() > kMostVariables)
    return fail(key + ": more than " + std::to_string(kMostVariables) + " variables");
  for (const auto& [name, value] : variables) {
    const std::string shown = "'" + printable(name.substr(0, 64)) + "'";
    if (name.empty() || name.find('=') != std::string::npos)
      return fail(key + ": " + shown + " is not a variable name");
    if (name.find('\0') != std::string::npos || value.find('\0') != std::string::npos)
      return fail(key + ": " + shown + " holds a NUL byte");
  }
  return {};
}

}  // namespace sbx
