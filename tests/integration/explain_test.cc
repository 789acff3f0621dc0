// What --explain says a program may write is what a program can write, and nothing else is.
#include <algorithm>
#include <sstream>

#include "isolation.h"

namespace sbx::test {
namespace {

using Strings = std::vector<std::string>;

std::string joined(const Strings& words) {
  std::string text;
  for (const std::string& word : words) text += word + "\n";
  return text;
}

// The paths of every "It may write to /a, /b and /c: …", sorted.
Strings writable_as_explained(const std::string& explanation) {
  Strings paths;
  for (const std::string& line : lines_of(explanation)) {
    if (!line.starts_with("It may write to ")) continue;
    std::istringstream words(line.substr(0, line.find(": ")));
    for (std::string word; words >> word;) {
      if (word.ends_with(',')) word.pop_back();
      if (word.starts_with('/')) paths.push_back(word);
    }
  }
  std::ranges::sort(paths);
  return paths;
}

// The directories that the program can make a file in; not /dev/mqueue, whose files are message queues.
Strings writable_inside(const Sandbox& sandbox, const Strings& options) {
  const std::string script =
      "find / -xdev -type d > /tmp/all 2>/dev/null\n"
      "for top in /usr /workspace /workspace/project_files /home/sandbox /tmp /var/tmp /dev /dev/shm; do\n"
      "  find $top -xdev -type d >> /tmp/all 2>/dev/null\ndone\n"
      "sort -u /tmp/all | while read -r d; do\n"
      "  if (: > \"$d/.made\") 2>/dev/null; then echo \"$d\"; fi\ndone";
  Strings paths = lines_of(said_inside(sandbox, script, options));
  std::erase(paths, "");
  std::erase(paths, "/dev/mqueue");
  std::ranges::sort(paths);
  return paths;
}

void check_agrees(const Strings& options) {
  const Sandbox sandbox;
  Strings all = options;
  for (const char* argument : {"--explain", "--", "true"}) all.emplace_back(argument);
  const ProgramResult explained = sandbox.sbxrun(all);
  INFO("said: " << explained.out << explained.err);
  CHECK(joined(writable_as_explained(explained.out)) == joined(writable_inside(sandbox, options)));
}

}  // namespace

TEST_CASE("--explain names the places that can be written, and no other can be") {
  SKIP_UNLESS(is_root(), "needs root");
  check_agrees({});
  check_agrees({"--policy", "permissive"});  // its root is writable, but root's
  check_agrees({"--bind", "/usr/share/doc:/workspace/outputs"});
  check_agrees({"--project", "alpha"});
  // Smaller than the policy has it, which takes 8G of the disk at once.
  check_agrees(
      {"--policy", "permissive", "--project", "alpha", "--workspace-mode", "ephemeral", "--disk", "64M"});
}

}  // namespace sbx::test
