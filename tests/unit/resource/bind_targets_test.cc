#include "resource/bind_targets.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include "../policy/policy_fixture.h"

namespace sbx {
namespace {

using testing::TempDirectory;

struct Case {
  TempDirectory directory;
  RunRequest request;
  PlanFacts facts;

  Case() {
    request.image = "some";
    facts.image_root = directory.path() + "/image";
    (void)directory.write("image/usr/bin/true", "");
    (void)directory.write("image/etc/passwd", "");
    (void)directory.write("shown/sub/file", "");
    link("usr/bin", "image/bin");
    link("/usr", "image/etc/away");
    link("sub", "shown/link");
  }
  void link(const char* target, const char* name) const {
    REQUIRE(symlink(target, (directory.path() + "/" + name).c_str()) == 0);
  }
  [[nodiscard]] std::string shown() const { return directory.path() + "/shown"; }
  void bind(const std::string& inside, BindFlag flag = BindFlag::bind, bool is_file = false) {
    request.binds.push_back({shown(), inside, BindMode::read_only, flag});
    facts.bind_is_file.push_back(is_file);
  }
  // Of one more bind at `inside`; empty: none.
  [[nodiscard]] std::string error_at(const std::string& inside, bool is_file = false) const {
    RunRequest asked = request;
    PlanFacts known = facts;
    asked.binds.push_back({shown(), inside, BindMode::read_only, BindFlag::volume});
    known.bind_is_file.push_back(is_file);
    BindSources sources;
    UniqueFd opened(open(shown().c_str(), O_PATH | O_CLOEXEC));
    sources.opened.push_back({shown(), std::move(opened), 0, 0});
    const Result<void> checked = check_bind_targets(asked, known, sources, {});
    return checked ? "" : checked.error().text;
  }
};

}  // namespace

TEST_CASE("a bind below a link of the image is refused by flag, place, link and where that leads") {
  const Case c;
  CHECK(c.error_at("/bin/foo") ==
        "--volume: '/bin/foo' lies below '/bin', which is a link in image 'some'; name the place it leads to "
        "('usr/bin')");
  CHECK(c.error_at("/bin/foo/bar").find("below '/bin', which is a link") != std::string::npos);
  CHECK(c.error_at("/etc/away/x").find("below '/etc/away', which is a link") != std::string::npos);
  CHECK(c.error_at("/etc/passwd/x") ==
        "--volume: '/etc/passwd/x' lies below '/etc/passwd', which is not a directory in image 'some'");
}

TEST_CASE("a bind over a link, below a directory and at a new place is not refused") {
  const Case c;
  for (const char* inside : {"/bin", "/etc/away", "/usr/bin", "/usr/bin/foo", "/usr/new/deep/foo", "/new",
                             "/etc/passwd", "/tmp/x", "/workspace/agent_workspace/x"}) {
    CHECK_MESSAGE(c.error_at(inside).empty(), inside);
  }
}

TEST_CASE("the image 'host' has the links of this host") {
  Case c;
  c.request.image = "host";
  c.facts.image_root = "/nonexistent";
  c.facts.host_usr = "/usr";
  CHECK(c.error_at("/lib/foo").find("'/lib', which is a link in image 'host'") != std::string::npos);
  CHECK(c.error_at("/lib").empty());
  CHECK(c.error_at("/usr/new/foo").empty());
  CHECK(c.error_at("/etc/new/foo").empty());
}

TEST_CASE("of an image that cannot be seen nothing is said") {
  Case c;
  c.facts.image_root = "image some";
  CHECK(c.error_at("/bin/foo").empty());
}

TEST_CASE("a bind in another one, in --here or in a project needs its place there") {
  Case c;
  c.bind("/data");
  CHECK(c.error_at("/data/sub").empty());
  CHECK(c.error_at("/data/sub/file", true).empty());
  CHECK(c.error_at("/data/none") ==
        "--volume: '/data/none' lies in '" + c.shown() + "', where 'none' is missing; make it there first");
  CHECK(c.error_at("/data/link") ==
        "--volume: '/data/link' lies in '" + c.shown() + "', where 'link' is a link");
  CHECK(c.error_at("/data/sub/file").find("where it is a file") != std::string::npos);
  CHECK(c.error_at("/data/sub", true).find("where it is a directory") != std::string::npos);

  c.request.here = BindRequest{c.shown(), "/workspace/project_files", BindMode::read_only, BindFlag::here};
  CHECK(c.error_at("/workspace/project_files/sub").empty());
  CHECK(c.error_at("/workspace/project_files/none").find("'none' is missing") != std::string::npos);
  CHECK(c.error_at("/workspace/outputs/none").empty());

  c.facts.workspace_dir = "/state/p";
  CHECK(c.error_at("/workspace/none").empty());  // in a file system that is not mounted
  c.facts.workspace_view = c.shown();
  CHECK(c.error_at("/workspace/sub").empty());
  CHECK(c.error_at("/workspace/none").find("'none' is missing") != std::string::npos);
  c.facts.project = ProjectState::missing;
  CHECK(c.error_at("/workspace/none").empty());
}

TEST_CASE("a bind over a link makes room for one below it") {
  Case c;
  c.bind("/bin");
  CHECK(c.error_at("/bin/sub").empty());
}

}  // namespace sbx
