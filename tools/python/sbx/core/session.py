"""Where the server is, how it is spoken to, and connections that may be used again."""

from __future__ import annotations

import ipaddress
import json
import os
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from .steps import Connection

DEFAULT_SOCKET = "/run/sbx/sbxd.sock"
MOST_IDLE = 8
IDLE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A Unix socket, or a host and a port, with TLS or without."""

    socket: str | None
    host: str = "sbx"
    port: int = 0
    tls: ssl.SSLContext | None = None
    prefix: str = ""

    @property
    def name(self) -> str:
        return f"'{self.socket}'" if self.socket else f"{self.host}:{self.port}"

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.socket else f"{host}:{self.port}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def find_endpoint(socket: str | os.PathLike[str] | None, url: str | None, token: str | None,
                  tls: ssl.SSLContext | None) -> Endpoint:
    if socket is not None and url is not None:
        raise ValueError("give a socket or a URL")
    if url is None:
        return Endpoint(os.fspath(socket or os.environ.get("SBX_SOCKET") or DEFAULT_SOCKET))
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError(f"not the URL of a server, as 'https://host:8443': {url!r}")
    if parts.scheme == "https":
        return Endpoint(None, parts.hostname, parts.port or 443, tls or ssl.create_default_context(), parts.path.rstrip("/"))
    if token is not None and not _is_loopback(parts.hostname):
        raise ValueError("a token is sent over TLS only, or on this machine: give a URL with https")
    return Endpoint(None, parts.hostname, parts.port or 80, None, parts.path.rstrip("/"))


@dataclass(frozen=True)
class Session:
    """`timeout`: of an answer that needs no waiting, and of silence; `wait_timeout`: of one for which a program has to
    end; `retry_for`: how long it is tried again."""

    endpoint: Endpoint
    token: str | None = None
    timeout: float = 30.0
    wait_timeout: float = 3600.0
    retry_for: float = 30.0
    clock: Callable[[], float] = time.monotonic
    _idle: deque[tuple[float, Connection]] = field(default_factory=deque)

    def _pop(self, newest: bool) -> tuple[float, Connection] | None:
        try:
            return self._idle.pop() if newest else self._idle.popleft()
        except IndexError:  # none, or another thread was faster
            return None

    def take_idle(self) -> Connection | None:
        """The one that was used last, where it is still good."""
        while found := self._pop(newest=True):
            since, connection = found
            if self.clock() - since < IDLE_SECONDS and connection.alive():
                return connection
            connection.close()
        return None

    def put_idle(self, connection: Connection) -> None:
        self._idle.append((self.clock(), connection))
        if len(self._idle) > MOST_IDLE and (oldest := self._pop(newest=False)):
            oldest[1].close()

    def close(self) -> None:
        while found := self._pop(newest=True):
            found[1].close()


@dataclass(frozen=True)
class Request:
    """`body`: bytes, or pieces as they are asked for, which can be had once.

    `again`: to send it twice does no harm; of a POST, as long as it was refused. `patience`: how long its answer may
    take; None: the session's timeout.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Iterator[bytes] | None = None
    length: int | None = None  # of what comes in pieces, where it is known
    again: bool = True
    patience: float | None = None

    @property
    def rewinds(self) -> bool:
        return self.body is None or isinstance(self.body, bytes)


def post(target: str, body: Mapping[str, Any], **others: Any) -> Request:
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return Request("POST", target, {"Content-Type": "application/json"}, data, **others)
