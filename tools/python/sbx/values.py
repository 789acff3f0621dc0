"""What the server says, as values. Fields of its answers that are not known here are in `raw`."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .errors import ProtocolError, RunFailed

T = TypeVar("T")
Json = Mapping[str, Any]


def get(json: Json, name: str, kind: type[T]) -> T | None:
    """A member; None where it is null or not there."""
    value = json.get(name)
    if value is None:
        return None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ProtocolError(f"'{name}' of the answer is no {kind.__name__}: {str(value)[:80]!r}")
    return value


def need(json: Json, name: str, kind: type[T]) -> T:
    value = get(json, name, kind)
    if value is None:
        raise ProtocolError(f"the answer has no '{name}'")
    return value


def decode_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProtocolError(f"the answer has base64 that is none: {error}") from None


def _name(json: Json, name: str) -> str | None:
    encoded = get(json, f"{name}_base64", str)
    return get(json, name, str) if encoded is None else decode_base64(encoded).decode("utf-8", "surrogateescape")


def _path(json: Json, name: str) -> str:
    path = _name(json, name)
    if path is None:
        raise ProtocolError(f"the answer has no '{name}'")
    return path


@dataclass(frozen=True, slots=True)
class Usage:
    """None: the kernel does not tell."""

    wall_ms: int | None = None
    cpu_ms: int | None = None
    user_ms: int | None = None
    system_ms: int | None = None
    memory_peak_bytes: int | None = None
    pids_peak: int | None = None
    io_read_bytes: int | None = None
    io_write_bytes: int | None = None
    throttled_ms: int | None = None
    workspace_bytes: int | None = None
    workspace_inodes: int | None = None

    @classmethod
    def of(cls, json: Json | None) -> Usage:
        return cls(**{name: get(json or {}, name, int) for name in cls.__dataclass_fields__})


@dataclass(frozen=True, slots=True)
class Captured:
    """What was written to a stream. `length`: bytes written; `content`: those that were kept.

    `elsewhere`: it is too long for the result; Client.output(run_id) has it.
    """

    length: int = 0
    content: bytes = b""
    truncated: bool = False
    elsewhere: bool = False

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    @classmethod
    def of(cls, json: Json | None) -> Captured:
        if json is None:
            return cls()
        text, encoded = get(json, "text", str), get(json, "base64", str)
        content = text.encode("utf-8", "surrogatepass") if text is not None else decode_base64(encoded or "")
        return cls(get(json, "bytes", int) or 0, content, get(json, "truncated", bool) or False, "elsewhere" in json)


@dataclass(frozen=True, slots=True)
class LimitHit:
    limit: str
    value: float | None
    reached: float | None


@dataclass(frozen=True, slots=True)
class Tests:
    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Changed:
    """An entry of a project that a run changed. `change`: added, changed or deleted; `content`: False where only its
    permissions changed; `before` and `after`: its type, mode and bytes, as docs/results.md has them."""

    path: bytes
    change: str
    content: bool
    before: Json | None
    after: Json | None

    @classmethod
    def of(cls, json: Json) -> Changed:
        encoded = get(json, "path_base64", str)
        path = need(json, "path", str).encode() if encoded is None else decode_base64(encoded)
        return cls(path, need(json, "change", str), need(json, "content", bool), get(json, "before", dict), get(json, "after", dict))


@dataclass(frozen=True, slots=True)
class Changes:
    """What a transaction changes so far, or a dry run would have changed. `truncated`: `entries` are not all of it."""

    added: int
    changed: int
    deleted: int
    truncated: bool
    entries: tuple[Changed, ...]

    @classmethod
    def of(cls, json: Json) -> Changes:
        return cls(need(json, "added", int), need(json, "changed", int), need(json, "deleted", int),
                   need(json, "truncated", bool), tuple(Changed.of(one) for one in objects(json, "list")))


@dataclass(frozen=True, slots=True)
class Transaction:
    """Changes of a project that wait for a decision."""

    id: str
    base: int  # the generation that it began with
    created_at: str | None
    task_id: str | None

    @classmethod
    def of(cls, json: Json) -> Transaction:
        return cls(need(json, "id", str), need(json, "base", int), get(json, "created_at", str), get(json, "task_id", str))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a project had, and keeps."""

    name: str
    generation: int
    created_at: str

    @classmethod
    def of(cls, json: Json) -> Snapshot:
        return cls(need(json, "name", str), need(json, "generation", int), need(json, "created_at", str))


@dataclass(frozen=True, slots=True)
class ProjectInfo:
    """What remains when every sandbox is gone. In a list what is used is None; a limit that is None is none."""

    project_id: str
    name: str
    layout: str
    storage: str
    disk_bytes: int | None
    inodes: int | None
    used_bytes: int | None  # with transactions and snapshots
    used_inodes: int | None
    in_use: bool
    sandboxes: tuple[str, ...]
    created_at: str | None
    last_used_at: str | None
    raw: Json = field(repr=False)

    @classmethod
    def of(cls, json: Json) -> ProjectInfo:
        limits: Json = need(json, "limits", dict)
        usage: Json = get(json, "usage", dict) or {}
        return cls(need(json, "project_id", str), need(json, "name", str), need(json, "layout", str), need(json, "storage", str),
                   get(limits, "disk_bytes", int), get(limits, "inodes", int), get(usage, "bytes", int), get(usage, "inodes", int),
                   need(json, "in_use", bool), tuple(str(one) for one in need(json, "sandboxes", list)), get(json, "created_at", str),
                   get(json, "last_used_at", str), json)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What is kept of a file of a project beside itself. `id` stays when it is moved or edited."""

    id: str
    path: str  # one that is no UTF-8 as os.fsdecode makes it
    original_name: str
    size: int
    mime: str
    sha256: str
    created_at: str
    updated_at: str
    by: str | None  # who brought its content; None: a program
    created: bool | None  # of an upload: it is a new file
    deduplicated: bool | None  # of an upload: the same content was there, nothing was stored

    @classmethod
    def of(cls, json: Json) -> StoredFile:
        return cls(need(json, "id", str), _path(json, "path"), _path(json, "original_name"), need(json, "size", int),
                   need(json, "mime", str), need(json, "sha256", str), need(json, "created_at", str), need(json, "updated_at", str),
                   get(json, "by", str), get(json, "created", bool), get(json, "deduplicated", bool))


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """What is at a path of a project. `stored`: of what was brought, or adopted."""

    path: str
    type: str  # file, directory, link, fifo, socket, device, other
    size: int
    modified_at: str
    target: str | None  # of a link
    stored: StoredFile | None

    @classmethod
    def of(cls, json: Json) -> ProjectFile:
        stored = get(json, "stored", dict)
        return cls(_path(json, "path"), need(json, "type", str), need(json, "size", int), need(json, "modified_at", str),
                   _name(json, "target"), None if stored is None else StoredFile.of(stored))


@dataclass(frozen=True, slots=True)
class Extracted:
    """What became of an archive. `refused`: names of members that were left out, and why; the first of them."""

    folder: str
    files: tuple[StoredFile, ...]
    refused: tuple[tuple[str, str], ...]
    refused_count: int

    @classmethod
    def of(cls, json: Json) -> Extracted:
        refused = tuple((need(one, "name", str), need(one, "why", str)) for one in objects(json, "refused"))
        return cls(_path(json, "folder"), tuple(StoredFile.of(one) for one in objects(json, "files")), refused,
                   need(json, "refused_count", int))


@dataclass(frozen=True, slots=True)
class FilesChecked:
    """Paths where the list of files and the files differed."""

    missing: tuple[str, ...]
    returned: tuple[str, ...]
    changed: tuple[str, ...]
    unknown: tuple[str, ...]
    adopted: tuple[str, ...]
    unfinished: tuple[str, ...]
    unreadable: tuple[str, ...]
    more: bool

    @classmethod
    def of(cls, json: Json) -> FilesChecked:
        def paths(kind: str) -> tuple[str, ...]:
            return tuple(one if isinstance(one, str) else _path(one, "path") for one in need(json, kind, list))

        return cls(paths("missing"), paths("returned"), paths("changed"), paths("unknown"), paths("adopted"), paths("unfinished"),
                   paths("unreadable"), need(json, "more", bool))


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a program failed: docs/failures.md has each class. `source` ('kernel', 'outcome', 'exit_code', 'output') is who
    says so: a program can write anything. `place`: file, line and column of its code."""

    kind: str
    source: str
    output_read: bool
    subject: str | None
    evidence: str | None
    place: tuple[str, int, int | None] | None
    hint: str | None

    @classmethod
    def of(cls, json: Json) -> Failure:
        evidence, place = get(json, "evidence", dict), get(json, "place", dict)
        return cls(need(json, "class", str), need(json, "from", str), need(json, "output_read", bool), get(json, "subject", str),
                   None if evidence is None else need(evidence, "text", str),
                   None if place is None else (need(place, "file", str), need(place, "line", int), get(place, "column", int)),
                   get(json, "hint", str))


@dataclass(frozen=True)
class RunResult:
    """A run or a command: docs/results.md has each field. Before its end `status` is 'queued' or 'running', and
    `outcome` None."""

    run_id: str
    status: str
    outcome: str | None
    exit_code: int | None
    signal: str | None
    message: str
    failure: Failure | None  # None: it exited with 0, or has not ended
    out: Captured = field(repr=False)
    err: Captured = field(repr=False)
    usage: Usage
    limits_hit: tuple[LimitHit, ...]
    tests: Tests | None
    transaction: str | None  # that keeps what was changed in the project
    changes: Changes | None
    compile: RunResult | None  # the compile step of a language that is compiled
    sandbox_id: str | None
    task_id: str | None
    project_id: str | None
    labels: Mapping[str, str]
    created_at: str | None
    started_at: str | None
    finished_at: str | None
    raw: Json = field(repr=False, compare=False)

    @property
    def stdout(self) -> str:
        return self.out.text

    @property
    def stderr(self) -> str:
        return self.err.text

    @property
    def ended(self) -> bool:
        return self.outcome is not None

    @property
    def ok(self) -> bool:
        return self.outcome == "exited" and self.exit_code == 0

    def check(self) -> RunResult:
        """Itself; RunFailed where the program did not exit with 0."""
        if not self.ok:
            raise RunFailed(self)
        return self

    @classmethod
    def of(cls, json: Json, run_id: str | None = None) -> RunResult:
        hits = [LimitHit(need(hit, "limit", str), get(hit, "value", float), get(hit, "reached", float))
                for hit in objects(json, "limits_hit")]
        tests, compiled = get(json, "tests", dict), get(json, "compile", dict)
        changes, failure = get(json, "changes", dict), get(json, "failure", dict)
        run_id = run_id or need(json, "run_id", str)
        return cls(
            run_id, need(json, "status", str), get(json, "outcome", str), get(json, "exit_code", int), get(json, "signal", str),
            get(json, "message", str) or "", None if failure is None else Failure.of(failure), Captured.of(get(json, "stdout", dict)), Captured.of(get(json, "stderr", dict)),
            Usage.of(get(json, "usage", dict)), tuple(hits),
            None if tests is None else Tests(*(get(tests, name, int) or 0 for name in Tests.__dataclass_fields__)),
            get(json, "transaction", str), None if changes is None else Changes.of(changes),
            None if compiled is None else RunResult.of(compiled, run_id),
            get(json, "sandbox_id", str), get(json, "task_id", str), get(json, "project_id", str), get(json, "labels", dict) or {},
            get(json, "created_at", str), get(json, "started_at", str), get(json, "finished_at", str), json)


def objects(json: Json, name: str) -> Sequence[Json]:
    items = get(json, name, list) or []
    if not all(isinstance(item, dict) for item in items):
        raise ProtocolError(f"'{name}' of the answer is no list of objects")
    return items


@dataclass(frozen=True)
class SandboxInfo:
    """A sandbox of many commands. `state`: creating, ready, busy, paused, stopping, destroyed or failed."""

    id: str
    state: str
    task_id: str | None
    project_id: str | None
    image: str | None
    hostname: str | None
    transaction: str | None  # that keeps what is changed in the project
    labels: Mapping[str, str]
    commands: int
    created_at: str | None
    message: str | None
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def of(cls, json: Json) -> SandboxInfo:
        image = get(json, "image", dict) or {}
        return cls(need(json, "id", str), need(json, "state", str), get(json, "task_id", str), get(json, "project_id", str),
                   get(image, "name", str), get(json, "hostname", str), get(json, "transaction", str), get(json, "labels", dict) or {},
                   get(json, "commands", int) or 0, get(json, "created_at", str), get(json, "message", str), json)


@dataclass(frozen=True, slots=True)
class Current:
    """What a sandbox uses now. Pressure: for how much of the last ten seconds something in it waited, in percent."""

    memory_bytes: int | None = None
    pids: int | None = None
    workspace_bytes: int | None = None
    workspace_inodes: int | None = None
    cpu_pressure: float | None = None
    memory_pressure: float | None = None
    io_pressure: float | None = None

    @classmethod
    def of(cls, json: Json | None) -> Current:
        json = json or {}
        return cls(get(json, "memory_bytes", int), get(json, "pids", int), get(json, "workspace_bytes", int),
                   get(json, "workspace_inodes", int), get(json, "cpu_pressure", float), get(json, "memory_pressure", float),
                   get(json, "io_pressure", float))


@dataclass(frozen=True)
class SandboxStats:
    """What a sandbox has used so far, all its commands together, and what it uses now."""

    usage: Usage
    current: Current
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def of(cls, json: Json) -> SandboxStats:
        return cls(Usage.of(get(json, "usage", dict)), Current.of(get(json, "current", dict)), json)


@dataclass(frozen=True)
class FileInfo:
    """`type`: file, directory, link, fifo, socket, device or other; of a link `target` is what it says. Names that are
    no UTF-8 have surrogates, as those of os.listdir."""

    name: str
    type: str
    size: int
    mode: int
    uid: int
    gid: int
    modified_at: str
    target: str | None
    sha256: str | None  # of its content, where it was asked for or written
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def of(cls, json: Json, name: str) -> FileInfo:
        mode = need(json, "mode", str)
        if not re.fullmatch("[0-7]{1,6}", mode):
            raise ProtocolError(f"the mode of a file is not octal: {mode[:40]!r}")
        return cls(_name(json, name) or "", need(json, "type", str), need(json, "size", int), int(mode, 8), need(json, "uid", int),
                   need(json, "gid", int), need(json, "modified_at", str), _name(json, "target"), get(json, "sha256", str), json)
