"""Lists that are asked for by pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import urlencode

from ..values import Json, get, objects
from .bodies import some
from .exchange import ask_json
from .session import Request, Session
from .steps import Give, Plan, Stream

T = TypeVar("T")


def paged(session: Session, target: str, query: Mapping[str, object], name: str,
          read: Callable[[Json], T]) -> Stream[T]:
    """All entries of the lists called `name`, page by page."""
    def plan() -> Plan[None]:
        cursor: str | None = None
        while True:
            words = urlencode({**query, **some(cursor=cursor)}, doseq=True)
            json = yield from ask_json(session, Request("GET", f"{target}?{words}"))
            for entry in objects(json, name):
                yield Give(read(entry))
            cursor = get(json, "next_cursor", str)
            if cursor is None:
                return
    return Stream(plan())
