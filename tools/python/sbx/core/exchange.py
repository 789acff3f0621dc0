"""One request and its answer, on a connection that is there or a new one; and again where that does no harm."""

from __future__ import annotations

import email.utils
import json
import time
import uuid
from dataclasses import replace
from functools import partial
from typing import Any

from ..errors import PROBLEMS, ConnectionFailed, Problem, ProtocolError, TimedOut, TooManyRequests, Unavailable
from .http import AnswerParser, Head, encode_chunk, encode_head
from .session import Request, Session
from .steps import Call, Connection, Open, Plan, Receive, Send, Sleep

MOST_PROBLEM = 1 << 20
MOST_JSON = 256 << 20
PIECE = 256 << 10
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0


class Answer:
    """Its head is there; the body is read as it is asked for. It has to be read to its end, or closed."""

    def __init__(self, session: Session, connection: Connection, method: str) -> None:
        self._session = session
        self._connection: Connection | None = connection
        self._parser = AnswerParser(method)
        self._first = b""

    @property
    def head(self) -> Head:
        assert self._parser.head is not None
        return self._parser.head

    @property
    def began(self) -> bool:
        return self._parser.began

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def read_head(self, timeout: float) -> Plan[None]:
        end = self._session.clock() + timeout
        while self._parser.head is None:
            self._first = yield from self._receive(end - self._session.clock())
        self._finish()

    def read(self, silence: float | None = None) -> Plan[bytes]:
        """The next bytes of the body; none: that was all of it."""
        if self._first:
            first, self._first = self._first, b""
            return first
        while not self._parser.complete:
            data = yield from self._receive(self._session.timeout if silence is None else silence)
            self._finish()
            if data:
                return data
        return b""

    def read_all(self, most: int) -> Plan[bytes]:
        parts: list[bytes] = []
        size = 0
        while part := (yield from self.read()):
            parts.append(part)
            size += len(part)
            if size > most:
                self.close()
                raise ProtocolError(f"the answer is longer than {most} bytes")
        return b"".join(parts)

    def _finish(self) -> None:
        if not self._parser.complete or self._connection is None:
            return
        if self._parser.keeps_alive:
            self._session.put_idle(self._connection)
            self._connection = None
        else:
            self.close()

    def _receive(self, timeout: float) -> Plan[bytes]:
        if self._connection is None:
            raise ConnectionFailed("the answer was closed before it was read")
        try:
            if timeout <= 0:
                raise TimeoutError
            data: bytes = yield Receive(self._connection, timeout)
            if not data:
                raise ConnectionFailed("the server closed the connection before its answer was whole")
            return self._parser.feed(data)
        except BaseException as error:
            self.close()
            raise _told(error, f"the server at {self._session.endpoint.name}") from error


def _told(error: BaseException, what: str) -> BaseException:
    if isinstance(error, TimeoutError):
        return TimedOut(f"{what} did not answer in time")
    return ConnectionFailed(f"{what}: {error}") if isinstance(error, OSError) else error


def _open(session: Session) -> Plan[Connection]:
    idle = session.take_idle()
    if idle is not None:
        return idle
    try:
        opened: Connection = yield Open(session.timeout)
        return opened
    except TimeoutError as error:
        raise TimedOut(f"{session.endpoint.name} accepts no connection") from error
    except OSError as error:
        text = f"no sbxd answers at {session.endpoint.name}: {error.strerror or error}"
        raise ConnectionFailed(text, refused=True) from error


def _headers(session: Session, request: Request) -> list[tuple[str, str]]:
    headers = [("Host", session.endpoint.host_header), ("User-Agent", "sbx-python"),
               *({"Accept": "application/json, application/problem+json, */*;q=0.5", **request.headers}.items())]
    if session.token is not None:
        headers.append(("Authorization", f"Bearer {session.token}"))
    if isinstance(request.body, bytes):
        headers.append(("Content-Length", str(len(request.body))))
    elif request.body is not None:
        headers.append(("Content-Length", str(request.length)) if request.length is not None
                       else ("Transfer-Encoding", "chunked"))
    elif request.method in ("POST", "PUT"):
        headers.append(("Content-Length", "0"))
    return headers


def _send(session: Session, connection: Connection, request: Request) -> Plan[None]:
    head = encode_head(request.method, session.endpoint.prefix + request.target, _headers(session, request))
    if request.body is None or isinstance(request.body, bytes):
        whole = memoryview(head + (request.body or b""))
        for start in range(0, len(whole), PIECE):
            yield Send(connection, whole[start:start + PIECE], session.timeout)
        return
    yield Send(connection, head, session.timeout)
    more = partial(next, request.body, b"")
    sent = 0
    while True:
        piece: bytes = yield Call(more)
        sent += len(piece)
        if request.length is not None and (sent > request.length or (not piece and sent < request.length)):
            raise ValueError(f"the content has not the {request.length} bytes that it seemed to have")
        if request.length is None:
            yield Send(connection, encode_chunk(piece), session.timeout)
        elif piece:
            yield Send(connection, piece, session.timeout)
        if not piece:
            return


def once(session: Session, request: Request) -> Plan[Answer]:
    """The answer, whatever it says."""
    connection = yield from _open(session)
    answer = Answer(session, connection, request.method)
    try:
        broken: OSError | None = None
        try:
            yield from _send(session, connection, request)
        except TimeoutError as error:
            raise TimedOut(f"the server at {session.endpoint.name} took no more of the request") from error
        except OSError as error:
            broken = error  # it may have refused the request before it had all of it, and have said why
        try:
            yield from answer.read_head(session.timeout if request.patience is None else request.patience)
        except ConnectionFailed:
            if broken is None:
                raise
            raise ConnectionFailed(f"the server at {session.endpoint.name}: {broken}") from broken
        return answer
    except BaseException:
        answer.close()
        raise


def _seconds(text: str | None) -> float | None:
    """Retry-After: a number of seconds, or a date."""
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def problem_of(answer: Answer) -> Plan[Problem]:
    head = answer.head
    body: Any = None
    data = yield from answer.read_all(MOST_PROBLEM)
    if head.content_type in ("application/problem+json", "application/json"):
        body = decode_json(data)
    if not isinstance(body, dict):
        body = {"detail": data.decode("utf-8", "replace")[:1000].strip()}
    title, detail = body.get("title"), body.get("detail")
    kind = PROBLEMS.get(head.status, Problem)
    return kind(head.status, title if isinstance(title, str) else head.reason, detail if isinstance(detail, str) else "",
                body, _seconds(head.header("retry-after")))


def ask(session: Session, request: Request) -> Plan[Answer]:
    """The answer where it is none of a refusal. What was refused for now is asked again."""
    if request.method == "POST" and request.again:
        request = replace(request, headers={**request.headers, "Idempotency-Key": str(uuid.uuid4())})
    give_up = session.clock() + session.retry_for
    pause = _FIRST_PAUSE
    while True:
        try:
            answer = yield from once(session, request)
            if 200 <= answer.head.status < 300:
                return answer
            raise (yield from problem_of(answer))
        except (TooManyRequests, Unavailable) as problem:
            delay = pause if problem.retry_after is None else problem.retry_after
            if not request.rewinds or session.clock() + delay > give_up:
                raise
        except ConnectionFailed as error:
            delay = pause
            if error.refused or not request.again or not request.rewinds or session.clock() + delay > give_up:
                raise
        yield Sleep(delay)
        pause = min(2 * pause, _LONGEST_PAUSE)


def decode_json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the answer is no JSON: {error}") from None


def decode_object(data: bytes, what: str) -> dict[str, Any]:
    found = decode_json(data)
    if not isinstance(found, dict):
        raise ProtocolError(f"{what} is no JSON object")
    return found


def ask_json(session: Session, request: Request) -> Plan[dict[str, Any]]:
    answer = yield from ask(session, request)
    if answer.head.content_type != "application/json":
        answer.close()
        raise ProtocolError(f"the answer is '{answer.head.content_type}', not JSON")
    return decode_object((yield from answer.read_all(MOST_JSON)), "the answer")
