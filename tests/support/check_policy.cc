// Parses one file as the supervisor would: check_policy policy|seccomp|runner|config FILE. Prints the error
// and exits 1.
#include <fcntl.h>

#include <cstdio>
#include <string>

#include "language/runner.h"
#include "os/file.h"
#include "policy/policy.h"
#include "policy/seccomp_profile.h"
#include "run/settings.h"

namespace {

sbx::Result<void> check(const std::string& kind, const std::string& path) {
  if (kind == "config") {
    sbx::RunRequest request;
    request.config = path;
    TRY(sbx::make_settings(request));
    return {};
  }
  const std::string text = TRY(sbx::os::read_file(AT_FDCWD, path));
  if (kind == "policy") {
    TRY(sbx::parse_policy(path, text));
  } else if (kind == "runner") {
    TRY(sbx::parse_runner(path, text));
  } else {
    const sbx::SeccompProfile profile = TRY(sbx::parse_seccomp_profile(path, text));
    TRY(sbx::compile_seccomp(profile));
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const std::string kind = argc == 3 ? argv[1] : "";
  if (kind != "policy" && kind != "seccomp" && kind != "runner" && kind != "config") {
    (void)std::fprintf(stderr, "usage: check_policy policy|seccomp|runner|config FILE\n");
    return 2;
  }
  const sbx::Result<void> checked = check(kind, argv[2]);
  if (checked) return 0;
  (void)std::fprintf(stderr, "%s\n", checked.error().text.c_str());
  return 1;
}
