"""What can go wrong. Everything that this package raises on purpose is an SbxError."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .values import RunResult


class SbxError(Exception):
    """Any error of sbx."""


class ConnectionFailed(SbxError):
    """The server cannot be reached, or the connection broke before its answer was whole.

    `refused`: nothing was sent, as nobody listens there.
    """

    def __init__(self, text: str, *, refused: bool = False) -> None:
        super().__init__(text)
        self.refused = refused


class TimedOut(SbxError, TimeoutError):
    """The server did not answer in time. It says nothing about a program: see RunResult.outcome."""


class ProtocolError(SbxError):
    """The server's answer is none that it may give."""


class RunFailed(SbxError):
    """RunResult.check(): the program did not exit with 0."""

    def __init__(self, result: RunResult) -> None:
        text = f"{result.outcome}: {result.message}"
        if result.stderr.strip():
            text += "\n" + result.stderr.strip()[-2000:]
        super().__init__(text)
        self.result = result


class Problem(SbxError):
    """The server's refusal (RFC 9457): `status`, `title` and `detail`, and all of it in `body`.

    `retry_after`: the seconds it asks to wait; None: it said nothing.
    """

    def __init__(self, status: int, title: str, detail: str, body: Mapping[str, Any] | None = None,
                 retry_after: float | None = None) -> None:
        super().__init__(f"{status} {title}: {detail}" if detail else f"{status} {title}")
        self.status = status
        self.title = title
        self.detail = detail
        self.body: Mapping[str, Any] = body or {}
        self.retry_after = retry_after


class BadRequest(Problem):
    """400: something is wrong with the request; `detail` names it."""


class Unauthorized(Problem):
    """401: no token, or one that is not known."""


class Forbidden(Problem):
    """403: the token may not do that."""


class NotFound(Problem):
    """404: there is no such run, sandbox or file, or it is somebody else's."""


class Conflict(Problem):
    """409: not in the state that it is in; `detail` has the state."""


class Gone(Problem):
    """410: what was asked for was there, and is kept no more."""


class PreconditionFailed(Problem):
    """412: a file is not the one that was expected."""


class Unprocessable(Problem):
    """422: a sandbox cannot be made; `detail` has the reason."""


class TooManyRequests(Problem):
    """429: there are as many sandboxes as may be, or requests came too fast."""


class Unavailable(Problem):
    """503: the server is being stopped, or cannot take work now."""


PROBLEMS: Mapping[int, type[Problem]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    412: PreconditionFailed,
    422: Unprocessable,
    429: TooManyRequests,
    503: Unavailable,
}
