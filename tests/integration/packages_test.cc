// What agents do first: installing a package that was uploaded, without a network, as the sandbox's user.
#include <doctest/doctest.h>

#include <filesystem>

#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

// A wheel (PEP 427) with one module, made by the host's Python.
void make_wheel(const std::string& path) {
  const std::string script =
      "import sys, zipfile\n"
      "info = 'uploaded-1.0.dist-info/'\n"
      "with zipfile.ZipFile(sys.argv[1], 'w') as wheel:\n"
      "    wheel.writestr('uploaded.py', 'said = \"from the wheel\"\\n')\n"
      "    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: uploaded\\nVersion: 1.0\\n')\n"
      "    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: "
      "py3-none-any\\n')\n"
      "    wheel.writestr(info + 'RECORD', 'uploaded.py,,\\n' + info + 'METADATA,,\\n' + info + "
      "'WHEEL,,\\n')\n";
  REQUIRE(run_program({"/usr/bin/python3", "-c", script, path}, {}).exit_status == 0);
}

bool is_installed(const Sandbox& sandbox, const std::string& command) {
  return sandbox.shell(command + " --version").exit_status == 0;
}

}  // namespace

TEST_CASE("pip install --user installs an uploaded wheel") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  SKIP_UNLESS(is_installed(sandbox, "/usr/bin/python3 -m pip"), "needs python3-pip");
  const std::string here = sandbox.directory() + "/upload";
  std::filesystem::create_directory(here);
  make_wheel(here + "/uploaded-1.0-py3-none-any.whl");
  const ProgramResult result = sandbox.shell(
      "/usr/bin/python3 -m pip install --quiet --user --no-index /mnt/*.whl && "
      "/usr/bin/python3 -c 'import uploaded; print(uploaded.said, uploaded.__file__)'",
      {"--bind", here + ":/mnt"});
  CHECK_MESSAGE(result.out.starts_with("from the wheel /home/sandbox/"), result.out << result.err);
}

TEST_CASE("npm install installs an uploaded package") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  SKIP_UNLESS(is_installed(sandbox, "npm"), "needs npm");
  const std::string here = sandbox.directory() + "/upload";
  std::filesystem::create_directory(here);
  write_file(here + "/package.json", R"({"name": "uploaded", "version": "1.0.0", "main": "index.js"})");
  write_file(here + "/index.js", "module.exports = 'from the package';\n");
  const ProgramResult result = sandbox.shell(
      "npm install --silent --offline --no-audit /mnt && node -e 'console.log(require(\"uploaded\"))'",
      {"--bind", here + ":/mnt"});
  CHECK_MESSAGE(result.out.find("from the package\n") != std::string::npos, result.out << result.err);
}

}  // namespace sbx::test
