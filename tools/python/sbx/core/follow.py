"""Events of a run, over as many connections as it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec

from ..errors import ConnectionFailed, ProtocolError, SbxError, TimedOut
from ..events import Event, Exit, event_of
from ..values import RunResult
from . import runs
from .bodies import Body, own_code_body, own_command_body
from .exchange import ask
from .session import Request, Session
from .signatures import takes_after
from .sse import EventParser
from .steps import Give, Plan, Sleep, Stream

P = ParamSpec("P")
SILENCE = 60.0  # the server says something every 15 s
PAUSE = 0.2


class Follow:
    """`begin`: what makes the run; it is cancelled when nobody follows it to its end. None: it is there already."""

    def __init__(self, session: Session, begin: Plan[RunResult] | None, run_id: str = "", after: str | None = None) -> None:
        self.session = session
        self.run_id = run_id
        self.last_event_id = after
        self.exit: Exit | None = None
        self._begin = begin
        self._own = begin is not None

    def begin(self) -> Plan[None]:
        if self._begin is not None:
            begin, self._begin = self._begin, None
            self.run_id = (yield from begin).run_id

    def events(self) -> Stream[Event]:
        return Stream(self._follow())

    def leave(self) -> Plan[None]:
        if not self._own or not self.run_id or self.exit is not None:
            return
        self._own = False
        try:
            yield from runs.cancel_quietly(self.session, self.run_id)
        except SbxError:
            return  # it cannot be reached; the run has a limit of time

    def result(self) -> Plan[RunResult]:
        return runs.wait(runs.Server(self.session), self.run_id)

    def _follow(self) -> Plan[None]:
        yield from self.begin()
        give_up: float | None = None
        try:
            while True:
                before = self.last_event_id
                try:
                    yield from self._one_connection()
                    if self.exit is not None:
                        return
                    broken: SbxError = ConnectionFailed("the server ended the events before the run ended")
                except (ConnectionFailed, TimedOut) as error:
                    broken = error
                now = self.session.clock()
                if give_up is None or self.last_event_id != before:
                    give_up = now + self.session.retry_for
                if now > give_up:
                    raise broken
                yield Sleep(PAUSE)
        except SbxError:
            raise
        except BaseException:  # Left, an interrupt, or what who iterates threw in
            yield from self.leave()
            raise

    def _one_connection(self) -> Plan[None]:
        headers = {"Accept": "text/event-stream"}
        if self.last_event_id:
            headers["Last-Event-ID"] = self.last_event_id
        answer = yield from ask(self.session, Request("GET", runs.run_target(self.run_id, "/events"), headers))
        try:
            if answer.head.content_type != "text/event-stream":
                raise ProtocolError(f"the events are '{answer.head.content_type}'")
            parser = EventParser()
            while part := (yield from answer.read(SILENCE)):
                for message in parser.feed(part):
                    event = event_of(message)
                    self.last_event_id = message.id or self.last_event_id
                    if isinstance(event, Exit):
                        self.exit = event
                    yield Give(event)
                    if self.exit is not None:
                        return
        finally:
            answer.close()


def followed(make: Callable[P, Body]) -> Callable[Concatenate[runs.Runner, P], Follow]:
    """What `make` makes, begun and followed."""
    def plan(runner: runs.Runner, /, *args: P.args, **kwargs: P.kwargs) -> Follow:
        return Follow(runner.session, runs.start_body(runner, make(*args, **kwargs)))
    return takes_after(plan, make, "runner")


def events(server: runs.Server, run_id: str, *, after: str | None = None) -> Follow:
    """The events of a run that is there; `after`: the id of an event, behind which to go on."""
    return Follow(server.session, None, run_id, after)


stream = followed(own_command_body)
stream_code = followed(own_code_body)
