// Files of a living sandbox through sbxd's API: each operation, in each place.
#include "integration/daemon_files.h"

namespace sbx::test {

TEST_SUITE_BEGIN("v2");

TEST_CASE("a file is written, told of, read, moved and removed where the sandbox has it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const Files files(daemon, json::object());
  for (const std::string directory : {"", "/workspace/outputs/", "/home/sandbox/", "/tmp/", "/dev/shm/"}) {
    CAPTURE(directory);
    const std::string name = directory + "new.txt";
    const HttpAnswer written = files.put(name, "first\n");
    CHECK(written.status == 201);
    CHECK(written.body["path"] == name);
    CHECK(written.body["type"] == "file");
    CHECK(written.body["size"] == 6);
    CHECK(written.body["mode"] == "0644");
    CHECK(written.body["uid"] == 1000);
    CHECK(files.shell("cat " + name + "; stat -c %U:%a " + name) == "first\nsandbox:644\n");
    CHECK(files.get(name).text == "first\n");
    (void)files.shell("printf second >>" + name);
    CHECK(files.get(name).text == "first\nsecond");
    CHECK(files.put(name + "&mode=0600", "third").status == 200);
    CHECK(files.put(name, "fourth").status == 200);  // with the mode that it has
    CHECK(files.shell("stat -c %a " + name + "; cat " + name) == "600\nfourth");
    CHECK(files.stat(name)["mode"] == "0600");
    const HttpAnswer moved =
        files.ask("POST", "/move?from=" + name + "&to=" + directory + "a/b/x&parents=true");
    CHECK(moved.status == 200);
    CHECK(moved.body["path"] == directory + "a/b/x");
    CHECK(files.get(name).status == 404);
    CHECK(files.shell("cat " + directory + "a/b/x") == "fourth");
    CHECK(files.ask("DELETE", "?path=" + directory + "a/b/x").status == 204);
    CHECK(files.ask("DELETE", "?path=" + directory + "a/b/x").status == 404);
    CHECK(files.ask("DELETE", "?path=" + directory + "a").status == 409);
    CHECK(files.ask("DELETE", "?path=" + directory + "a&recursive").status == 204);
    CHECK(files.shell("ls -A ./" + directory + " | grep -v pipe || true").find("a\n") == std::string::npos);
  }
  // None of it was a run.
  CHECK(daemon.get("/v1/sandboxes/" + files.id()).body["state"] == "ready");
  for (const json& line : place.log_lines()) CHECK(line["command"][0] == "/bin/sh");
}

TEST_CASE("a file is written only where it is what it was, or where there is none") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const Files files(daemon, json::object());
  const auto put = [&](const std::string& name, const std::string& content, const std::string& condition) {
    return daemon.ask("PUT", files.path("?path=" + name), content, {"-H", condition});
  };
  const std::string fresh = "If-None-Match: *";
  for (const std::string directory : {"", "/tmp/", "/dev/shm/"}) {
    CAPTURE(directory);
    const std::string name = directory + "file";
    const HttpAnswer made = put(name, "one", fresh);
    CHECK(made.status == 201);
    // printf one | sha256sum
    const std::string one = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
    CHECK(made.body["sha256"] == one);
    CHECK(put(name, "other", fresh).status == 412);
    CHECK(files.stat(name + "&hash=true")["sha256"] == one);
    CHECK_FALSE(files.stat(name).contains("sha256"));
    CHECK(put(name, "two", "If-Match: \"" + one + "\"").status == 200);
    const HttpAnswer late = put(name, "three", "If-Match: \"" + one + "\"");
    CHECK(late.status == 412);
    CHECK(late.text.find("has another content by now") != std::string::npos);
    CHECK(files.get(name).text == "two");
    CHECK(put(directory + "none", "x", "If-Match: \"" + one + "\"").status == 412);
    CHECK(files.get(directory + "none").status == 404);
    CHECK(put(name, "x", "If-Match: two").status == 400);
    CHECK(files.names(directory.empty() ? "." : directory).size() == 1);
  }
  // Of what is no file there is no hash.
  CHECK_FALSE(files.stat("/tmp&hash=true").contains("sha256"));
}

TEST_CASE("directories are made and listed, page by page") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const Files files(daemon, json::object());
  CHECK(files.ask("POST", "/directory?path=a/b/c").status == 404);
  CHECK(files.ask("POST", "/directory?path=a/b/c&parents=true").status == 201);
  CHECK(files.ask("POST", "/directory?path=a/b/c&parents=true").status == 200);
  CHECK(files.ask("POST", "/directory?path=a/b/c").status == 409);
  (void)files.shell(
      "cd a; touch file; ln -s ../nowhere link; mkfifo pipe; chmod 751 file; touch -d @86400.5 file; "
      "seq 2500 | sed 's|^|b/f|' | xargs touch");
  const json entries = files.ask("GET", "/list?path=a").body["entries"];
  REQUIRE(entries.size() == 4);
  CHECK(entries[0]["type"] == "directory");
  CHECK(entries[1] == json{{"name", "file"},
                           {"type", "file"},
                           {"size", 0},
                           {"mode", "0751"},
                           {"uid", 1000},
                           {"gid", 1000},
                           {"modified_at", "1970-01-02T00:00:00.500Z"}});
  CHECK(entries[2]["type"] == "link");
  CHECK(entries[2]["target"] == "../nowhere");
  CHECK(entries[3]["type"] == "fifo");
  CHECK(files.stat("a/link")["type"] == "link");
  CHECK(files.ask("GET", "/stat?path=a/link&follow=true").status == 404);
  CHECK(files.ask("GET", "/list?path=a/file").status == 409);
  CHECK(files.ask("GET", "/list?path=a/nothing").status == 404);

  std::vector<std::string> all;
  std::string cursor;
  for (int page = 0; page < 4; ++page) {
    const json list = files.ask("GET", "/list?path=a/b&limit=834" + cursor).body;
    for (const json& entry : list["entries"]) all.push_back(entry["name"]);
    if (list["next_cursor"].is_null()) break;
    cursor = "&cursor=" + list["next_cursor"].get<std::string>();
  }
  CHECK(all.size() == 2501);
  CHECK(std::ranges::is_sorted(all));
  CHECK(std::ranges::adjacent_find(all) == all.end());
  CHECK(files.ask("GET", "/list?path=a/b&limit=2501").body["next_cursor"].is_null());
}

TEST_CASE("big files go both ways, and a part of one") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const Files files(daemon, json::object());
  const std::string from = place.directory() + "/big";
  const std::string to = place.directory() + "/back";
  REQUIRE(run_program({"sh", "-c", "head -c 67108864 /dev/urandom >" + from}).exit_status == 0);
  const HttpAnswer written = files.ask("PUT", "?path=big", {"-T", from});
  CHECK(written.status == 201);
  CHECK(written.body["size"] == 67108864);
  const std::string sum = run_program({"sh", "-c", "sha256sum <" + from}).out;
  CHECK(files.shell("sha256sum <big") == sum);
  CHECK(files.ask("GET", "?path=big", {"-o", to}).status == 200);
  CHECK(run_program({"sh", "-c", "sha256sum <" + to}).out == sum);

  const auto part = [&](const std::string& range) {
    return run_program({"sh", "-c", files.curl("?path=big") + " -r " + range + " -o " + to + " -D -"}).out;
  };
  const auto same = [&](const std::string& bytes) {
    return run_program({"sh", "-c", bytes + " <" + from + " | cmp -n $(stat -c %s " + to + ") - " + to})
               .exit_status == 0;
  };
  std::string head = part("100000-299999");
  CHECK(head.find("Content-Range: bytes 100000-299999/67108864\r\n") != std::string::npos);
  CHECK(head.find("Content-Length: 200000\r\n") != std::string::npos);
  CHECK(head.ends_with("206"));
  CHECK(same("tail -c +100001"));
  CHECK(part("-70000").ends_with("206"));
  CHECK(same("tail -c 70000"));
  CHECK(part("67108863-").ends_with("206"));
  CHECK(same("tail -c 1"));
  head = part("67108864-");
  CHECK(head.find("Content-Range: bytes */67108864\r\n") != std::string::npos);
  CHECK(head.ends_with("416"));
  head = run_program({"sh", "-c", files.curl("?path=big") + " -I"}).out;
  CHECK(head.find("Content-Length: 67108864\r\n") != std::string::npos);
  CHECK(head.ends_with("200"));
  // A file whose length nobody knows before it was read.
  CHECK(files.get("/proc/self/comm").text == "sbx-files\n");
  CHECK(files.put("empty", "").status == 201);
  const HttpAnswer empty = files.get("empty");
  CHECK(empty.status == 200);
  CHECK(empty.text.empty());
}

TEST_CASE("names lead where they lead in the sandbox") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const Files files(daemon, json::object());
  const std::string secret = place.directory() + "/secret";
  write_file(secret, "the host's");
  (void)files.shell(
      "mkdir d; ln -s " + secret + " out; ln -s ../../../../../../../.." + secret +
      " up; ln -s /tmp/target in; ln -s d there; ln -s loop loop; ln -s /workspace/outputs d/keep; "
      "echo mine >/workspace/outputs/mine");
  CHECK(files.get("out").status == 404);
  CHECK(files.get("up").status == 404);
  CHECK(files.get("../../../.." + secret).status == 404);
  CHECK(files.put("out", "x").status == 404);
  CHECK(read_file(secret) == "the host's");
  CHECK(files.get("/etc/passwd").text == files.shell("cat /etc/passwd"));
  // A link is written through, and removed itself.
  CHECK(files.put("in", "through").status == 201);
  CHECK(files.shell("cat /tmp/target; readlink in") == "through/tmp/target\n");
  CHECK(files.put("there/x", "x").status == 201);
  CHECK(files.shell("cat d/x") == "x");
  CHECK(files.put("loop", "x").status == 409);
  CHECK(files.get("loop").status == 409);
  CHECK(files.ask("DELETE", "?path=in").status == 204);
  CHECK(files.get("/tmp/target").text == "through");
  CHECK(files.ask("DELETE", "?path=there&recursive=true").status == 204);
  CHECK(files.names("d") == std::vector<std::string>{"keep", "x"});
  CHECK(files.ask("DELETE", "?path=d&recursive=true").status == 204);
  CHECK(files.get("/workspace/outputs/mine").text == "mine\n");
}

TEST_CASE("a name of any bytes can be used, and is told") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const Files files(daemon, json::object());
  (void)files.shell(
      "mkdir /tmp/d; cd /tmp/d; printf raw >\"$(printf '\\377x')\"; printf line >\"$(printf 'a\\nb')\"; "
      "ln -s \"$(printf '\\376')\" l");
  const json entries = files.ask("GET", "/list?path=/tmp/d").body["entries"];
  REQUIRE(entries.size() == 3);
  CHECK(entries[0]["name"] == "a\nb");
  CHECK(entries[1]["target_base64"] == "/g==");
  CHECK(entries[2]["name_base64"] == "/3g=");
  CHECK_FALSE(entries[2].contains("name"));
  const std::string name = "L3RtcC9kL/94";  // "/tmp/d/\xffx"
  for (const std::string encoded : {"L3RtcC9kL%2F94", "L3RtcC9kL_94"}) {
    CHECK(files.ask("GET", "?path_base64=" + encoded).text == "raw");
  }
  const json stat = files.ask("GET", "/stat?path_base64=L3RtcC9kL_94").body;
  CHECK(stat["path_base64"] == name);
  CHECK(files.ask("POST", "/move?from_base64=L3RtcC9kL_94&to=/tmp/d/plain").status == 200);
  CHECK(files.get("/tmp/d/plain").text == "raw");
  CHECK(files.ask("GET", "?path_base64=L3RtcC9kL2EKYg").text == "line");
  // And the page behind such a name.
  const json list = files.ask("GET", "/list?path=/tmp/d&limit=1").body;
  CHECK(files.ask("GET", "/list?path=/tmp/d&limit=1&cursor=" + list["next_cursor"].get<std::string>())
            .body["entries"][0]["name"] == "l");
  for (const char* bad : {"?path_base64=%25", "?path_base64=AGE", "?path_base64="}) {
    CAPTURE(std::string(bad));
    CHECK(files.ask("GET", bad).status == 400);
  }
}

TEST_CASE("what cannot be done says why, and what is wrong with a request") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const Files files(daemon, json::object());
  (void)files.shell(
      "mkdir d e; echo x >d/x; echo locked >locked; chmod 0 locked; echo fixed >fixed; chmod 444 fixed; "
      "mkfifo pipe; "
      "mkdir closed; echo x >closed/x; chmod 555 closed; echo y >y");
  struct Case {
    const char* method;
    const char* rest;
    int status;
    const char* says;
  };
  for (const Case& one : {Case{"GET", "?path=d", 409, "EISDIR"},
                          Case{"GET", "?path=y/z", 409, "ENOTDIR"},
                          Case{"GET", "?path=locked", 403, "EACCES"},
                          Case{"GET", "?path=pipe", 409, "is a fifo"},
                          Case{"GET", "?path=/dev/zero", 409, "is a device"},
                          Case{"GET", "?path=nothing", 404, "ENOENT"},
                          Case{"PUT", "?path=fixed", 403, "EACCES"},
                          Case{"PUT", "?path=d", 409, "EISDIR"},
                          Case{"PUT", "?path=z/", 409, "EISDIR"},
                          Case{"PUT", "?path=pipe", 409, "is a fifo"},
                          Case{"PUT", "?path=/dev/null", 409, "is a device"},
                          Case{"PUT", "?path=/usr/x", 403, "EROFS"},
                          Case{"PUT", "?path=/usr/bin/env", 403, "EROFS"},
                          Case{"PUT", "?path=closed/y", 403, "EACCES"},
                          Case{"PUT", "?path=no/such/x", 404, "ENOENT"},
                          Case{"PUT", "?path=y/z&parents=true", 409, "ENOTDIR"},
                          Case{"PUT", "?path=/proc/self/comm", 403, ""},
                          Case{"DELETE", "?path=closed/x", 403, "EACCES"},
                          Case{"DELETE", "?path=d", 409, "recursive=true"},
                          Case{"DELETE", "?path=/usr/bin", 403, "EROFS"},
                          Case{"POST", "/move?from=y&to=d/x", 409, "replace=true"},
                          Case{"POST", "/move?from=y&to=/tmp/y", 409, "another mount"},
                          Case{"POST", "/move?from=nothing&to=z", 404, "ENOENT"},
                          Case{"GET", "?path=", 400, "path"},
                          Case{"GET", "", 400, "path"},
                          Case{"GET", "?path=y&mode=1", 400, "'mode'"},
                          Case{"GET", "?path=y&path=z", 400, "twice"},
                          Case{"GET", "?path=y&path_base64=eQ", 400, "twice"},
                          Case{"PUT", "?path=y&mode=04755", 400, "0777"},
                          Case{"PUT", "?path=y&mode=rw", 400, "octal"},
                          Case{"DELETE", "?path=y&recursive=perhaps", 400, "'perhaps'"},
                          Case{"GET", "/list?path=d&limit=10001", 400, "10000"},
                          Case{"GET", "/list?path=d&cursor=Li4", 400, "cursor"},
                          Case{"POST", "/move?from=y", 400, "to:"},
                          Case{"PATCH", "?path=y", 405, "GET, PUT, DELETE"}}) {
    CAPTURE(std::string(one.method) + " " + one.rest);
    const HttpAnswer answer = std::string(one.method) == "PUT"
                                  ? files.put(std::string(one.rest).substr(6), "content")
                                  : files.ask(one.method, one.rest);
    CHECK(answer.status == one.status);
    CHECK(answer.text.find(one.says) != std::string::npos);
  }
  CHECK(files.shell("cat fixed y d/x; ls -A") == "fixed\ny\nx\nclosed\nd\ne\nfixed\nlocked\npipe\ny\n");
  CHECK(files.ask("POST", "/move?from=y&to=d/x&replace=true").status == 200);
  CHECK(files.get("d/x").text == "y\n");
  CHECK(daemon.get("/v1/sandboxes/no-such/files?path=x").status == 404);
}

TEST_CASE("a project keeps what was written to its workspace, an ephemeral sandbox does not") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const json kept{{"project_id", "p"}, {"policy", "permissive"}, {"limits", {{"disk_bytes", 64U << 20U}}}};
  json thrown = kept;
  thrown["workspace_mode"] = "ephemeral";
  const auto destroy = [&](const Files& files) {
    CHECK(daemon.ask("DELETE", "/v1/sandboxes/" + files.id()).status == 200);
  };
  {
    const Files files(daemon, kept);
    CHECK(files.put("/workspace/agent_workspace/given&mode=0640", "given").status == 201);
    CHECK(files.put("/home/sandbox/x", "x").status == 201);
    destroy(files);
  }
  {
    const Files files(daemon, thrown);
    CHECK(files.get("/workspace/agent_workspace/given").text == "given");
    CHECK(files.put("/workspace/agent_workspace/given", "changed").status == 200);
    CHECK(files.put("/workspace/agent_workspace/more", "more").status == 201);
    CHECK(files.shell("cat /workspace/agent_workspace/*") == "changedmore");
    destroy(files);
  }
  const Files files(daemon, kept);
  CHECK(files.get("/workspace/agent_workspace/given").text == "given");
  CHECK(files.stat("/workspace/agent_workspace/given")["mode"] == "0640");
  CHECK(files.names("/workspace/agent_workspace") == std::vector<std::string>{"given"});
  CHECK(files.names("/home/sandbox").empty());
}

TEST_SUITE_END();

}  // namespace sbx::test
