"""Plans of sandboxes of many commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from ..errors import Conflict, NotFound
from ..values import SandboxInfo, SandboxStats
from .bodies import Limits, code_body, command_body, milliseconds, sandbox_body, some, tests_body
from .exchange import ask, ask_json, decode_object
from .follow import followed
from .pages import paged
from .runs import Server, started, waited
from .session import Request, Session, post
from .sse import EventParser
from .steps import Give, Plan, Stream


class Place:
    """A sandbox, as it was told last."""

    def __init__(self, session: Session, info: SandboxInfo) -> None:
        self.session = session
        self.info = info

    @property
    def target(self) -> str:
        return f"/v1/sandboxes/{quote(self.info.id, safe='')}"

    @property
    def begin_at(self) -> str:
        return self.target + "/exec"


def get_sandbox(
        server: Server, *, task_id: str | None = None, image: str | None = None, policy: str | None = None,
        project_id: str | None = None, workspace_mode: str | None = None, transaction: str | None = None,
        hostname: str | None = None, env: Mapping[str, str] | None = None, limits: Limits | None = None,
        labels: Mapping[str, str] | None = None, binds: Sequence[Mapping[str, str]] | None = None,
        configuration: str | None = None, idle: float | None = None, total: float | None = None, keep: bool = False) -> Plan[Place]:
    """A sandbox of many commands: of the task, where it has one that was made in the same way, else a new one.

    `with` destroys it at its end, unless `keep`. `binds`: of the host, [{"host": …, "inside": …, "mode": "ro"}], what the
    policy grants. `configuration`: of the project, has what is not said here. `idle` and `total`: after so many seconds without a command, and of
    age, the server destroys it.
    """
    del keep  # of who has the sandbox
    body = sandbox_body(task_id=task_id, image=image, policy=policy, project_id=project_id, workspace_mode=workspace_mode,
                        transaction=transaction, hostname=hostname, env=env, limits=limits, labels=labels, binds=binds, configuration=configuration,
                        idle=idle, total=total)
    json = yield from ask_json(server.session, post("/v1/sandboxes", body, patience=server.session.wait_timeout))
    return Place(server.session, SandboxInfo.of(json))


def find_sandbox(server: Server, sandbox_id: str | None = None, *, task_id: str | None = None) -> Plan[Place]:
    """The sandbox with that id, or of that task. NotFound: there is none."""
    if (sandbox_id is None) == (task_id is None):
        raise ValueError("give the id of a sandbox or of a task")
    name = quote(sandbox_id if sandbox_id is not None else f"task:{task_id}", safe=":")
    json = yield from ask_json(server.session, Request("GET", f"/v1/sandboxes/{name}"))
    return Place(server.session, SandboxInfo.of(json))


def sandboxes(server: Server, *, project_id: str | None = None, task_id: str | None = None, state: str | None = None,
              label: str | None = None, page: int = 1000) -> Stream[SandboxInfo]:
    """All sandboxes that are so, the oldest first; they are asked for by pages. `label`: NAME or NAME=VALUE."""
    query = some(project_id=project_id, task_id=task_id, state=state, label=label, limit=page)
    return paged(server.session, "/v1/sandboxes", query, "sandboxes", SandboxInfo.of)


execute = waited(command_body)
start = started(command_body)
stream = followed(command_body)
run_code = waited(code_body)
start_code = started(code_body)
stream_code = followed(code_body)
run_tests = waited(tests_body)


def _told(place: Place, request: Request) -> Plan[SandboxInfo]:
    place.info = SandboxInfo.of((yield from ask_json(place.session, request)))
    return place.info


def refresh(place: Place) -> Plan[SandboxInfo]:
    """What the server says of it now."""
    return _told(place, Request("GET", place.target))


def pause(place: Place) -> Plan[SandboxInfo]:
    """Nothing in it runs until `resume`."""
    return _told(place, post(place.target + "/pause", {}, again=False))


def resume(place: Place) -> Plan[SandboxInfo]:
    """What was paused goes on."""
    return _told(place, post(place.target + "/resume", {}, again=False))


def reset(place: Place) -> Plan[SandboxInfo]:
    """As it was when it was made: no processes, and nothing that was written but the project's own files."""
    return _told(place, post(place.target + "/reset", {}, patience=place.session.wait_timeout))


def stop(place: Place) -> Plan[SandboxInfo]:
    """SIGTERM to all in it, and after 5 s its end."""
    return _told(place, post(place.target + "/stop", {}, again=False, patience=place.session.wait_timeout))


def destroy(place: Place) -> Plan[SandboxInfo]:
    """Its end, at once. One that is gone already is none to complain of."""
    try:
        return (yield from _told(place, Request("DELETE", place.target)))
    except (NotFound, Conflict):  # it is over
        return place.info


def stats(place: Place) -> Plan[SandboxStats]:
    """What it has used so far."""
    return SandboxStats.of((yield from ask_json(place.session, Request("GET", place.target + "/stats"))))


def watch_stats(place: Place, *, every: float = 1.0) -> Stream[SandboxStats]:
    """The same again and again, every so many seconds, until the sandbox ends."""
    request = Request("GET", f"{place.target}/stats?every_ms={milliseconds(every)}", {"Accept": "text/event-stream"})

    def plan() -> Plan[None]:
        answer = yield from ask(place.session, request)
        try:
            parser = EventParser()
            while part := (yield from answer.read(every + place.session.timeout)):
                for message in parser.feed(part):
                    yield Give(SandboxStats.of(decode_object(message.data.encode("utf-8"), "an event")))
        finally:
            answer.close()
    return Stream(plan())
