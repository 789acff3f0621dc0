"""Client: for programs that wait."""

from __future__ import annotations

import contextlib
import os
import ssl
import weakref
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from .blocking_driver import Driver
from .core import files as file_plans
from .core import follow
from .core import project_files as file_of_project_plans
from .core import projects as project_plans
from .core import runs as run_plans
from .core import sandboxes as sandbox_plans
from .core.session import Session, find_endpoint
from .core.signatures import named, takes_after
from .core.steps import Plan, Stream
from .errors import SbxError
from .events import Event, Exit
from .values import RunResult, SandboxInfo

C = TypeVar("C")
Co = TypeVar("Co", covariant=True)
P = ParamSpec("P")
T = TypeVar("T")


class _Has(Protocol[Co]):
    """What has a driver, and what plans are about."""

    @property
    def _core(self) -> Co: ...

    @property
    def _driver(self) -> Driver: ...


def _method(plan: Callable[Concatenate[C, P], Plan[T]]) -> Callable[Concatenate[_Has[C], P], T]:
    def method(self: _Has[C], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._driver.run(plan(self._core, *args, **kwargs))
    return takes_after(method, plan, "self", instead=True)


def _iterator(plan: Callable[Concatenate[C, P], Stream[T]]) -> Callable[Concatenate[_Has[C], P], Iterator[T]]:
    def method(self: _Has[C], /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return self._driver.iterate(plan(self._core, *args, **kwargs))
    return takes_after(method, plan, "self", instead=True)


class EventStream(Iterator[Event]):
    """Events of a run. Who leaves before `exit` (`close`, or the end of `with`) cancels a run that was begun with it."""

    def __init__(self, driver: Driver, following: follow.Follow) -> None:
        self._driver = driver
        self._follow = following
        driver.run(following.begin())
        self._events = driver.iterate(following.events())

    @property
    def run_id(self) -> str:
        return self._follow.run_id

    @property
    def last_event_id(self) -> str | None:
        return self._follow.last_event_id

    @property
    def exit(self) -> Exit | None:
        return self._follow.exit

    def __next__(self) -> Event:
        return next(self._events)

    def __enter__(self) -> EventStream:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        if (close := getattr(self._events, "close", None)) is not None:
            close()
        self._driver.run(self._follow.leave())

    def result(self) -> RunResult:
        """The run at its end."""
        return self._driver.run(self._follow.result())


def _stream(plan: Callable[Concatenate[C, P], follow.Follow]) -> Callable[Concatenate[_Has[C], P], EventStream]:
    def method(self: _Has[C], /, *args: P.args, **kwargs: P.kwargs) -> EventStream:
        return EventStream(self._driver, plan(self._core, *args, **kwargs))
    return takes_after(method, plan, "self", instead=True)


@named
class Sandbox:
    """A sandbox of many commands. `with` destroys it at its end, unless `keep`."""

    def __init__(self, driver: Driver, place: sandbox_plans.Place, keep: bool) -> None:
        self._driver = driver
        self._core = place
        self.keep = keep

    @property
    def id(self) -> str:
        return self._core.info.id

    @property
    def info(self) -> SandboxInfo:
        """As it was told last; `refresh()` asks."""
        return self._core.info

    execute = _method(sandbox_plans.execute)
    start = _method(sandbox_plans.start)
    stream = _stream(sandbox_plans.stream)
    run_code = _method(sandbox_plans.run_code)
    start_code = _method(sandbox_plans.start_code)
    stream_code = _stream(sandbox_plans.stream_code)
    run_tests = _method(sandbox_plans.run_tests)
    read_file = _method(file_plans.read_file)
    read_text = _method(file_plans.read_text)
    write_file = _method(file_plans.write_file)
    download = _method(file_plans.download)
    list_files = _method(file_plans.list_files)
    stat = _method(file_plans.stat)
    delete_file = _method(file_plans.delete_file)
    make_directory = _method(file_plans.make_directory)
    move_file = _method(file_plans.move_file)
    refresh = _method(sandbox_plans.refresh)
    stats = _method(sandbox_plans.stats)
    watch_stats = _iterator(sandbox_plans.watch_stats)
    pause = _method(sandbox_plans.pause)
    resume = _method(sandbox_plans.resume)
    reset = _method(sandbox_plans.reset)
    stop = _method(sandbox_plans.stop)
    destroy = _method(sandbox_plans.destroy)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.keep:
            return
        # An error of the block says more than one of its end.
        with contextlib.suppress(*(() if error is None else (SbxError,))):
            self.destroy()


def _sandbox(plan: Callable[Concatenate[C, P], Plan[sandbox_plans.Place]], *,
             keep: bool) -> Callable[Concatenate[_Has[C], P], Sandbox]:
    def method(self: _Has[C], /, *args: P.args, **kwargs: P.kwargs) -> Sandbox:
        place = self._driver.run(plan(self._core, *args, **kwargs))
        return Sandbox(self._driver, place, bool(kwargs.get("keep", keep)))
    return takes_after(method, plan, "self", instead=True)


@named
class Client:
    """A client of sbxd: at a Unix socket (else that of SBX_SOCKET, else /run/sbx/sbxd.sock), or at a URL with a token.

    `timeout`: seconds for an answer, and of silence; `wait_timeout`: until a program has ended; `retry_for`: how long
    something is tried again that was refused for now (429, 503) or whose connection broke.
    """

    def __init__(self, socket: str | os.PathLike[str] | None = None, *, url: str | None = None, token: str | None = None,
                 tls: ssl.SSLContext | None = None, timeout: float = 30.0, wait_timeout: float = 3600.0,
                 retry_for: float = 30.0) -> None:
        endpoint = find_endpoint(socket, url, token, tls)
        self._core = run_plans.Server(Session(endpoint, token, timeout, wait_timeout, retry_for))
        self._driver = Driver(endpoint)
        self._end = weakref.finalize(self, self._core.session.close)

    def close(self) -> None:
        self._end()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    execute = _method(run_plans.execute)
    start = _method(run_plans.start)
    stream = _stream(follow.stream)
    run_code = _method(run_plans.run_code)
    start_code = _method(run_plans.start_code)
    stream_code = _stream(follow.stream_code)
    run = _method(run_plans.get_run)
    wait = _method(run_plans.wait)
    cancel = _method(run_plans.cancel)
    runs = _iterator(run_plans.runs)
    output = _iterator(run_plans.output)
    events = _stream(follow.events)
    sandboxes = _iterator(sandbox_plans.sandboxes)
    get_sandbox = _sandbox(sandbox_plans.get_sandbox, keep=False)
    find_sandbox = _sandbox(sandbox_plans.find_sandbox, keep=True)
    projects = _iterator(project_plans.projects)
    project = _method(project_plans.project)
    create_project = _method(project_plans.create_project)
    limit_project = _method(project_plans.limit_project)
    rename_project = _method(project_plans.rename_project)
    delete_project = _method(project_plans.delete_project)
    transactions = _method(project_plans.transactions)
    changes = _method(project_plans.changes)
    patch = _method(project_plans.patch)
    commit = _method(project_plans.commit)
    discard = _method(project_plans.discard)
    snapshots = _method(project_plans.snapshots)
    take_snapshot = _method(project_plans.take_snapshot)
    restore_snapshot = _method(project_plans.restore_snapshot)
    remove_snapshot = _method(project_plans.remove_snapshot)
    project_files = _method(file_of_project_plans.project_files)
    project_file = _method(file_of_project_plans.project_file)
    read_project_file = _method(file_of_project_plans.read_project_file)
    download_project_file = _method(file_of_project_plans.download_project_file)
    download_project_folder = _method(file_of_project_plans.download_project_folder)
    upload = _method(file_of_project_plans.upload)
    write_project_file = _method(file_of_project_plans.write_project_file)
    extract_archive = _method(file_of_project_plans.extract_archive)
    delete_project_file = _method(file_of_project_plans.delete_project_file)
    make_project_folder = _method(file_of_project_plans.make_project_folder)
    move_project_file = _method(file_of_project_plans.move_project_file)
    check_project_files = _method(file_of_project_plans.check_project_files)
