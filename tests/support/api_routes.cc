// Writes what the API is asked, a line each: METHOD PATH SCOPE. It is the API as sbx-api makes it, with a
// history below DIRECTORY, and serves nobody: api_routes DIRECTORY.
#include <cstdio>
#include <string>

#include "api/service.h"

namespace {

sbx::Result<void> write_routes(const std::string& directory) {
  const auto loop = TRY(sbx::http::Loop::create());
  sbx::api::Keepers keepers;
  sbx::api::Metrics metrics;
  const sbx::api::Service service(
      *loop, keepers, metrics, std::chrono::milliseconds(0), {}, {directory, directory},
      [](const std::string& text) { (void)std::fprintf(stderr, "%s\n", text.c_str()); });
  for (const auto& [method, path, scope] : service.router().addresses()) {
    const std::string needs(sbx::kScopeNames[static_cast<std::size_t>(scope)]);
    (void)std::printf("%s %s %s\n", method.c_str(), path.c_str(), needs.c_str());
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    (void)std::fprintf(stderr, "usage: api_routes DIRECTORY\n");
    return 2;
  }
  if (const auto written = write_routes(argv[1]); !written) {
    (void)std::fprintf(stderr, "%s\n", written.error().text.c_str());
    return 1;
  }
  return 0;
}
