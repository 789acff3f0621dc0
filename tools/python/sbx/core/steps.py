"""The steps of a plan, which a driver takes (blocking.py, asynchronous.py)."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

T = TypeVar("T")


class Connection(Protocol):
    """A driver's connection. OSError: it broke; TimeoutError, which is one: nothing happened for too long."""

    def close(self) -> None: ...

    def alive(self) -> bool:
        """Nothing came, and no end, since the last answer."""


@dataclass(frozen=True, slots=True)
class Open:
    """A new Connection."""

    timeout: float


@dataclass(frozen=True, slots=True)
class Send:
    connection: Any
    data: bytes | memoryview
    timeout: float


@dataclass(frozen=True, slots=True)
class Receive:
    """Some bytes; none: the end."""

    connection: Any
    timeout: float


@dataclass(frozen=True, slots=True)
class Sleep:
    seconds: float


@dataclass(frozen=True, slots=True)
class Call:
    """Something that may take its time: reading or writing a file of this machine."""

    function: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Give:
    """Something for who iterates. Left is raised here when they want no more."""

    value: Any


class Left(BaseException):
    """Who iterated has left."""


Step: TypeAlias = Open | Send | Receive | Sleep | Call | Give
Plan: TypeAlias = Generator[Step, Any, T]


@dataclass(frozen=True, slots=True)
class Stream(Generic[T]):
    """A plan that gives things of a type."""

    plan: Plan[None]


def call(function: Callable[[], T]) -> Plan[T]:
    result: T = yield Call(function)
    return result
