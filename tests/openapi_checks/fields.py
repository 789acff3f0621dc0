"""Fields and parameters: those of the document are those of the server, and what one refuses the other does, too."""

import itertools
import re

from .caller import WEBSOCKET, Caller
from .document import ROOT

# A good value of each field of a body.
GOOD: dict[str, object] = {
    "command": ["true"], "shell": "true", "language": "nothing", "code": "x", "path": "a.py", "files": [{"name": "a.py", "content": "x"}],
    "arguments": ["a"], "action": "run", "compile_limits": {"wall_ms": 1000}, "cwd": "/tmp", "env": {"A": "b"}, "env_vars": {"A": "b"},
    "limits": {"wall_ms": 1000}, "timeout_ms": 1000, "stdin": "x", "stdin_base64": "AA==", "labels": {"a": "b"}, "image": "host",
    "environment_type": "host", "policy": "default", "project_id": "fields", "task_id": "fields", "session_id": "fields",
    "workspace_mode": "ephemeral", "transaction": "fields", "show_changes": False, "hostname": "fields", "session": "fields", "idle_ms": 60000, "total_ms": 60000, "packages": [],
    "fatal": False, "tty": True, "rows": 50, "cols": 132, "configuration": "fields",
    "binds": [{"host": "/srv/data", "inside": "/data"}],  # which no policy grants
}
NEEDS = {"code": "language", "path": "language", "files": "language", "arguments": "language", "action": "language",
         "compile_limits": "language", "session": "shell", "rows": "tty", "cols": "tty", "configuration": "project_id", "transaction": "project_id"}
VALUES = [5, -1, 1.5, 2**70, True, "", "text", "../x", "a b", "-a", "AA=", "x" * 65, "x" * 33, [], [1], ["x"], [{}], {}, {"a": 1}, {"a": "b"}]
OF_FILE = [{}, {"name": "a"}, {"name": "a", "content": "b", "content_base64": ""}, {"name": "a", "content_base64": "*"}, {"content": "x"},
           *({"name": name, "content": ""} for name in ("", "a/b", "/a", "../a", "a/..", "a/./b", "-a", "..a", "a//b", "x" * 256, "\x07", "/".join("a" * 17)))]
OF_BINDS = [{"host": "/a"}, {"inside": "/a"}, {"host": "a", "inside": "/a"}, {"host": "/a", "inside": "/a/../b"}, {"host": "/a/.b/", "inside": "/c..d"},
            {"host": "/a//b", "inside": "/a"}, {"host": "/" + "x" * 4095, "inside": "/a"}, {"host": "/a", "inside": "/a", "mode": "write"},
            *({"host": "/a", "inside": "/a", "mode": mode} for mode in ("ro", "rw", "cow"))]
OF_LABELS = [{"sbx.x": "a"}, {"a b": "c"}, {"": "c"}, {"x" * 65: "c"}, {"a": "x" * 257}, {f"a{number}": "" for number in range(65)}]


class Target:
    """`schema`: of a request's body; `path`: where it is sent."""

    def __init__(self, sbx: Caller, schema: str, path: str, method: str = "POST", refused: tuple[str, ...] = ()) -> None:
        """`refused`: what the server knows, and refuses here."""
        self.sbx, self.name, self.path, self.method, self.refused = sbx, schema, path, method, refused
        self.schema = sbx.document.json["components"]["schemas"][schema]
        self.fields = list(self.schema["properties"])
        self.tried = 0

    def base(self, *fields: str) -> dict:
        body: dict = {}
        for field in fields:
            if field in NEEDS:
                body[NEEDS[field]] = GOOD[NEEDS[field]]
        ways = {"command", "shell", "language"}
        if "command" in self.fields and not ways & {*body, *fields}:
            body["shell"] = "true"
        return body

    def compare(self, body: dict) -> None:
        """The document and the server think the same of it."""
        self.tried += 1
        document = self.sbx.document
        good = not document.errors(self.schema, body)
        answer = self.send(body)
        if good != (answer.status != 400):
            document.fault(f"{self.name}: the document {'takes' if good else 'refuses'} {str(body)[:200]}, the server says {answer}")

    def send(self, body: dict):
        query = {"wait": "true"} if self.name in ("RunRequest", "ExecRequest") else {}
        answer = self.sbx.ask(self.method, self.path, body, query=query, wrong=True)
        if answer.status == 201 and self.method == "POST":
            self.sbx.ask("DELETE", f"/v1/sandboxes/{answer.json['id']}")
        return answer

    def named_by_server(self, where: str, body: dict) -> set[str]:
        answer = self.sbx.ask(self.method, self.path, body, wrong=True)
        found = re.search(rf"'{re.escape(where)}zz' is not known: known: (.*)", answer.json.get("detail", ""))
        if found is None:
            self.sbx.document.fault(f"{self.name}: the server does not name the fields of '{where}': {answer}")
            return set()
        return set(re.findall(r"'(\w+)'", found[1])) - set(self.refused)

    def check_names(self) -> None:
        schemas = self.sbx.document.json["components"]["schemas"]
        places = {"": ({"zz": 1}, self.schema)}
        if "limits" in self.fields:
            places["limits."] = ({**self.base(), "limits": {"zz": 1}}, schemas["Limits"])
        if "binds" in self.fields:
            places["binds[0]."] = ({**self.base(), "binds": [{"zz": 1}]}, schemas["Binds"]["items"])
        if "code" in self.fields:
            places["compile_limits."] = ({"language": "x", "compile_limits": {"zz": 1}}, schemas["Limits"])
            places["files[0]."] = ({"language": "x", "files": [{"zz": 1}]}, schemas["SourceFile"])
        for where, (body, schema) in places.items():
            server, document = self.named_by_server(where, body), set(schema["properties"])
            for field in sorted(server ^ document):
                self.sbx.document.fault(f"{self.name}: the field {where}{field} is only {'of the server' if field in server else 'in the document'}")

    def check_values(self) -> None:
        for field in self.fields:
            if field not in GOOD:
                self.sbx.document.fault(f"{self.name}: tests/openapi_checks/fields.py has no good value of {field}")
                continue
            answer = self.send({**self.base("command"), "command": ["true"], field: None} if "command" in self.fields else {field: None})
            if answer.status == 400 and field != "command":
                self.sbx.document.fault(f"{self.name}: {field} may not be null: {answer}")
            own = {"files": [*([one] for one in OF_FILE), *([{"name": "a", "content": ""}] * number for number in (1000, 1001))],
                   "binds": [*([one] for one in OF_BINDS), *([{"host": "/a", "inside": f"/b{one}"} for one in range(number)] for number in (200, 201))], "labels": OF_LABELS, "hostname": ["a.b", "a-.b", "-", "x" * 64, "a..b"],
                   **dict.fromkeys(("timeout_ms", "idle_ms", "total_ms"), [3153600000000, 3153600000001])}.get(field, [])
            if field in ("limits", "compile_limits"):
                own = [{limit: value} for limit in self.sbx.document.json["components"]["schemas"]["Limits"]["properties"]
                       for value in (0, -1, 0.005, 16, 15.5, 2**61, "5", True)]
            if field == "labels":
                own = [*own, {"x" * 64: "y" * 256}]
            for value in [GOOD[field], *VALUES, *own]:
                self.compare({**self.base(field), field: value})

    def check_pairs(self) -> None:
        known = [field for field in self.fields if field in GOOD]
        for one, other in itertools.combinations(known, 2):
            self.compare({**self.base(one, other), one: GOOD[one], other: GOOD[other]})
        for way, field in itertools.product(("command", "shell"), NEEDS):
            if way in self.fields and field in self.fields:
                self.compare({way: GOOD[way], field: GOOD[field]})
        self.compare({})

    def check_changes(self) -> None:
        """What becomes of what a run changes in its project."""
        modes = [{}, *({"workspace_mode": mode} for mode in ("persistent", "ephemeral", "transaction"))]
        shown = [{}, {"transaction": "fields"}, {"show_changes": True}, {"show_changes": False}]
        for project, mode, show in itertools.product(({}, {"project_id": ""}, {"project_id": "fields"}), modes, shown):
            self.compare({**self.base(), **project, **mode, **show})


def check_bodies(sbx: Caller) -> int:
    made = sbx.expect(201, "POST", "/v1/sandboxes", {}).json["id"]
    tried = 0
    for target in (Target(sbx, "RunRequest", "/v1/runs"), Target(sbx, "ExecRequest", f"/v1/sandboxes/{made}/exec"),
                   Target(sbx, "SandboxRequest", "/v1/sandboxes"),
                   Target(sbx, "Configuration", "/v1/projects/tried/configurations/one", "PUT",
                          ("project_id", "task_id", "session_id", "configuration", "transaction"))):
        target.check_names()
        target.check_values()
        target.check_pairs()
        if "show_changes" in target.fields:
            target.check_changes()
        tried += target.tried
    sbx.expect(200, "DELETE", f"/v1/sandboxes/{made}")
    return tried


def check_projects(sbx: Caller) -> int:
    """What is asked of a project that is not there is refused for its body or, with 404, for that."""
    tried = 0
    for schema, method, more in (("ProjectLimitsRequest", "PATCH", ""), ("RenameRequest", "POST", "/rename"), ("SnapshotRequest", "POST", "/snapshots"),
                                 ("ProjectRequest", "POST", None)):
        rules = sbx.document.json["components"]["schemas"][schema]
        required = {field: {"limits": {"inodes": 1}}.get(field, "tried") for field in rules["required"]}
        bodies = [{}, required, {**required, "zz": 1}]
        bodies += [{**required, field: value} for field in rules["properties"] for value in [*VALUES, {"inodes": 1}, {"inodes": 0}, {"pids": 1}, {"disk_bytes": 1.5}]]
        for body in bodies:
            tried += 1
            good = not sbx.document.errors(rules, body)
            answer = sbx.ask(method, "/v1/projects" if more is None else "/v1/projects/absent" + more, body, wrong=True)
            if good != (answer.status != 400):
                sbx.document.fault(f"{schema}: the document {'takes' if good else 'refuses'} {str(body)[:200]}, the server says {answer}")
            if answer.status == 201:
                sbx.expect(204, "DELETE", answer.headers["Location"])
    return tried


def check_signals(sbx: Caller) -> None:
    """Of a run that is not there: what is good is 404. At a terminal, what is bad ends it."""
    signal = sbx.document.at("#/components/schemas/Signal")
    for value in [*VALUES, None, "SIG", "term", "SEGV", "KILLX", 11, 4, 0, *signal["enum"]]:
        sbx.expect(400 if sbx.document.errors(signal, value) else 404, "POST", "/v1/runs/nothing/signal", {"signal": value}, wrong=True)
    for body in ({}, {"signal": "TERM", "zz": 1}):
        sbx.expect(400, "POST", "/v1/runs/nothing/signal", body, wrong=True)
    schema = sbx.document.at("#/components/schemas/TerminalMessage")
    resize = {"type": "resize", "rows": 2, "cols": 3}
    for message in ({}, [], {"type": "x"}, {"type": "resize"}, {**resize, "rows": 0}, {**resize, "cols": 65536}, {**resize, "zz": 1}, {**resize, "rows": "2"},
                    {"type": "signal"}, {"type": "signal", "signal": "SEGV"}, {"type": "signal", "signal": "CONT", "rows": 2}):
        if not sbx.document.errors(schema, message):
            sbx.document.fault(f"the document takes {message}")
        run = sbx.expect(202, "POST", "/v1/runs", {"shell": "sleep 600", "tty": True}).json["run_id"]
        sbx.expect(101, "GET", f"/v1/runs/{run}/terminal", headers=WEBSOCKET, says=[message], closed=1008)
        sbx.ask("DELETE", f"/v1/runs/{run}")
        sbx.expect(200, "GET", f"/v1/runs/{run}", query={"wait": ""})


def refuses_unknown(operation) -> bool:
    return "/files" in operation.path or operation.id in ("listRuns", "listSandboxes", "destroySandboxes", "getSandboxesStats", "listProjects")


def check_query(sbx: Caller) -> None:
    """Where the server refuses what it does not know, it is asked; all others have to be read somewhere in its source."""
    in_source: set[str] = set()
    for file in (ROOT / "runtime/api").glob("*.cc"):
        in_source |= set(re.findall(r'(?:query_value\(|wants\(\*?\w+, |flag_of\(call->request, |asks_for_another\(\*?\w+, )"(\w+)"', file.read_text(encoding="utf-8")))
    document = sbx.document
    for operation in document.operations:
        path = operation.example
        if refuses_unknown(operation):
            answer = sbx.expect(400, operation.method, path, query={"zz": "1"}, wrong=True)
            server = set(re.findall(r"'(\w+)'", answer.json["detail"].split("known: ", 1)[-1]))
            for name in sorted(server ^ operation.query.keys()):
                document.fault(f"{operation.id}: the parameter {name} is only {'of the server' if name in server else 'in the document'}")
            for name, parameter in operation.query.items():
                compare_values(sbx, operation, path, name, parameter["schema"])
    documented = {name for operation in document.operations for name in operation.query
                  if not refuses_unknown(operation)}
    if len(in_source) < 8:
        document.fault(f"found only {sorted(in_source)} in runtime/api: is the look for parameters still right?")
    # Of those that are asked above: read by a name that is no literal.
    elsewhere = {name for operation in document.operations for name in operation.query} - documented
    for name in sorted(documented ^ (in_source - elsewhere)):
        document.fault(f"the parameter {name} is only {'of the server' if name in in_source else 'in the document'}")


def compare_values(sbx: Caller, operation, path: str, name: str, schema: dict) -> None:
    """What the schema refuses, the server does, too, and the other way around."""
    needed = {"path": "x"} if "path" in operation.query else {"from": "x", "to": "y"} if "from" in operation.query else {}
    needed |= {"name": "x"} if "name" in operation.query else {}
    if "cursor" in name or name in ("since", "until"):
        return  # what is in it is the server's own, or has no schema
    for value in ("", "x", "0", "1", "true", "yes", "501", "10001", "0644", "999", "ready", "exited", "queued", "=", "x" * 4096, "YQ", "*"):
        query = {key: text for key, text in needed.items() if name not in (key, f"{key}_base64")} | {name: value}
        answer = sbx.ask(operation.method, path, b"" if operation.method == "PUT" else None, query=query, wrong=True)
        good = sbx.document.is_value(schema, value)
        if good != (answer.status != 400):
            sbx.document.fault(f"{operation.id}: the document {'takes' if good else 'refuses'} {name}={value[:20]}, the server says {answer}")
