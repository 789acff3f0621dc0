"""What happens in a run, as it happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from .core.exchange import decode_object
from .core.sse import Message
from .errors import ProtocolError
from .values import decode_base64, get, need


@dataclass(frozen=True)
class Output:
    """Bytes of a stream. `offset`: of the first one in the stream."""

    type: str  # stdout or stderr
    content: bytes
    offset: int
    id: str

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")


@dataclass(frozen=True)
class Stage:
    """A step of the run begins: compile, or run, test and other actions of a language."""

    type: str
    name: str
    id: str


@dataclass(frozen=True)
class Gap:
    """Bytes of a stream that could not be kept."""

    type: str
    stream: str
    offset: int
    missing: int
    id: str


@dataclass(frozen=True)
class Exit:
    """The end: every byte was sent, and every process is gone."""

    type: str
    status: str
    outcome: str | None
    exit_code: int | None
    signal: str | None
    message: str
    id: str


@dataclass(frozen=True)
class Other:
    """An event of a kind that this version does not know."""

    type: str
    data: Any
    id: str
    raw: Mapping[str, Any] = field(repr=False, compare=False)


Event: TypeAlias = Output | Stage | Gap | Exit | Other


def event_of(message: Message) -> Event:
    json = decode_object(message.data.encode("utf-8", "surrogatepass"), "an event")
    kind = need(json, "type", str)
    if kind in ("stdout", "stderr"):
        text = need(json, "data", str)
        encoding = get(json, "encoding", str)
        if encoding not in (None, "base64"):
            raise ProtocolError(f"an event has an encoding that is not known: {encoding!r}")
        content = text.encode("utf-8", "surrogatepass") if encoding is None else decode_base64(text)
        return Output(kind, content, need(json, "offset", int), message.id)
    if kind == "stage":
        return Stage(kind, need(json, "data", str), message.id)
    if kind == "gap":
        return Gap(kind, need(json, "data", str), need(json, "offset", int), need(json, "missing", int), message.id)
    if kind == "exit":
        return Exit(kind, need(json, "data", str), get(json, "outcome", str), get(json, "exit_code", int),
                    get(json, "signal", str), get(json, "message", str) or "", message.id)
    return Other(kind, json.get("data"), message.id, json)
