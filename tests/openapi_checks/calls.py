"""Every operation of the document, asked of a real sbxd with real sandboxes: what it does, and what it refuses."""

import base64
import http.client
import io
import random
import tarfile
import threading
import time

from .caller import SBXRUN, WEBSOCKET, Caller, Connection

def wait_until(condition) -> None:
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.05)
    raise RuntimeError("it does not come true")


def status_of(sbx: Caller, run: str) -> str:
    return sbx.ask("GET", f"/v1/runs/{run}").json["status"]


def ask_host(sbx: Caller) -> None:
    for path in ("health/live", "health/ready", "version", "metrics", "stats", "pool", "images", "languages", "capabilities"):
        sbx.expect(200, "GET", f"/v1/{path}")
        sbx.expect(200, "HEAD", f"/v1/{path}")
    sbx.expect(200, "GET", "/v1/capabilities", query={"policy": "strict"}, headers={"X-Request-Id": "mine"})
    sbx.expect(400, "GET", "/v1/capabilities", query={"policy": "../x"}, wrong=True)
    sbx.expect(200, "POST", "/v1/cleanup")
    for image in sbx.ask("GET", "/v1/images").json["images"]:
        sbx.expect(200, "GET", f"/v1/images/{image['name']}")
    sbx.expect(404, "GET", "/v1/images/nothing")
    sbx.expect(404, "GET", "/v1/runs/nothing", headers={"Accept": "text/plain"})


def try_examples(sbx: Caller, operation: str, path: str, has_python: bool) -> None:
    request = next(one for one in sbx.document.operations if one.id == operation).body["content"]["application/json"]
    for name, example in request["examples"].items():
        body = example["value"]
        if not has_python and "language" in body:
            continue
        answer = sbx.ask("POST", path, body, query={"wait": ""} if operation != "createSandbox" else {})
        ended = answer.status == 200 and answer.json["outcome"] == "exited" and answer.json["exit_code"] == 0
        if not (ended or (operation == "createSandbox" and answer.status == 201)):
            sbx.document.fault(f"the example {name} of {operation}: {answer}")
        if operation == "createSandbox":
            sbx.expect(200, "DELETE", f"/v1/sandboxes/{answer.json['id']}")


def ask_runs(sbx: Caller, has_python: bool) -> None:
    try_examples(sbx, "createRun", "/v1/runs", has_python)
    begun = sbx.expect(202, "POST", "/v1/runs", {"shell": "echo one; echo two >&2; printf '\\377'; sleep 1; exit 3", "labels": {"a": "b"},
                                                 "project_id": "openapi", "task_id": "t"}, headers={"Idempotency-Key": "k1", "X-Request-Id": "x"})
    run = begun.json["run_id"]
    of_run = f"/v1/runs/{run}"
    sbx.expect(200, "GET", of_run)
    for _ in range(2):  # live, and told again
        sbx.expect(200, "GET", f"{of_run}/events")
        sbx.expect(101, "GET", f"{of_run}/events", headers=WEBSOCKET)
    sbx.expect(200, "GET", of_run, query={"wait": "true", "output": "false"})
    sbx.expect(200, "GET", f"{of_run}/events", query={"after": "4.0.1"})
    sbx.expect(200, "GET", f"{of_run}/events", query={"after": "4.0"})
    sbx.expect(200, "GET", f"{of_run}/events", headers={"Last-Event-ID": "0.4"})
    sbx.expect(400, "GET", f"{of_run}/events", query={"after": "x"}, wrong=True)
    sbx.expect(426, "GET", f"{of_run}/events", headers={**WEBSOCKET, "Sec-WebSocket-Version": "8"})
    for stream in ("stdout", "stderr"):
        sbx.expect(200, "GET", f"{of_run}/output", query={"stream": stream})
    sbx.expect(400, "GET", f"{of_run}/output", query={"stream": "stdin"}, wrong=True)
    sbx.expect(409, "DELETE", of_run)
    again = {"shell": "echo one; echo two >&2; printf '\\377'; sleep 1; exit 3", "labels": {"a": "b"}, "project_id": "openapi", "task_id": "t"}
    sbx.expect(202, "POST", "/v1/runs", again, headers={"Idempotency-Key": "k1"})
    sbx.expect(200, "POST", "/v1/runs", again, headers={"Idempotency-Key": "k1"}, query={"wait": "1"})
    sbx.expect(422, "POST", "/v1/runs", {"shell": "true"}, headers={"Idempotency-Key": "k1"})
    sbx.expect(400, "POST", "/v1/runs", {"shell": "true"}, headers={"Idempotency-Key": "k" * 256}, wrong=True)
    sbx.expect(400, "POST", "/v1/runs", {"shell": "true"}, query={"wait": "maybe"}, wrong=True)
    for body in (b"", b"[]", b"{", b'{"shell": "a", "shell": "b"}'):
        sbx.expect(400, "POST", "/v1/runs", body, wrong=True)
    sbx.expect(413, "POST", "/v1/runs", b" " * (8 << 20) + b"{}", wrong=True)
    # More than a result holds; what the policy refuses; what is not there; out of time.
    sbx.expect(200, "POST", "/v1/runs", {"shell": "head -c 9000000 /dev/zero", "limits": {"output_bytes": 20000000}}, query={"wait": ""})
    for body in ({"command": ["true"], "limits": {"memory_bytes": 10**12}}, {"command": ["/nothing"]}, {"shell": "true", "image": "nothing"},
                 {"shell": "sleep 9", "timeout_ms": 100}, {"shell": "kill -9 $$"}, {"command": ["echo", "a" * 5000] + ["x"] * 100}):
        sbx.expect(200, "POST", "/v1/runs", body, query={"wait": ""})
    slow = sbx.expect(202, "POST", "/v1/runs", {"shell": "trap '' TERM; echo here; while :; do sleep 0.1; done"}).json["run_id"]
    wait_until(lambda: sbx.ask("GET", f"/v1/runs/{slow}").json["status"] == "running" and sbx.ask("GET", f"/v1/runs/{slow}/output").body == b"here\n")
    for _ in range(2):
        sbx.expect(202, "DELETE", f"/v1/runs/{slow}")
    sbx.expect(200, "GET", f"/v1/runs/{slow}", query={"wait": ""})
    for name in ("", "/output", "/events"):
        sbx.expect(404, "GET", f"/v1/runs/nothing{name}")
    sbx.expect(404, "DELETE", "/v1/runs/nothing")


def ask_programs(sbx: Caller) -> None:
    """Signals to them, and their terminals."""
    run = sbx.expect(202, "POST", "/v1/runs", {"shell": "trap 'echo got; exit 4' USR1; echo here; while :; do sleep 0.1; done"}).json["run_id"]
    wait_until(lambda: sbx.ask("GET", f"/v1/runs/{run}/output").body == b"here\n")
    sbx.expect(409, "GET", f"/v1/runs/{run}/terminal", headers=WEBSOCKET)
    sbx.expect(202, "POST", f"/v1/runs/{run}/signal", {"signal": "SIGUSR1"})
    if sbx.expect(200, "GET", f"/v1/runs/{run}", query={"wait": ""}).json["exit_code"] != 4:
        sbx.document.fault("the signal did not come")
    sbx.expect(409, "POST", f"/v1/runs/{run}/signal", {"signal": 10})
    sbx.expect(400, "POST", f"/v1/runs/{run}/signal", {"signal": "SEGV"}, wrong=True)
    sbx.expect(404, "POST", "/v1/runs/nothing/signal", {"signal": "TERM"})
    run = sbx.expect(202, "POST", "/v1/runs", {"shell": "read line; stty size; echo it is $line; exit 5", "tty": True, "rows": 10, "cols": 20}).json["run_id"]
    terminal = f"/v1/runs/{run}/terminal"
    sbx.expect(426, "GET", terminal)
    sbx.expect(426, "GET", terminal, headers={**WEBSOCKET, "Sec-WebSocket-Version": "8"})
    messages = [{"type": "resize", "rows": 50, "cols": 132}, {"type": "signal", "signal": "CONT"}]
    for message in messages:
        for error in sbx.document.errors(sbx.document.at("#/components/schemas/TerminalMessage"), message):
            sbx.document.fault(f"no message to a terminal: {message}: {error}")
    shown = sbx.expect(101, "GET", terminal, headers=WEBSOCKET, says=[*messages, b"hello\n"]).body
    if b"50 132" not in shown or b"it is hello" not in shown:
        sbx.document.fault(f"the terminal shows {shown!r}")
    sbx.expect(409, "GET", terminal, headers=WEBSOCKET)
    sbx.expect(404, "GET", "/v1/runs/nothing/terminal", headers=WEBSOCKET)
    if sbx.expect(200, "GET", f"/v1/runs/{run}", query={"wait": ""}).json["exit_code"] != 5:
        sbx.document.fault("the program at the terminal did not end as it says")


def ask_configurations(sbx: Caller) -> None:
    place = "/v1/projects/kept/configurations"
    small = {"env": {"A": "1"}, "limits": {"memory_bytes": 100000000}}
    sbx.expect(201, "PUT", f"{place}/small", small)
    sbx.expect(200, "PUT", f"{place}/small", small)
    sbx.expect(400, "PUT", f"{place}/small", {"task_id": "t"}, wrong=True)
    sbx.expect(413, "PUT", f"{place}/small", {"env": {"A": "x" * 70000}})
    if sbx.expect(200, "GET", f"{place}/small").json["configuration"] != small:
        sbx.document.fault("a configuration is not what was stored")
    asked = {"project_id": "kept", "task_id": "k", "configuration": "small", "labels": {"kept": "yes"}}
    if sbx.expect(201, "POST", "/v1/sandboxes", asked).json["configuration"] != "small":
        sbx.document.fault("a sandbox does not name its configuration")
    sbx.expect(422, "POST", "/v1/sandboxes", {"project_id": "kept", "configuration": "nothing"})
    for query in ([], [("zz", "1")], [("state", "x")], [("task_id", "a"), ("task_id", "b")], [("label", "a")] * 9):
        sbx.expect(400, "DELETE", "/v1/sandboxes", query=query, wrong=True)
    for query in ([("state", "x")], [("label", "a")] * 9):
        sbx.expect(400, "GET", "/v1/sandboxes", query=query, wrong=True)
    fits = [("project_id", "kept"), ("task_id", "k"), ("state", "ready"), ("label", "kept"), ("label", "kept=yes")]
    if len(sbx.expect(200, "GET", "/v1/sandboxes", query=fits).json["sandboxes"]) != 1:
        sbx.document.fault("the list has not what fits")
    if len(sbx.expect(200, "DELETE", "/v1/sandboxes", query=fits).json["destroyed"]) != 1:
        sbx.document.fault("what fits was not destroyed")
    for number in range(99):
        sbx.expect(201, "PUT", f"{place}/c{number}", {})
    sbx.expect(409, "PUT", f"{place}/more", {})
    if len(sbx.expect(200, "GET", place).json["configurations"]) != 100:
        sbx.document.fault("a project has not the configurations that were stored")
    sbx.expect(204, "DELETE", f"{place}/small")
    for method in ("GET", "DELETE"):
        sbx.expect(404, method, f"{place}/small")


def ask_projects(sbx: Caller) -> None:
    project, other = "/v1/projects/asked", "/v1/projects/other"
    small = {"project_id": "asked", "limits": {"disk_bytes": 16 << 20}}
    sbx.expect(201, "POST", "/v1/projects", small)
    sbx.expect(409, "POST", "/v1/projects", small)
    sbx.expect(400, "POST", "/v1/projects", {"project_id": "../x"}, wrong=True)
    sbx.expect(422, "POST", "/v1/projects", {"project_id": "more", "policy": "nothing"})
    sbx.expect(507, "POST", "/v1/projects", {"project_id": "more", "limits": {"disk_bytes": 1 << 59}})
    sbx.expect(400, "GET", "/v1/projects", query={"limit": "0"}, wrong=True)
    if len(sbx.expect(200, "GET", "/v1/projects", query={"limit": "1", "cursor": "a"}).json["projects"]) != 1:
        sbx.document.fault("a page has not the project that there is")
    sbx.expect(200, "PATCH", project, {"limits": {"disk_bytes": 32 << 20}})
    sbx.expect(400, "PATCH", project, {"limits": {}}, wrong=True)
    sbx.expect(422, "PATCH", project, {"limits": {"inodes": 1}})
    run = {"project_id": "asked", "shell": "echo >f", "workspace_mode": "transaction"}
    first, second, third = (sbx.expect(200, "POST", "/v1/runs", {**run, "shell": f"echo {text} >f"}, query={"wait": ""}).json["transaction"] for text in "abc")
    if len(sbx.expect(200, "GET", f"{project}/transactions").json["transactions"]) != 3:
        sbx.document.fault("the list of transactions has not those that there are")
    for query in ({}, {"format": "json"}, {"format": "patch"}):
        sbx.expect(200, "GET", f"{project}/transactions/{first}/diff", query=query)
    sbx.expect(400, "GET", f"{project}/transactions/{first}/diff", query={"format": "x"}, wrong=True)
    sbx.expect(201, "POST", f"{project}/snapshots", {"name": "one"})
    sbx.expect(409, "POST", f"{project}/snapshots", {"name": "one"})
    sbx.expect(400, "POST", f"{project}/snapshots", {}, wrong=True)
    sbx.expect(200, "GET", f"{project}/snapshots")
    sbx.expect(201, "POST", "/v1/sandboxes", {"project_id": "asked", "task_id": "asked"})
    sbx.expect(409, "POST", f"{project}/snapshots/one/restore")
    sbx.expect(409, "PATCH", project, {"limits": {"disk_bytes": 64 << 20}})
    sbx.expect(409, "POST", f"{project}/rename", {"project_id": "other"})
    sbx.expect(409, "DELETE", project)
    running = sbx.expect(202, "POST", "/v1/runs", {**run, "transaction": third, "shell": "sleep 60"}).json["run_id"]
    wait_until(lambda: sbx.expect(200, "GET", f"/v1/runs/{running}").json["status"] == "running")
    sbx.expect(409, "DELETE", f"{project}/transactions/{third}")
    sbx.expect(200, "GET", f"{project}/transactions/{third}/diff")
    sbx.expect(200, "POST", f"{project}/rename", {"project_id": "other"}, query={"force": ""})
    for method, path, body in (("GET", "", None), ("PATCH", "", {"limits": {"inodes": 1}}), ("DELETE", "", None), ("POST", "/rename", {"project_id": "x"}),
                               ("GET", "/transactions", None), ("GET", "/transactions/x/diff", None), ("POST", "/transactions/x/commit", None),
                               ("DELETE", "/transactions/x", None), ("GET", "/snapshots", None), ("POST", "/snapshots", {"name": "x"}),
                               ("POST", "/snapshots/x/restore", None), ("DELETE", "/snapshots/x", None)):
        sbx.expect(404, method, project + path, body)
    sbx.expect(400, "POST", f"{other}/rename", {}, wrong=True)
    sbx.expect(204, "POST", f"{other}/transactions/{first}/commit")
    if sbx.expect(409, "POST", f"{other}/transactions/{second}/commit").json["conflicts"] != ["agent_workspace/f"]:
        sbx.document.fault("a commit does not tell its conflict")
    sbx.expect(204, "DELETE", f"{other}/transactions/{second}")
    sbx.expect(204, "POST", f"{other}/snapshots/one/restore")
    sbx.expect(204, "DELETE", f"{other}/snapshots/one")
    sbx.expect(200, "GET", other)
    for path in (other, "/v1/projects"):
        sbx.expect(400, "DELETE", path, query={"force": "maybe"}, wrong=True)
    sbx.expect(204, "DELETE", other, query={"force": "true"})
    sbx.expect(200, "DELETE", "/v1/projects", query={"force": "false"})


def packed(files: dict[str, bytes], how: str = "gz") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{how}") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def form_of(*files: tuple[str, bytes]) -> tuple[bytes, dict[str, str]]:
    parts = [b'--xx\r\nContent-Disposition: form-data; name="f"; filename="%s"\r\n\r\n%s\r\n' % (name.encode(), content) for name, content in files]
    return b"".join(parts) + b"--xx--\r\n", {"Content-Type": "multipart/form-data; boundary=xx"}


def ask_project_files(sbx: Caller) -> None:
    files = "/v1/projects/filed/files"
    sbx.expect(201, "POST", "/v1/projects", {"project_id": "filed", "limits": {"disk_bytes": 8 << 20}})
    sbx.expect(201, "PUT", files, b"hello", query={"path": "outputs/d/a", "policy": "default"})
    sbx.expect(200, "PUT", files, b"hallo", query={"path_base64": base64.b64encode(b"outputs/d/a").decode(), "parents": "false"})
    tag = sbx.expect(200, "GET", files, query={"path": "outputs/d/a"}).headers["ETag"]
    sbx.expect(304, "GET", files, query={"path": "outputs/d/a"}, headers={"If-None-Match": tag})
    sbx.expect(200, "PUT", files, b"HELLO", query={"path": "outputs/d/a"}, headers={"If-Match": tag})
    sbx.expect(412, "PUT", files, b"hello", query={"path": "outputs/d/a"}, headers={"If-Match": tag})
    sbx.expect(201, "PUT", files, b"{}", query={"path": "outputs/new"}, headers={"If-None-Match": "*"})
    sbx.expect(412, "PUT", files, b"{}", query={"path": "outputs/new"}, headers={"If-None-Match": "*"})
    sbx.expect(415, "PUT", files, b"\x7fELF\2\1\1" + bytes(99), query={"path": "outputs/elf", "policy": "strict"})
    sbx.expect(413, "PUT", "/v1/projects/larger/files", b"x" * (65 << 20), query={"path": "outputs/large", "policy": "strict"})
    sbx.expect(507, "PUT", files, b"x" * (16 << 20), query={"path": "outputs/large"})
    sbx.expect(409, "PUT", files, b"", query={"path": "outputs/d"})
    sbx.expect(200, "HEAD", files, query={"path": "outputs/new"})
    sbx.expect(206, "GET", files, query={"path_base64": base64.b64encode(b"outputs/d/a").decode()}, headers={"Range": "bytes=1-2"})
    sbx.expect(416, "GET", files, query={"path": "outputs/d/a"}, headers={"Range": "bytes=9-"})
    for kind in ("tar", "zip"):
        archive = sbx.expect(200, "GET", files, query={"path": "outputs/d", "archive": kind}).body
        sbx.expect(201, "POST", f"{files}/extract", archive, query={"path": "outputs", "name": kind, "policy": "default"})
    sbx.expect(201, "POST", f"{files}/extract", archive, query={"path_base64": "b3V0cHV0cw==", "name": "zip", "on_refused": "skip"})
    sbx.expect(422, "POST", f"{files}/extract", b"no archive", query={"name": "x"})
    sbx.expect(400, "POST", f"{files}/extract", b"", wrong=True)
    sbx.expect(409, "POST", f"{files}/extract", archive, query={"name": "x", "path": "outputs/new"})
    sbx.expect(507, "POST", f"{files}/extract", packed({"large": random.randbytes(16 << 20)}, ""), query={"name": "x"})
    sbx.expect(413, "POST", f"{files}/extract", packed({"large": bytes(16 << 20)}, "bz2"), query={"name": "x"})
    body, form = form_of(("one.txt", b"one"), ("two.json", b"{}"))
    if len(sbx.expect(201, "POST", files, body, headers=form).json["files"]) != 2:
        sbx.document.fault("a form of two files brings others")
    sbx.expect(201, "POST", files, b"raw", query={"name": "raw", "path": "outputs/in", "policy": "default", "taken": "replace"})
    sbx.expect(200, "POST", files, b"raw", query={"name": "raw", "path_base64": "b3V0cHV0cy9pbg=="})
    sbx.expect(409, "POST", files, body, headers=form, query={"taken": "refuse"})
    sbx.expect(422, "POST", files, form_of(("../x", b""))[0], headers=form)
    sbx.expect(400, "POST", files, body[:-9], headers=form, wrong=True)
    sbx.expect(400, "POST", files, b"", wrong=True)
    sbx.expect(415, "POST", files, b"", headers={"Content-Type": "multipart/mixed; boundary=x"})
    sbx.expect(413, "POST", "/v1/projects/larger/files", b"x" * (65 << 20), query={"name": "large", "policy": "strict"})
    sbx.expect(507, "POST", files, b"x" * (16 << 20), query={"name": "large"})
    sbx.expect(200, "POST", "/v1/runs", {"project_id": "filed", "cwd": "/workspace/outputs", "shell": "ln -s a l; mkfifo f; echo >made; : >$(printf '\\377')"},
               query={"wait": ""})
    page = sbx.expect(200, "GET", f"{files}/list", query={"path": "outputs", "limit": "2"}).json
    sbx.expect(200, "GET", f"{files}/list", query={"path_base64": "b3V0cHV0cw==", "cursor": page["next_cursor"]})
    sbx.expect(200, "GET", f"{files}/list", query={"recursive": ""})
    sbx.expect(409, "GET", f"{files}/list", query={"path": "outputs/made"})
    for path in ("outputs/l", "outputs/f", "outputs/made", "outputs/d/a"):
        sbx.expect(200, "GET", f"{files}/stat", query={"path": path})
    sbx.expect(200, "GET", f"{files}/stat", query={"path_base64": base64.b64encode(b"outputs/\xff").decode()})
    sbx.expect(409, "GET", f"{files}/stat", query={"path": "outputs/l/x"})
    sbx.expect(409, "GET", files, query={"path": "outputs"})
    sbx.expect(200, "POST", f"{files}/check")
    sbx.expect(200, "POST", f"{files}/check", query={"adopt": "true"})
    sbx.expect(201, "POST", f"{files}/directory", query={"path": "outputs/e/f", "policy": "default"})
    sbx.expect(201, "POST", f"{files}/directory", query={"path_base64": base64.b64encode(b"outputs/e/g").decode(), "parents": ""})
    sbx.expect(409, "POST", f"{files}/directory", query={"path": "outputs/e/f", "parents": "false"})
    sbx.expect(200, "POST", f"{files}/move", query={"from": "outputs/made", "to": "outputs/g/made", "parents": "true"})
    sbx.expect(409, "POST", f"{files}/move", query={"from": "outputs/g/made", "to": "outputs/d/a"})
    sbx.expect(200, "POST", f"{files}/move", query={"from_base64": base64.b64encode(b"outputs/g/made").decode(),
                                                    "to_base64": base64.b64encode(b"outputs/d/a").decode(), "replace": "true"})
    sbx.expect(409, "DELETE", files, query={"path": "outputs/e"})
    sbx.expect(204, "DELETE", files, query={"path": "outputs/e", "recursive": "true"})
    sbx.expect(204, "DELETE", files, query={"path_base64": base64.b64encode(b"outputs/f").decode()})
    for method, name in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "/stat"), ("GET", "/list"), ("POST", "/directory")):
        body = b"" if method == "PUT" else None
        sbx.expect(404, method, files + name, body, query={"path": "outputs/none/of/it", **({"parents": "false"} if body is not None or name == "/directory" else {})})
        sbx.expect(422, method, files + name, body, query={"path": "outputs/../../x"})
        sbx.expect(404, method, f"/v1/projects/.none/files{name}", body, query={"path": "x"})
        sbx.expect(400, method, files + name, body, query={"nothing": "x"}, wrong=True)
    for name in ("", "/extract", "/check", "/move"):
        sbx.expect(404, "POST", f"/v1/projects/.none/files{name}", query={"name": "x"} if name != "/check" and name != "/move" else {}, wrong=True)
    sbx.expect(422, "POST", f"{files}/move", query={"from": "outputs/d", "to": "../x"})
    sbx.expect(400, "POST", f"{files}/move", query={"from": "none"}, wrong=True)
    sbx.expect(400, "POST", f"{files}/check", query={"adopt": "maybe"}, wrong=True)
    for path in ("filed", "larger"):
        sbx.expect(204, "DELETE", f"/v1/projects/{path}")


def list_runs(sbx: Caller) -> None:
    path = "/v1/runs"
    page = sbx.expect(200, "GET", path, query={"limit": "2"}).json
    sbx.expect(200, "GET", path, query={"limit": "2", "cursor": page["next_cursor"]})
    for query in ({"project_id": "openapi", "task_id": "t"}, {"sandbox_id": "x"}, {"outcome": "exited"}, {"status": "error"},
                  {"since": "2026-01-01T00:00:00Z", "until": "4000000000000"}):
        sbx.expect(200, "GET", path, query=query)
    sbx.expect(200, "GET", path, query=[("label", "a"), ("label", "a=b")])
    sbx.expect(400, "GET", path, query=[("limit", "1"), ("limit", "1")], wrong=True)


def ask_sandboxes(sbx: Caller, has_python: bool) -> None:
    try_examples(sbx, "createSandbox", "/v1/sandboxes", has_python)
    asked = {"task_id": "t", "project_id": "openapi", "labels": {"a": "b"}}
    made = sbx.expect(201, "POST", "/v1/sandboxes", asked, headers={"Idempotency-Key": "s1", "X-Request-Id": "x"}).json
    sbx.expect(201, "POST", "/v1/sandboxes", asked, headers={"Idempotency-Key": "s1"})
    sbx.expect(200, "POST", "/v1/sandboxes", asked)
    sbx.expect(409, "POST", "/v1/sandboxes", {**asked, "env": {"A": "1"}})
    sbx.expect(422, "POST", "/v1/sandboxes", {"image": "nothing"})
    sbx.expect(200, "GET", "/v1/sandboxes", query={"project_id": "openapi", "task_id": "t", "state": "ready", "label": "a=b"})
    sbx.expect(200, "GET", "/v1/sandboxes/stats", query={"project_id": "openapi", "task_id": "t", "state": "ready", "label": "a=b"})
    sbx.expect(400, "GET", "/v1/sandboxes/stats", query={"state": "x"}, wrong=True)
    second = sbx.expect(201, "POST", "/v1/sandboxes", {"task_id": "second"}).json["id"]
    for path in ("/v1/sandboxes", "/v1/sandboxes/stats"):
        cursor = sbx.expect(200, "GET", path, query={"limit": "1"}).json["next_cursor"]
        if [one["id"] for one in sbx.expect(200, "GET", path, query={"limit": "1000", "cursor": cursor}).json["sandboxes"]][-1:] != [second]:
            sbx.document.fault(f"{path}: the last page has not the last sandbox")
    sbx.expect(200, "DELETE", f"/v1/sandboxes/{second}")
    sbx.expect(200, "GET", "/v1/sandboxes/task:t")
    place = f"/v1/sandboxes/{made['id']}"
    sbx.expect(200, "GET", place)
    try_examples(sbx, "execute", f"{place}/exec", has_python)
    for options in ({}, {"wait": "true"}):  # the command's sandbox_id is its sandbox's id, before its end and after
        run = sbx.ask("POST", f"{place}/exec", {"shell": "true"}, query=options, headers={"Idempotency-Key": "e1"}).json
        if run["sandbox_id"] != made["id"]:
            sbx.document.fault(f"the sandbox_id of a command of {made['id']} is {run['sandbox_id']}")
    sbx.expect(422, "POST", f"{place}/exec", {"shell": "false"}, headers={"Idempotency-Key": "e1"})
    sbx.expect(400, "POST", f"{place}/exec", {"shell": "true", "limits": {"pids": 5}}, wrong=True)
    sbx.expect(200, "GET", f"{place}/stats")
    sbx.expect(400, "GET", f"{place}/stats", query={"every_ms": "9"}, wrong=True)
    paused = sbx.ask("POST", f"{place}/pause")
    if paused.status == 200:
        for method, name, body in (("POST", "pause", None), ("POST", "exec", {"shell": "true"}), ("GET", "files", None)):
            sbx.expect(409, method, f"{place}/{name}", body, query={"path": "x"} if name == "files" else {})
        sbx.expect(409, "GET", f"{place}/connect", headers=SBXRUN)
        sbx.expect(200, "POST", f"{place}/resume")
    sbx.expect(409, "POST", f"{place}/resume")
    sbx.expect(101, "GET", f"{place}/connect", headers=SBXRUN)
    sbx.expect(426, "GET", f"{place}/connect")
    sbx.expect(101, "GET", "/v1/connect", headers=SBXRUN)
    sbx.expect(426, "GET", "/v1/connect")
    sbx.expect(200, "POST", f"{place}/reset")
    streaming = sbx.begin("GET", f"{place}/stats", query={"every_ms": "100"})
    stop(sbx, place)
    sbx.finish(*streaming)
    sbx.expect(410, "POST", "/v1/sandboxes", asked, headers={"Idempotency-Key": "s1"})
    for method, name in (("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume"), ("POST", "/reset"), ("POST", "/stop"), ("GET", "/stats")):
        sbx.expect(404, method, f"/v1/sandboxes/nothing{name}")
    sbx.expect(404, "GET", "/v1/sandboxes/nothing/connect", headers=SBXRUN)
    sbx.expect(404, "POST", "/v1/sandboxes/nothing/exec", {"shell": "true"})


def stop(sbx: Caller, place: str) -> None:
    """What is refused while something in it does not want to end."""
    run = sbx.expect(202, "POST", f"{place}/exec", {"shell": "trap '' TERM; echo here; while :; do sleep 1; done"}).json["run_id"]
    wait_until(lambda: sbx.ask("GET", f"/v1/runs/{run}/output").body == b"here\n")
    stopping = threading.Thread(target=lambda: sbx.expect(200, "POST", f"{place}/stop"))
    stopping.start()
    wait_until(lambda: sbx.ask("GET", place).json["state"] == "stopping")
    for method, name in (("POST", "pause"), ("POST", "reset"), ("POST", "stop"), ("GET", "stats")):
        sbx.expect(409, method, f"{place}/{name}")
    sbx.expect(409, "POST", "/v1/sandboxes", {"task_id": "t", "project_id": "openapi"})
    sbx.expect(200, "DELETE", place)
    stopping.join()


def ask_files(sbx: Caller) -> None:
    made = sbx.expect(201, "POST", "/v1/sandboxes", {"limits": {"fsize_bytes": 1000000, "tmp_bytes": 1000000}}).json["id"]
    files = f"/v1/sandboxes/{made}/files"
    sbx.expect(201, "PUT", files, b"hello", query={"path": "d/a", "mode": "0600", "parents": "true"})
    sbx.expect(200, "PUT", files, b"hello", query={"path_base64": base64.b64encode(b"d/a").decode()})
    sbx.expect(201, "PUT", files, b"x", query={"path_base64": base64.urlsafe_b64encode(b"d/\xff").decode()})
    sbx.expect(200, "POST", f"/v1/sandboxes/{made}/exec", {"shell": "ln -s a d/l; mkfifo d/f; ln -s $(printf '\\377') d/k"}, query={"wait": ""})
    sbx.expect(200, "GET", files, query={"path": "d/a"})
    sbx.expect(200, "GET", files, query={"path_base64": "ZC9h"})
    sbx.expect(200, "HEAD", files, query={"path": "d/a"})
    sbx.expect(206, "GET", files, query={"path": "d/a"}, headers={"Range": "bytes=1-2"})
    sbx.expect(416, "GET", files, query={"path_base64": "ZC9h"}, headers={"Range": "bytes=9-"})
    sbx.expect(409, "GET", files, query={"path": "d"})
    for path in ("d/a", "d/l", "d/f", "/dev/null", "d", "d/k"):
        sbx.expect(200, "GET", f"{files}/stat", query={"path": path})
    sbx.expect(200, "GET", f"{files}/stat", query={"path_base64": base64.b64encode(b"d/\xff").decode()})
    sbx.expect(200, "GET", f"{files}/stat", query={"path": "d/l", "follow": "true"})
    tag = sbx.expect(200, "GET", f"{files}/stat", query={"path": "d/a", "hash": "true"}).headers["ETag"]
    sbx.expect(200, "PUT", files, b"HELLO", query={"path": "d/a"}, headers={"If-Match": tag})
    sbx.expect(412, "PUT", files, b"hello", query={"path": "d/a"}, headers={"If-Match": tag})
    sbx.expect(201, "PUT", files, b"hello", query={"path": "new"}, headers={"If-None-Match": "*"})
    sbx.expect(412, "PUT", files, b"hello", query={"path": "new"}, headers={"If-None-Match": "*"})
    sbx.expect(409, "GET", f"{files}/stat", query={"path": "d/a/x"})
    page = sbx.expect(200, "GET", f"{files}/list", query={"path": "d", "limit": "2"}).json
    sbx.expect(200, "GET", f"{files}/list", query={"path_base64": "ZA==", "cursor": page["next_cursor"]})
    sbx.expect(409, "GET", f"{files}/list", query={"path": "d/a"})
    sbx.expect(201, "POST", f"{files}/directory", query={"path": "e/f", "parents": "true"})
    sbx.expect(200, "POST", f"{files}/directory", query={"path_base64": "ZS9m", "parents": ""})
    sbx.expect(409, "POST", f"{files}/directory", query={"path": "e/f"})
    sbx.expect(200, "POST", f"{files}/move", query={"from": "d/l", "to": "g/l", "parents": "true"})
    sbx.expect(409, "POST", f"{files}/move", query={"from": "g/l", "to": "d/a"})
    sbx.expect(200, "POST", f"{files}/move", query={"from_base64": "Zy9s", "to_base64": "ZC9h", "replace": "true"})
    sbx.expect(413, "PUT", files, b"x" * 1000001, query={"path": "big"})
    sbx.expect(507, "PUT", files, b"x" * 900000, query={"path": "/tmp/one"}) if sbx.ask(
        "PUT", files, b"x" * 900000, query={"path": "/tmp/two"}).status == 201 else None
    sbx.expect(409, "PUT", files, b"", query={"path": "d"})
    sbx.expect(409, "DELETE", files, query={"path": "e"})
    sbx.expect(204, "DELETE", files, query={"path": "e", "recursive": "true"})
    sbx.expect(204, "DELETE", files, query={"path_base64": "ZC9m"})
    operations = (("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "/stat"), ("GET", "/list"), ("POST", "/directory"))
    for method, name in operations:
        body = b"" if method == "PUT" else None
        sbx.expect(404, method, files + name, body, query={"path": "none/of/it"})
        sbx.expect(404, method, f"/v1/sandboxes/nothing/files{name}", body, query={"path": "x"})
        sbx.expect(400, method, files + name, body, wrong=True)
    sbx.expect(404, "POST", f"{files}/move", query={"from": "none", "to": "x"})
    sbx.expect(400, "POST", f"{files}/move", query={"from": "none"}, wrong=True)
    for method, path in (("GET", "/etc/shadow"), ("PUT", "/etc/x"), ("DELETE", "/etc/passwd"), ("POST/directory", "/etc/x")):
        method, _, name = method.partition("/")
        sbx.ask(method, files + (f"/{name}" if name else ""), b"" if method == "PUT" else None, query={"path": path})
    crowd(sbx, files)
    sbx.expect(200, "DELETE", f"/v1/sandboxes/{made}")


def crowd(sbx: Caller, files: str) -> None:
    """As many uploads as there may be, whose bodies do not come."""
    uploads: list[http.client.HTTPConnection] = []
    for number in range(16):
        upload = Connection(sbx.place)
        upload.putrequest("PUT", f"{files}?path=u{number}")
        upload.putheader("Content-Length", "10")
        upload.endheaders(b"1")
        uploads.append(upload)
    wait_until(lambda: sbx.ask("GET", f"{files}/stat", query={"path": "."}).status == 429)
    for method, name, query in (("GET", "", {"path": "x"}), ("PUT", "", {"path": "x"}), ("DELETE", "", {"path": "x"}), ("GET", "/list", {"path": "x"}),
                                ("POST", "/directory", {"path": "x"}), ("POST", "/move", {"from": "x", "to": "y"})):
        sbx.expect(429, method, files + name, b"" if method == "PUT" else None, query=query)
    for upload in uploads:
        upload.close()


def fill(sbx: Caller, places: int) -> None:
    """No place, and then no place to wait either."""
    wait_until(lambda: sbx.ask("GET", "/v1/health/ready").json["sandboxes"] == 0)
    holding = [sbx.expect(202, "POST", "/v1/runs", {"shell": "sleep 600"}).json["run_id"] for _ in range(places + 1)]
    waits = holding[-1]
    if status_of(sbx, waits) != "queued":
        sbx.document.fault("the one without a place is not queued")
    sbx.expect(409, "GET", f"/v1/runs/{waits}/output")
    sbx.expect(429, "POST", "/v1/runs", {"shell": "true"})
    sbx.expect(429, "POST", "/v1/sandboxes", {})
    sbx.expect(429, "GET", "/v1/connect", headers=SBXRUN)
    sbx.expect(200, "GET", "/v1/runs", query={"status": "queued"})
    for run in reversed(holding):
        sbx.expect(202, "DELETE", f"/v1/runs/{run}")
        sbx.ask("DELETE", f"/v1/runs/{run}")
    for run in holding:
        sbx.expect(200, "GET", f"/v1/runs/{run}", query={"wait": ""})
    sbx.expect(410, "GET", f"/v1/runs/{waits}/output")
    sbx.expect(200, "GET", f"/v1/runs/{waits}/events")


def forget(sbx: Caller) -> None:
    """With a history of four runs and 100 KB: output is forgotten first, then runs. And with a pool."""
    if not sbx.expect(200, "GET", "/v1/pool").json["kinds"]:
        sbx.document.fault("nothing is in the pool")
    wait_until(lambda: sbx.ask("GET", "/v1/pool").json["kinds"][0]["ready"] > 0)
    made = sbx.expect(201, "POST", "/v1/sandboxes", {}).json
    if not made["from_pool"]:
        sbx.document.fault("a sandbox is not from the pool")
    place = f"/v1/sandboxes/{made['id']}"
    runs = []
    for path, key in ((f"{place}/exec", "e"), ("/v1/runs", "r"), ("/v1/runs", "x")):
        answer = sbx.expect(200, "POST", path, {"shell": "head -c 40000 /dev/zero"}, query={"wait": ""}, headers={"Idempotency-Key": key})
        runs.append(f"/v1/runs/{answer.json['run_id']}")
    sbx.expect(410, "GET", f"{runs[0]}/output")
    sbx.expect(200, "GET", f"{runs[0]}/events")
    sbx.expect(101, "GET", f"{runs[0]}/events", headers=WEBSOCKET)
    for _ in range(3):
        sbx.expect(200, "POST", "/v1/runs", {"shell": "true"}, query={"wait": ""})
    sbx.expect(404, "GET", runs[0])
    for path, key in ((f"{place}/exec", "e"), ("/v1/runs", "r")):
        sbx.expect(410, "POST", path, {"shell": "head -c 40000 /dev/zero"}, headers={"Idempotency-Key": key})


def bodies_of(operation) -> object:
    if operation.body is None:
        return None
    content = operation.body["content"].get("application/json")
    return next(iter(content["examples"].values()))["value"] if content else b""


def at_the_gate(nobody: Caller, reader: Caller, bound: Caller) -> None:
    """Over TCP: without a token, and with one that may not. Each operation says what scope it needs."""
    for operation in nobody.document.operations:
        path = operation.example
        answer = nobody.ask(operation.method, path, bodies_of(operation))
        if answer.status not in (401, 429):
            nobody.document.fault(f"{operation.method} {path} without a token: {answer}")
        scope = operation.raw["security"][1]["token"][0]
        answer = reader.ask(operation.method, path, bodies_of(operation), wrong=True)
        if (answer.status == 403) != (scope != "read"):
            reader.document.fault(f"{operation.method} {path} needs the scope {scope}, and with `read`: {answer}")
    bound.expect(403, "POST", "/v1/runs", {"shell": "true", "project_id": "other"})
    bound.expect(403, "POST", "/v1/sandboxes", {"project_id": "other"})
    bound.expect(200, "POST", "/v1/runs", {"shell": "true", "project_id": "bound"}, query={"wait": ""})
    bound.expect(400, "GET", "/v1/connect", headers=SBXRUN, wrong=True)
    made = bound.expect(201, "POST", "/v1/sandboxes", {"project_id": "bound"}).json["id"]
    bound.expect(400, "GET", f"/v1/sandboxes/{made}/connect", headers=SBXRUN, wrong=True)
    bound.expect(200, "DELETE", f"/v1/sandboxes/{made}")
