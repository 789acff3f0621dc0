"""docs/openapi.yaml: whether it is good in itself, and whether requests and answers are as it says.

Answers are held against stricter schemas than those of the document: a field that it does not name is a fault.
"""

import copy
import json
import re
from email.message import Message
from pathlib import Path

import jsonschema
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/openapi.yaml"
METHODS = ("get", "put", "post", "delete", "head", "options", "patch")
# Of every answer as HTTP, or of a connection.
PLAIN_HEADERS = {"date", "server", "connection", "content-type", "content-length", "transfer-encoding"}


def nodes(node, path=()):
    yield path, node
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from nodes(value, (*path, key))


def close(schema) -> None:
    """No field but those that are named, where any are; what only narrows (`not`, `if`, …) stays as it is."""
    if isinstance(schema, list):
        for item in schema:
            close(item)
    elif isinstance(schema, dict):
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for key, value in schema.items():
            if key in ("properties", "$defs"):
                for item in value.values():
                    close(item)
            elif key in ("items", "oneOf", "anyOf", "additionalProperties", "schema"):
                close(value)


def reasons(error: jsonschema.ValidationError) -> list[str]:
    """Of alternatives, why that one does not fit which is the nearest."""
    branches: dict[object, list[str]] = {}
    for one in error.context or []:
        branches.setdefault(one.schema_path[0], []).extend(reasons(one))
    return min(branches.values(), key=len) if branches else [f"{error.json_path}: {error.message[:300]}"]


class Operation:
    def __init__(self, document, method, path, item):
        self.method, self.path, self.raw = method.upper(), path, item[method]
        self.id = self.raw.get("operationId")
        of_item = [document.whole(parameter) for parameter in item.get("parameters", [])]
        self.parameters = of_item + [document.whole(parameter) for parameter in self.raw.get("parameters", [])]
        self.query = {one["name"]: one for one in self.parameters if one["in"] == "query"}
        self.headers = {one["name"].lower(): one for one in self.parameters if one["in"] == "header"}
        self.body = self.raw.get("requestBody")
        self.responses = {status: document.whole(response) for status, response in self.raw["responses"].items()}
        self.example = re.sub(r"\{\w+\}", "x", path)
        self._pattern = re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)))

    def is_for(self, method: str, path: str) -> bool:
        return (method == self.method or (method, self.method) == ("HEAD", "GET")) and self._pattern.fullmatch(path) is not None


class Document:
    def __init__(self) -> None:
        self.text = PAGE.read_text(encoding="utf-8")
        self.json = yaml.safe_load(self.text)
        self.problems: list[str] = []
        self.operations = [Operation(self, method, path, item) for path, item in self.json["paths"].items()
                           for method in METHODS if method in item]
        closed = copy.deepcopy(self.json)
        for schema in closed["components"]["schemas"].values():
            close(schema)
        self._open = jsonschema.RefResolver("", self.json)
        self._closed = jsonschema.RefResolver("", closed)
        self.seen: set[tuple[str, str]] = set()  # operation and status
        self.sent: set[tuple[str, str]] = set()  # operation and parameter of a request that was accepted
        self.told: set[str] = set()  # types of events

    def fault(self, text: str) -> None:
        kind = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", text)
        if kind not in self.problems:
            self.problems.append(kind)

    def at(self, reference: str):
        node = self.json
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        return node

    def whole(self, node: dict) -> dict:
        return self.at(node["$ref"]) if "$ref" in node else node

    def of(self, method: str, path: str) -> Operation:
        for operation in self.operations:
            if operation.is_for(method, path):
                return operation
        raise LookupError(f"{method} {path} is not in the document")

    def errors(self, schema: dict, value, strict: bool = False) -> list[str]:
        if strict:
            schema = copy.deepcopy(schema)
            close(schema)
        validator = jsonschema.Draft202012Validator(schema, resolver=self._closed if strict else self._open)
        return [text for error in validator.iter_errors(value) for text in reasons(error)]

    # --- in itself

    def check_itself(self) -> None:
        rules = yaml.safe_load((Path(__file__).parent / "oas-3.1.yaml").read_text(encoding="utf-8"))
        for error in jsonschema.Draft202012Validator(rules).iter_errors(self.json):
            self.fault(f"no OpenAPI 3.1: {error.json_path}: {error.message[:300]}")
        used = set()
        for path, node in nodes(self.json):
            if path and path[-1] == "$ref":
                used.add(node)
                try:
                    self.at(node)
                except (KeyError, TypeError):
                    self.fault(f"{'/'.join(map(str, path))}: there is no {node}")
        mapped = {node for path, node in nodes(self.json) if len(path) > 1 and path[-2] == "mapping"}
        for kind, components in self.json["components"].items():
            for name in components:
                reference = f"#/components/{kind}/{name}"
                if kind != "securitySchemes" and not any(one == reference or one.startswith(reference + "/") for one in used | mapped):
                    self.fault(f"nothing uses {reference}")
        schemas = [(path, node) for path, node in nodes(self.json) if path and (path[-1] == "schema" or path[:-1] == ("components", "schemas"))
                   and "example" not in path and "examples" not in path]
        for path, schema in schemas:
            try:
                jsonschema.Draft202012Validator.check_schema(schema)
            except jsonschema.SchemaError as error:
                self.fault(f"{'/'.join(map(str, path))}: no JSON Schema: {error.message}")
        ours = re.search(r"^ *version: '(.*)'", (ROOT / "meson.build").read_text(encoding="utf-8"), re.M)
        if ours is None or self.json["info"]["version"] != ours[1]:
            self.fault("info.version is not that of meson.build")
        ids = [operation.id for operation in self.operations]
        if None in ids or len(set(ids)) != len(ids):
            self.fault("not every operation has an operationId of its own")
        self.check_examples()

    def check_examples(self) -> None:
        count = 0
        for path, node in nodes(self.json):
            if not isinstance(node, dict) or "properties" in path[-1:]:
                continue
            examples = [node["example"]] if "example" in node else []
            listed = node.get("examples", [])
            examples += [one["value"] for one in listed.values()] if isinstance(listed, dict) else listed
            for example in examples:
                count += 1
                schema = node.get("schema", node)
                for error in self.errors(schema, example, strict=True):
                    self.fault(f"{'/'.join(map(str, path))}: an example is not as its schema says: {error}")
        if count < 15:
            self.fault(f"only {count} examples: is the look for them still right?")

    def check_result(self) -> None:
        """RunResult is docs/result.schema.json, and what the API adds."""
        places = {"#/$defs/count": "Count", "#/$defs/time": "Time", "#/$defs/hidden": "HiddenArgument", "#/$defs/stream": "Stream",
                  "#/$defs/entry": "ChangedEntry", "#/$defs/change": "Change", "#/$defs/failure": "Failure"}

        def moved(node):
            if isinstance(node, list):
                return [moved(one) for one in node]
            if not isinstance(node, dict):
                return node
            return {key: f"#/components/schemas/{places[value]}" if key == "$ref" and value in places
                    else value.replace("#/properties/", "#/components/schemas/RunResult/properties/") if key == "$ref" else moved(value)
                    for key, value in node.items() if key != "description"}

        def plain(node):
            if isinstance(node, list):
                return [plain(one) for one in node]
            return {key: plain(value) for key, value in node.items() if key != "description"} if isinstance(node, dict) else node

        file = moved(json.loads((ROOT / "docs/result.schema.json").read_text(encoding="utf-8")))
        ours = plain({name: self.json["components"]["schemas"][name] for name in ("RunResult", *places.values())})
        ours["RunResult"]["properties"].pop("labels")
        ours["RunResult"]["required"].remove("labels")
        ours["Stream"]["oneOf"][1]["properties"].pop("elsewhere")
        ours["Stream"]["oneOf"][1].pop("not")
        file["$defs"]["stream"]["oneOf"][1].pop("not")
        for part in ("type", "required", "properties", "allOf"):
            if file[part] != ours["RunResult"][part]:
                differ = [key for key in {**file[part], **ours["RunResult"][part]} if file[part].get(key) != ours["RunResult"][part].get(key)] \
                    if isinstance(file[part], dict) else part
                self.fault(f"RunResult is not what docs/result.schema.json says: {part}: {differ}")
        for reference, name in places.items():
            if file["$defs"][reference.rsplit("/", 1)[1]] != ours[name]:
                self.fault(f"{name} is not what docs/result.schema.json says")

    # --- requests and answers

    def is_value(self, schema: dict, text: str) -> bool:
        schema = self.whole(schema)
        value: object = text
        if schema.get("type") == "boolean":
            value = {"": True, "true": True, "1": True, "false": False, "0": False}.get(text, text)
        elif schema.get("type") == "integer":
            value = int(text) if re.fullmatch(r"[0-9]+", text) else text
        elif schema.get("type") == "array":
            value = [text]
        return not self.errors(schema, value)

    def request_faults(self, operation: Operation, query: list[tuple[str, str]], headers: dict[str, str], body: object) -> list[str]:
        faults = []
        for name, value in query:
            parameter = operation.query.get(name)
            if parameter is None:
                faults.append(f"no parameter {name}")
            elif not self.is_value(parameter["schema"], value):
                faults.append(f"{name} is not {value!r}")
        for name, value in headers.items():
            parameter = operation.headers.get(name.lower())
            if parameter is not None and not self.is_value(parameter["schema"], value):
                faults.append(f"{name} is not {value!r}")
        if body is not None and operation.body is None:
            faults.append("no body")
        elif isinstance(body, dict):
            faults += self.errors(operation.body["content"]["application/json"]["schema"], body)
        return faults

    def check_answer(self, operation: Operation, status: int, headers: Message, body: bytes, is_head: bool = False) -> None:
        what = f"{operation.method} {operation.path}: {status}"
        response = operation.responses.get(str(status))
        if response is None:
            response = operation.responses["default"]
            if status not in response["x-statuses"]:
                return self.fault(f"{what} is not documented: {body[:300]!r}")
        self.seen.add((operation.id, str(status)))
        documented = {name.lower(): self.whole(header) for name, header in response.get("headers", {}).items()}
        for name, header in documented.items():
            value = headers.get(name)
            if value is None and header.get("required"):
                self.fault(f"{what}: the header {name} is missing")
            elif value is not None and (errors := self.errors(header["schema"], value)):
                self.fault(f"{what}: the header {name}: {errors[0]}")
        for name in headers:
            if name.lower() not in documented and name.lower() not in PLAIN_HEADERS and not (status == 405 and name == "Allow"):
                self.fault(f"{what}: the header {name} is not documented")
        kind = headers.get_content_type() if headers.get("Content-Type") else None
        content = response.get("content", {})
        if kind is None:
            return self.fault(f"{what} has no content") if content or body else None
        if kind not in content and "*/*" not in content:
            return self.fault(f"{what}: {kind} is not documented")
        if is_head:
            return None
        if kind.endswith("json") and kind in content:
            for error in self.errors(content[kind]["schema"], json.loads(body), strict=True)[:3]:
                self.fault(f"{what}: {error}")
            if kind == "application/problem+json" and json.loads(body)["status"] != status:
                self.fault(f"{what}: the problem tells another status")
        elif kind == "text/event-stream" and kind in content:
            self.check_stream(what, content[kind]["x-sse-data"], body.decode())
        return None

    def check_stream(self, what: str, schema: dict, text: str) -> None:
        for block in filter(None, text.split("\n\n")):
            lines = [line for line in block.split("\n") if not line.startswith(":")]
            fields = dict(line.split(": ", 1) for line in lines)
            if lines:
                self.check_event(what, schema, fields.pop("data"), fields.pop("event"))
            if lines and not re.fullmatch(self.json["components"]["parameters"]["after"]["schema"]["pattern"], fields.get("id", "0.0")):
                self.fault(f"{what}: the id {fields['id']} cannot be asked for")
            if fields.keys() - {"id"}:
                self.fault(f"{what}: a field of an event: {fields}")

    def check_event(self, what: str, schema: dict, text: str, name: str | None = None) -> None:
        event = json.loads(text)
        self.told.add(f"{'WebSocket' if name is None else 'SSE'} {event.get('type', name)}")
        if name is not None and event.get("type", name) != name:
            self.fault(f"{what}: the event {name} has the type {event['type']}")
        for error in self.errors(schema, event, strict=True):
            self.fault(f"{what}: an event: {error}: {text[:300]}")
