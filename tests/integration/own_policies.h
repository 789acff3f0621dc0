// The shipped policies, changed, for one daemon: they lie over the checkout's in its mount namespace.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "support/sandbox.h"

namespace sbx::test {

class OwnPolicies {
 public:
  explicit OwnPolicies(const Sandbox& place) : directory_(place.directory() + "/policies") {
    std::filesystem::copy(kShipped, directory_, std::filesystem::copy_options::recursive);
  }
  [[nodiscard]] std::string file(const std::string& name) const { return directory_ + "/" + name + ".yaml"; }
  void replace(const std::string& name, const std::string& part, const std::string& by) const {
    std::string text = read_file(file(name));
    const std::size_t at = text.find(part);
    REQUIRE(at != std::string::npos);
    write_file(file(name), text.replace(at, part.size(), by));
  }
  // What starts the daemon. `more`: what the shell does there before.
  [[nodiscard]] std::vector<std::string> wrapper(const std::string& more = "true") const {
    return {"unshare", "-m", "sh", "-ec",
            "mount --bind " + directory_ + " " + kShipped + "; " + more + "; exec \"$0\" \"$@\""};
  }

 private:
  const std::string kShipped = program_directory() + "/../../policies";
  std::string directory_;
};

}  // namespace sbx::test
