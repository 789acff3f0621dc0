// The files of a sandbox of sbxd's, by curl.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <string>
#include <vector>

#include "integration/daemon.h"

namespace sbx::test {

class Files {
 public:
  Files(const Daemon& daemon, const json& request) : daemon_(daemon), id_(daemon.create(request)) {}

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] std::string path(const std::string& rest) const {
    return "/v1/sandboxes/" + id_ + "/files" + rest;
  }
  HttpAnswer ask(const std::string& method, const std::string& rest,
                 std::vector<std::string> options = {}) const {
    return daemon_.ask(method, path(rest), nullptr, std::move(options));
  }
  HttpAnswer get(const std::string& name) const { return ask("GET", "?path=" + name); }
  HttpAnswer put(const std::string& query, const std::string& content) const {
    return daemon_.ask("PUT", path("?path=" + query), content);
  }
  [[nodiscard]] json stat(const std::string& query) const {
    const HttpAnswer answer = ask("GET", "/stat?path=" + query);
    INFO(answer.text);
    CHECK(answer.status == 200);
    return answer.body;
  }
  [[nodiscard]] std::vector<std::string> names(const std::string& directory) const {
    const HttpAnswer answer = ask("GET", "/list?path=" + directory);
    INFO(answer.text);
    REQUIRE(answer.status == 200);
    std::vector<std::string> found;
    for (const json& entry : answer.body["entries"]) found.push_back(entry["name"]);
    return found;
  }
  // What a script of the sandbox's prints.
  [[nodiscard]] std::string shell(const std::string& script) const {
    const json result = daemon_.exec(id_, script);
    INFO(result.dump());
    CHECK(result["exit_code"] == 0);
    return result["stdout"]["text"];
  }
  // "curl …", for a shell: prints the status behind the answer.
  [[nodiscard]] std::string curl(const std::string& rest) const {
    return "curl -sS --unix-socket " + daemon_.socket() + " -w '%{http_code}' 'http://sbx" + path(rest) + "'";
  }
  // An upload of "one" and "two" that is on its way while `meanwhile` is called. `wrapper` runs curl.
  ProgramResult upload(const std::string& query, const std::function<void()>& meanwhile,
                       const std::string& wrapper = "") const {
    const std::string go = "/tmp/sbx-go." + std::to_string(getpid());
    CHECK(comes_true([&] { return daemon_.processes("sbx-files").empty(); }));  // of the one before
    ProgramOptions how;
    how.after_start = [&](pid_t) {
      CHECK(comes_true([&] { return !daemon_.processes("sbx-files").empty(); }));
      meanwhile();
      write_file(go, "");
    };
    ProgramResult result =
        run_program({"sh", "-c",
                     "{ printf one; until [ -e " + go + " ]; do sleep 0.02; done; printf two; } | " +
                         wrapper + curl("?path=" + query) + " -T ."},
                    how);
    (void)unlink(go.c_str());
    return result;
  }

 private:
  const Daemon& daemon_;
  std::string id_;
};

}  // namespace sbx::test
