// Files of projects over the API: brought, fetched, changed, refused; whole or not at all.
#include <sys/socket.h>
#include <sys/un.h>

#include "base/unique_fd.h"
#include "integration/daemon_tcp.h"

namespace sbx::test {

namespace {

class ProjectFiles {
 public:
  explicit ProjectFiles(const Daemon& daemon, std::string project = "p")
      : daemon_(daemon), project_(std::move(project)) {}

  [[nodiscard]] std::string path(const std::string& rest = "") const {
    return "/v1/projects/" + project_ + "/files" + rest;
  }
  HttpAnswer ask(const std::string& method, const std::string& rest,
                 std::vector<std::string> options = {}) const {
    return daemon_.ask(method, path(rest), nullptr, std::move(options));
  }
  HttpAnswer get(const std::string& name, std::vector<std::string> options = {}) const {
    return ask("GET", "?path=" + name, std::move(options));
  }
  HttpAnswer put(const std::string& name, const std::string& content,
                 std::vector<std::string> options = {}) const {
    return daemon_.ask("PUT", path("?path=" + name), content, std::move(options));
  }
  HttpAnswer send(const std::string& rest, const std::string& content) const {
    return daemon_.ask("POST", path(rest), content);
  }
  // Each of `files` as curl has its form fields.
  HttpAnswer form(const std::vector<std::string>& files, const std::string& rest = "") const {
    std::vector<std::string> options;
    for (const std::string& file : files) options.insert(options.end(), {"-F", file});
    return ask("POST", rest, options);
  }
  [[nodiscard]] json names(const std::string& folder = "project_files") const {
    json found = json::array();
    const HttpAnswer listed = ask("GET", "/list?path=" + folder);
    INFO(listed.text);
    REQUIRE(listed.status == 200);
    for (const json& file : listed.body["files"])
      found.push_back(file["path"].get<std::string>().substr(folder.size() + 1));
    return found;
  }
  // What a run in the project prints.
  [[nodiscard]] std::string shell(const std::string& script) const {
    return text_of(daemon_.run({{"project_id", project_}, {"shell", script}, {"cwd", "/workspace"}}));
  }
  // A request of that head, with no more of its body than `begun`; then the client is gone.
  void cut(const std::string& head, const std::string& begun) const {
    const UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(daemon_.socket().copy(address.sun_path, sizeof address.sun_path - 1) == daemon_.socket().size());
    REQUIRE(connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    const std::string request = head + "\r\nHost: sbx\r\n\r\n" + begun;
    REQUIRE(write(client.get(), request.data(), request.size()) == static_cast<ssize_t>(request.size()));
    CHECK(comes_true([&] { return !daemon_.processes("sbx-projects").empty(); }));
  }

 private:
  const Daemon& daemon_;
  std::string project_;
};

std::string sha256_of(const std::string& text) {
  ProgramOptions how;
  how.input = text;
  return run_program({"sha256sum"}, how).out.substr(0, 64);
}

std::string header_of(const HttpAnswer& answer, const std::string& name) {
  const std::size_t at = answer.text.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const std::size_t from = at + name.size() + 4;
  return answer.text.substr(from, answer.text.find("\r\n", from) - from);
}

std::string body_of(const HttpAnswer& answer) {
  return answer.text.substr(std::min(answer.text.find("\r\n\r\n"), answer.text.size() - 4) + 4);
}

}  // namespace

TEST_CASE("files of a project are brought, told of, fetched, moved, edited and removed over the API") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const ProjectFiles files(daemon);
  const HttpAnswer made = files.put("outputs/new/data.csv", "a,b\n");
  CHECK_MESSAGE(made.status == 201, made.text);
  const std::string id = made.body["id"];
  CHECK(made.body["path"] == "outputs/new/data.csv");
  CHECK(made.body["original_name"] == "data.csv");
  CHECK(made.body["mime"] == "text/plain");
  CHECK(made.body["sha256"] == sha256_of("a,b\n"));
  CHECK(made.body["by"] == "uid:0");
  CHECK(files.shell("cat outputs/new/data.csv; stat -c %U outputs/new/data.csv") == "a,b\nsandbox\n");

  const HttpAnswer edited = files.put(id, "c\n", {"-H", "If-Match: \"" + sha256_of("a,b\n") + "\""});
  CHECK_MESSAGE(edited.status == 200, edited.text);
  CHECK(edited.body["id"] == id);
  CHECK(files.put(id, "d\n", {"-H", "If-Match: \"" + sha256_of("a,b\n") + "\""}).status == 412);
  CHECK(files.put("outputs/none", "d\n", {"-H", "If-Match: \"" + sha256_of("") + "\""}).status == 412);
  CHECK(files.put("outputs/new/data.csv", "d\n", {"-H", "If-None-Match: *"}).status == 412);
  CHECK(files.put("outputs/new/data.csv", "e\n").status == 200);
  CHECK(files.get(id).text == "e\n");

  const HttpAnswer moved = files.ask("POST", "/move?from=" + id + "&to=outputs/x/y");
  CHECK_MESSAGE(moved.status == 200, moved.text);
  CHECK(moved.body["stored"]["id"] == id);
  CHECK(files.get("outputs/new/data.csv").status == 404);
  CHECK(files.ask("GET", "/stat?path=" + id).body["path"] == "outputs/x/y");
  CHECK(files.ask("POST", "/directory?path=outputs/d").status == 201);
  CHECK(files.names("outputs") == json{"d", "new", "x"});
  CHECK(files.ask("DELETE", "?path=outputs/x").status == 409);
  CHECK(files.ask("DELETE", "?path=outputs/x&recursive").status == 204);
  CHECK(files.ask("DELETE", "?path=" + id).status == 404);

  (void)files.shell("echo made >outputs/made");
  const HttpAnswer stat = files.ask("GET", "/stat?path=outputs/made");
  CHECK(stat.body["stored"] == nullptr);
  CHECK(files.ask("POST", "/check").body["unknown"] == json{"outputs/made"});
  CHECK(files.ask("POST", "/check?adopt").body["adopted"] == json{"outputs/made"});
  CHECK(files.ask("GET", "/stat?path=outputs/made").body["stored"]["by"] == nullptr);
  const HttpAnswer page = files.ask("GET", "/list?path=outputs&limit=2");
  CHECK(page.body["files"].size() == 2);
  const HttpAnswer rest =
      files.ask("GET", "/list?path=outputs&cursor=" + page.body["next_cursor"].get<std::string>());
  CHECK(rest.body["files"][0]["path"] == "outputs/new");
  CHECK(rest.body["next_cursor"] == nullptr);
  const HttpAnswer all = files.ask("GET", "/list?recursive");
  CHECK(all.body["more"] == false);
  CHECK(all.body["files"].size() == 6);
}

TEST_CASE("a form brings many files at once, each under a name of its own") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const ProjectFiles files(daemon);
  const std::string big = place.directory() + "/big";
  write_file(big, std::string(3'000'000, 'x') + "\r\n--" + std::string(200'000, 'y'));
  write_file(place.directory() + "/empty", "");
  const HttpAnswer brought = files.form({"one=@" + big, "two=@" + place.directory() + "/empty",
                                         "three=@-;filename=ü (1) \"x\".txt;type=text/html"});
  CHECK_MESSAGE(brought.status == 201, brought.text);
  REQUIRE(brought.body["files"].size() == 3);
  CHECK(brought.body["files"][0]["size"] == 3'200'004);
  CHECK(brought.body["files"][0]["sha256"] == sha256_of(read_file(big)));
  CHECK(brought.body["files"][1]["mime"] == "inode/x-empty");
  const std::string odd = brought.body["files"][2]["original_name"];
  CHECK(files.names() == json{"big", "empty", odd});
  // The same again is not stored again; another of that name gets a number.
  CHECK(files.form({"one=@" + big}).body["files"][0]["deduplicated"] == true);
  write_file(big, "other");
  CHECK(files.form({"one=@" + big}).body["files"][0]["path"] == "project_files/big (1)");
  CHECK(files.form({"one=@" + big}, "?taken=replace").body["files"][0]["path"] == "project_files/big");
  CHECK(files.form({"one=@" + big}, "?taken=refuse").status == 409);
  CHECK(files.form({"one=@" + big}, "?path=outputs/in").body["files"][0]["path"] == "outputs/in/big");
  CHECK(files.send("?name=raw", "raw").body["path"] == "project_files/raw");

  // One that is refused says so by name; those before it are there, and are told.
  const HttpAnswer refused = files.form({"a=@" + big + ";filename=first", "b=@" + big + ";filename=../second",
                                         "c=@" + big + ";filename=third"});
  CHECK(refused.status == 422);
  CHECK(refused.body["detail"].get<std::string>().find("../second") != std::string::npos);
  REQUIRE(refused.body["files"].size() == 1);
  CHECK(refused.body["files"][0]["path"] == "project_files/first");
  CHECK(files.get("project_files/third").status == 404);
  CHECK(files.form({"folder=outputs"}).status == 400);
}

TEST_CASE("content comes in parts, by its type and hash, and folders as archives") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const ProjectFiles files(daemon);
  const std::string page = "<!DOCTYPE html><html><body>0123456789</body></html>\n";
  CHECK(files.put("outputs/%C3%BC%20%22b%22.html", page).status == 201);
  const HttpAnswer whole = files.get("outputs/%C3%BC%20%22b%22.html", {"-i"});
  CHECK(whole.status == 200);
  CHECK(body_of(whole) == page);
  CHECK(header_of(whole, "Content-Type") == "text/html");
  CHECK(header_of(whole, "X-Content-Type-Options") == "nosniff");
  CHECK(header_of(whole, "Content-Disposition") == "attachment; filename*=UTF-8''%C3%BC%20%22b%22.html");
  CHECK(header_of(whole, "ETag") == "\"" + sha256_of(page) + "\"");
  CHECK(header_of(whole, "Content-Length") == std::to_string(page.size()));
  const auto part = [&](const std::string& range) {
    return files.get("outputs/%C3%BC%20%22b%22.html", {"-i", "-H", "Range: bytes=" + range});
  };
  CHECK(part("2-8").status == 206);
  CHECK(body_of(part("2-8")) == page.substr(2, 7));
  CHECK(header_of(part("-5"), "Content-Range") == "bytes 47-51/52");
  CHECK(part("52-").status == 416);
  CHECK(header_of(part("52-"), "Content-Range") == "bytes */52");
  CHECK(files.get("outputs/%C3%BC%20%22b%22.html", {"-H", "If-None-Match: \"" + sha256_of(page) + "\""})
            .status == 304);
  CHECK(files.ask("HEAD", "?path=outputs/%C3%BC%20%22b%22.html", {"-I"}).status == 200);
  // What a program changed since has no hash that is known.
  (void)files.shell("for f in outputs/*.html; do echo x >>\"$f\"; done");
  CHECK(header_of(files.get("outputs/%C3%BC%20%22b%22.html", {"-i"}), "ETag").empty());

  const std::string tar = place.directory() + "/x.tar";
  for (const std::string format : {"tar", "zip"}) {
    CAPTURE(format);
    const HttpAnswer packed = files.ask("GET", "?path=outputs&archive=" + format, {"-o", tar});
    CHECK(packed.status == 200);
    const HttpAnswer unpacked =
        files.ask("POST", "/extract?name=" + format,
                  {"--data-binary", "@" + tar, "-H", "Content-Type: application/zip"});
    CHECK_MESSAGE(unpacked.status == 201, unpacked.text);
    CHECK(unpacked.body["folder"] == "project_files/" + format);
    CHECK(files.names("project_files/" + format + "/outputs").size() == 1);
  }
  CHECK(files.ask("GET", "?path=outputs&archive=rar").status == 400);
  CHECK(files.ask("GET", "?path=none&archive=tar").status == 404);
  CHECK(files.get("outputs").status == 409);
  CHECK(files.send("/extract?name=bad", "no archive").status == 422);
  CHECK(files.send("/extract", "no archive").status == 400);
  CHECK(files.names() == json{"tar", "zip"});
}

TEST_CASE("what is no good about a file of a project is refused by name, and nothing is made") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const ProjectFiles files(daemon);
  CHECK(files.ask("GET", "/list").status == 404);
  CHECK(files.get("x").status == 404);
  REQUIRE(files.put("outputs/f", "x").status == 201);
  (void)files.shell("cd outputs; ln -s /etc/passwd link; ln -s /etc dir; mkfifo fifo; mkdir d");
  for (const std::string name :
       {"../x", "/etc/x", "a/../../x", "outputs//x", "outputs/.", "outputs/%E2%80%AEx", "outputs/x.",
        "outputs/%0Ax", "outputs/.sbx-upload-x"}) {
    CAPTURE(name);
    const HttpAnswer answer = files.put(name, "x");
    CHECK_MESSAGE((answer.status == 422 || answer.status == 400), answer.text);
  }
  CHECK(files.put("outputs/" + std::string(256, 'n'), "x").status == 422);
  CHECK(files.put("outputs/" + std::string(255, 'n'), "x").status == 201);
  CHECK(files.ask("DELETE", "?path=outputs/" + std::string(255, 'n')).status == 204);
  for (const std::string name : {"outputs/link", "outputs/dir/passwd"}) {
    CAPTURE(name);
    CHECK(files.get(name).status == 409);
    CHECK(files.put(name, "x").status == 409);
  }
  CHECK(files.get("outputs/fifo").status == 422);
  CHECK(files.get("outputs/d").status == 409);
  CHECK(files.put("outputs/d", "x").status == 409);
  CHECK(files.put("top", "x").status == 403);
  CHECK(files.put("outputs/no/x&parents=false", "x").status == 404);
  for (const char* query : {"?path=outputs/f&mode=0600", "?path=outputs/f&x=1", "?path=", "?path=a%00b", ""})
    CHECK(daemon.ask("PUT", files.path(query), "x").status == 400);
  CHECK(daemon.ask("PUT", files.path("?path=outputs/f"), "x", {"-H", "Content-Range: bytes 0-0/9"}).status ==
        400);
  CHECK(daemon.ask("PUT", files.path("?path=outputs/f&policy=none"), "x").status == 422);
  CHECK(daemon.ask("PUT", files.path("?path=outputs/f&policy=../x"), "x").status == 400);
  for (const char* type :
       {"multipart/form-data", "multipart/mixed; boundary=x", "multipart/form-data; boundary=\"\""})
    CHECK(daemon.ask("POST", files.path(), "x", {"-H", std::string("Content-Type: ") + type}).status == 415);
  for (const char* body :
       {"", "x", "--b\r\n\r\nx\r\n--b--",
        "--b\r\nContent-Disposition: form-data; name=x; filename=y\r\n\r\nx", "--b--", "--bx"})
    CHECK(daemon.ask("POST", files.path(), body, {"-H", "Content-Type: multipart/form-data; boundary=b"})
              .status == 400);
  CHECK(files.ask("GET", "/list?cursor=%21").status == 400);
  CHECK(files.ask("POST", "/move?from=outputs/f&to=../x").status == 422);
  CHECK(files.ask("POST", "/move?from=outputs/f&to=outputs/d").status == 409);
  CHECK(files.names("outputs") == json{"d", "dir", "f", "fifo", "link"});
  CHECK(files.get("outputs/f").text == "x");
}

TEST_CASE("the policy says how large a file may be and of which type, and the project how much fits") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const ProjectFiles files(daemon);
  REQUIRE(daemon.post("/v1/projects", {{"project_id", "p"}, {"limits", {{"disk_bytes", 8 << 20}}}}).status ==
          201);
  const std::string program(
      "\x7f"
      "ELF\x02\x01\x01",
      7);
  CHECK(files.put("outputs/elf", program + std::string(100, '\0')).status == 201);
  const HttpAnswer refused = files.put("outputs/elf2&policy=strict", program + std::string(100, '\0'));
  CHECK_MESSAGE(refused.status == 415, refused.text);
  CHECK(files.put("outputs/text&policy=strict", "text").status == 201);
  const HttpAnswer large =
      ProjectFiles(daemon, "q").put("outputs/large&policy=strict", std::string(65 << 20, 'x'));
  CHECK_MESSAGE(large.status == 413, large.text);
  const HttpAnswer full = files.put("outputs/full", std::string(16 << 20, 'x'));
  CHECK_MESSAGE(full.status == 507, full.text);
  CHECK(files.names("outputs") == json{"elf", "text"});
  // Nothing of what did not fit is in the way.
  CHECK(files.put("outputs/fits", std::string(2 << 20, 'x')).status == 201);
}

TEST_CASE("an upload that is cut, and one whose process is killed, leave nothing and no lock") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const ProjectFiles files(daemon);
  REQUIRE(files.put("outputs/f", "old").status == 201);
  files.cut("PUT " + files.path("?path=outputs/f") + " HTTP/1.1\r\nContent-Length: 100", "new");
  files.cut("PUT " + files.path("?path=outputs/g") + " HTTP/1.1\r\nTransfer-Encoding: chunked",
            "3\r\nnew\r\n");
  files.cut("POST " + files.path() +
                " HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 300",
            "--b\r\nContent-Disposition: form-data; name=x; filename=cut\r\n\r\nhalf");
  CHECK(comes_true([&] { return daemon.processes("sbx-projects").empty(); }));
  CHECK(files.get("outputs/f").text == "old");
  CHECK(files.names("outputs") == json{"f"});
  CHECK(files.names() == json::array());

  const std::string told = place.directory() + "/told";
  ProgramOptions how;
  how.after_start = [&](pid_t) {
    // Whichever comes: another one may look after the lists just then.
    CHECK(comes_true([&] {
      for (const pid_t pid : daemon.processes("sbx-projects")) (void)kill(pid, SIGKILL);
      return std::filesystem::exists(told) && std::filesystem::file_size(told) > 0;
    }));
    write_file(told + ".seen", "");
  };
  const ProgramResult killed =
      run_program({"sh", "-c",
                   "{ printf one; until [ -e " + told +
                       ".seen ]; do sleep 0.02; done; } | curl -sS -w '%{http_code}' --unix-socket " +
                       daemon.socket() + " 'http://sbx" + files.path("?path=outputs/f") + "' -T . >" + told},
                  how);
  CHECK_MESSAGE(read_file(told).ends_with("503"), (read_file(told) + killed.err));
  CHECK(files.get("outputs/f").text == "old");
  CHECK(files.names("outputs") == json{"f"});
  const json checked = files.ask("POST", "/check").body;
  CHECK(checked["missing"] == json::array());
  CHECK(daemon.ask("DELETE", "/v1/projects/p").status == 204);
}

TEST_CASE("sbxd compares lists and files when it starts and in a cleanup, and touches no file") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const json none = json::array();
  {
    const Daemon daemon(place);
    const ProjectFiles files(daemon);
    // Not before the look that sbxd has a second after its start: that would find what is to be found here.
    std::this_thread::sleep_for(std::chrono::seconds(2));
    for (const std::string name : {"gone", "other", "same"})
      REQUIRE(files.put("outputs/" + name, name).status == 201);
    (void)files.shell("rm outputs/gone; echo more >outputs/other");
    const json cleaned = daemon.ask("POST", "/v1/cleanup").body;
    CHECK(cleaned["files"] ==
          json{{{"project", "p"}, {"missing", 1}, {"changed", 1}, {"returned", 0}, {"failure", nullptr}}});
    CHECK(daemon.said().find("files of project 'p': missing: outputs/gone\n") != std::string::npos);
    CHECK(daemon.said().find("files of project 'p': changed: outputs/other\n") != std::string::npos);
    CHECK(daemon.ask("POST", "/v1/cleanup").body["files"] == none);
    (void)files.shell("printf gone >outputs/gone");
  }
  const Daemon daemon(place);
  const ProjectFiles files(daemon);
  CHECK(comes_true([&] {
    return daemon.said().find("files of project 'p': returned: outputs/gone\n") != std::string::npos;
  }));
  CHECK(files.names("outputs") == json{"gone", "other", "same"});
  CHECK(files.get("outputs/other").text == "more\n");
  // A list that is broken is told, and the others are looked at.
  write_file(place.state_dir() + "/projects/p/files.sqlite", "no database");
  REQUIRE(daemon.ask("PUT", "/v1/projects/q/files?path=outputs/f", "x").status == 201);
  (void)ProjectFiles(daemon, "q").shell("rm outputs/f");
  const json cleaned = daemon.ask("POST", "/v1/cleanup").body["files"];
  REQUIRE(cleaned.size() == 2);
  CHECK(cleaned[0]["project"] == "p");
  CHECK(cleaned[0]["failure"].is_string());
  CHECK(cleaned[1]["missing"] == 1);
}

TEST_CASE("files of a project are for who may have to do with it, and change beside what lives there") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Host host(place);
  const std::string run = host.token({"runner", "--scope", "run", "--project", "p", "--policy", "default"});
  const std::string read = host.token({"reader", "--scope", "read", "--project", "p"});
  const Daemon daemon(place, {"--config", host.config()});
  const auto ask = [&](const std::string& token, const std::string& method, const std::string& path,
                       const std::string& body = "") {
    ProgramOptions how;
    how.input = body;
    const ProgramResult asked =
        run_program({"curl", "-sS", "-o", place.directory() + "/answer", "-w", "%{http_code}", "-X", method,
                     "--data-binary", "@-", "-H", "Authorization: Bearer " + token, host.plain() + path},
                    how);
    return asked.out;
  };
  CHECK(ask(run, "PUT", "/v1/projects/p/files?path=outputs/f", "x") == "201");
  CHECK(read_file(place.directory() + "/answer").find("\"by\":\"token:runner\"") != std::string::npos);
  CHECK(ask(run, "PUT", "/v1/projects/p/files?path=outputs/g&policy=permissive", "x") == "403");
  CHECK(ask(run, "PUT", "/v1/projects/q/files?path=outputs/f", "x") == "403");
  CHECK(ask(run, "GET", "/v1/projects/q/files/list") == "403");
  CHECK(ask(read, "GET", "/v1/projects/p/files?path=outputs/f") == "200");
  CHECK(read_file(place.directory() + "/answer") == "x");
  CHECK(ask(read, "GET", "/v1/projects/p/files?archive=tar") == "200");
  for (const std::string method : {"PUT", "DELETE"})
    CHECK(ask(read, method, "/v1/projects/p/files?path=outputs/f", "x") == "403");
  for (const std::string what : {"?name=x", "/extract?name=x", "/move?from=outputs/f&to=outputs/g",
                                 "/directory?path=outputs/d", "/check"})
    CHECK(ask(read, "POST", "/v1/projects/p/files" + what, "x") == "403");

  const ProjectFiles files(daemon);
  const std::string sandbox = daemon.create({{"project_id", "p"}});
  CHECK(files.put("project_files/seen", "now").status == 201);
  CHECK(text_of(daemon.exec(sandbox, "cat /workspace/project_files/seen")) == "now");
  CHECK(files.ask("DELETE", "?path=project_files/seen").status == 204);
  CHECK(daemon.exec(sandbox, "cat /workspace/project_files/seen")["exit_code"] == 1);
}

}  // namespace sbx::test
