"""Plans of runs: programs in sandboxes of their own, and commands of those that live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Concatenate, ParamSpec, Protocol, TypeVar
from urllib.parse import quote, urlencode

from ..values import Captured, RunResult
from ..errors import Conflict, NotFound
from .bodies import Body, own_code_body, own_command_body, some
from .exchange import ask, ask_json
from .pages import paged
from .session import Request, Session, post
from .signatures import takes_after
from .steps import Give, Plan, Stream

P = ParamSpec("P")
T = TypeVar("T")


class Runner(Protocol):
    """Where runs begin: at the server, or in a sandbox."""

    @property
    def session(self) -> Session: ...

    @property
    def begin_at(self) -> str: ...


class Server:
    begin_at = "/v1/runs"

    def __init__(self, session: Session) -> None:
        self.session = session


def run_target(run_id: str, rest: str = "", **query: str | None) -> str:
    words = urlencode(some(**query))
    return f"/v1/runs/{quote(run_id, safe='')}{rest}" + (f"?{words}" if words else "")


def read_output(session: Session, run_id: str, stream: str) -> Plan[bytes]:
    answer = yield from ask(session, Request("GET", run_target(run_id, "/output", stream=stream)))
    return (yield from answer.read_all(1 << 40))


def _with_output(session: Session, result: RunResult) -> Plan[RunResult]:
    """What was too long for the result is asked for."""
    for name, stream in (("out", "stdout"), ("err", "stderr")):
        captured: Captured = getattr(result, name)
        if captured.elsewhere:
            content = yield from read_output(session, result.run_id, stream)
            result = replace(result, **{name: replace(captured, content=content, elsewhere=False)})
    return result


def wait_for_body(runner: Runner, body: Body) -> Plan[RunResult]:
    """The server cancels the run of who goes away (and gave no key); so it is not asked again when the connection breaks."""
    session = runner.session
    patience = session.wait_timeout + (body.timeout or 0)
    json = yield from ask_json(session, post(runner.begin_at + "?wait", body.json, again=False, patience=patience))
    return (yield from _with_output(session, RunResult.of(json)))


def start_body(runner: Runner, body: Body) -> Plan[RunResult]:
    return RunResult.of((yield from ask_json(runner.session, post(runner.begin_at, body.json))))


def waited(make: Callable[P, Body]) -> Callable[Concatenate[Runner, P], Plan[RunResult]]:
    """The plan that runs what `make` makes, until its end."""
    def plan(runner: Runner, /, *args: P.args, **kwargs: P.kwargs) -> Plan[RunResult]:
        return wait_for_body(runner, make(*args, **kwargs))
    return takes_after(plan, make, "runner")


def started(make: Callable[P, Body]) -> Callable[Concatenate[Runner, P], Plan[RunResult]]:
    """The plan that begins what `make` makes."""
    def plan(runner: Runner, /, *args: P.args, **kwargs: P.kwargs) -> Plan[RunResult]:
        return start_body(runner, make(*args, **kwargs))
    return takes_after(plan, make, "runner")


execute = waited(own_command_body)
start = started(own_command_body)
run_code = waited(own_code_body)
start_code = started(own_code_body)


def get_run(server: Server, run_id: str, *, output: bool = True) -> Plan[RunResult]:
    """A run as it is now; without `output`, all but what it wrote."""
    json = yield from ask_json(server.session, Request("GET", run_target(run_id, output=None if output else "false")))
    return (yield from _with_output(server.session, RunResult.of(json)))


def wait(server: Server, run_id: str) -> Plan[RunResult]:
    """A run at its end."""
    session = server.session
    json = yield from ask_json(session, Request("GET", run_target(run_id, wait=""), patience=session.wait_timeout))
    return (yield from _with_output(session, RunResult.of(json)))


def cancel(server: Server, run_id: str) -> Plan[RunResult]:
    """SIGTERM to a run, and after 5 s, or when asked twice, its end. Conflict: it has ended."""
    return RunResult.of((yield from ask_json(server.session, Request("DELETE", run_target(run_id), again=False))))


def cancel_quietly(session: Session, run_id: str) -> Plan[None]:
    """Of a run that nobody follows any more: at once."""
    for _ in range(2):
        try:
            yield from cancel(Server(session), run_id)
        except (Conflict, NotFound):
            return


def _moment(when: datetime | str | None) -> str | None:
    if not isinstance(when, datetime):
        return when
    return str(int(when.timestamp() * 1000))  # of one without a zone: as it is here


def runs(server: Server, *, project_id: str | None = None, task_id: str | None = None, sandbox_id: str | None = None,
         outcome: str | None = None, status: str | None = None, label: str | Sequence[str] | None = None,
         since: datetime | str | None = None, until: datetime | str | None = None, page: int = 100) -> Stream[RunResult]:
    """All runs that are so, the newest first, without their output; they are asked for by pages.

    `label`: NAME or NAME=VALUE, or several of them; `since`, `until`: made then or later, and before (RFC 3339).
    """
    query = some(project_id=project_id, task_id=task_id, sandbox_id=sandbox_id, outcome=outcome, status=status, label=label,
                 since=_moment(since), until=_moment(until), limit=page)

    return paged(server.session, "/v1/runs", query, "runs", RunResult.of)


def output(server: Server, run_id: str, stream: str = "stdout") -> Stream[bytes]:
    """What a run has written so far, in pieces."""
    def plan() -> Plan[None]:
        answer = yield from ask(server.session, Request("GET", run_target(run_id, "/output", stream=stream)))
        try:
            while part := (yield from answer.read()):
                yield Give(part)
        finally:
            answer.close()
    return Stream(plan())
