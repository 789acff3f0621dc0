"""HTTP/1.1 (RFC 9112): the bytes of a request, and the parser of an answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..errors import ProtocolError

MOST_HEAD = 64 << 10
MOST_LINE = 1024
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET = re.compile(r"/[\x21-\x7e]*")
_VALUE = re.compile(r"[\t\x20-\x7e]*")

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of an answer."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    minor: int = 1

    def header(self, name: str) -> str | None:
        """All values of that name, as one list."""
        values = [value for one, value in self.headers if one == name.lower()]
        return ", ".join(values) if values else None

    @property
    def content_type(self) -> str:
        return (self.header("content-type") or "").split(";")[0].strip().lower()


def encode_head(method: str, target: str, headers: Headers) -> bytes:
    """The bytes before the body. ValueError: something in it would be more than it seems."""
    if not _TARGET.fullmatch(target):
        raise ValueError(f"not a target of a request: {target!r}")
    lines = [f"{method} {target} HTTP/1.1"]
    for name, value in headers:
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"not a header: {name!r}: {value!r}")
        lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def encode_chunk(data: bytes) -> bytes:
    """A piece of a body whose length nobody knows yet; the empty one is its end."""
    return b"%x\r\n%s\r\n" % (len(data), data)


class AnswerParser:
    """One answer. Bytes are fed as they come; `head` is there when it was read, `complete` is true at its end."""

    def __init__(self, method: str) -> None:
        self.head: Head | None = None
        self.complete = False
        self.began = False
        self._method = method
        self._buffer = bytearray()
        self._body: list[bytes] = []
        self._left = 0
        self._trailers = 0
        self._state: Callable[[], bool] = self._read_head

    def feed(self, data: bytes) -> bytes:
        """Takes what came, and gives the bytes of the body that are in it."""
        self.began = self.began or bool(data)
        self._buffer += data
        while not self.complete and self._state():
            pass
        if self.complete and self._buffer:
            raise ProtocolError("the server sent more than its answer")
        body, self._body = b"".join(self._body), []
        return body

    @property
    def keeps_alive(self) -> bool:
        """Whether the connection may carry another request, once this answer is complete."""
        if self.head is None or not self.complete or self.head.minor == 0:
            return False
        return "close" not in [word.strip().lower() for word in (self.head.header("connection") or "").split(",")]

    # --- the states: each takes something off the buffer, or returns false as it needs more ---

    def _line(self, most: int, what: str) -> bytes | None:
        end = self._buffer.find(b"\r\n", 0, most + 2)
        if end < 0:
            if len(self._buffer) >= most + 2:
                raise ProtocolError(f"{what} of the answer is longer than {most} bytes")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[:end + 2]
        return line

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n", 0, MOST_HEAD + 4)
        if end < 0:
            if len(self._buffer) >= MOST_HEAD + 4:
                raise ProtocolError(f"the head of the answer is longer than {MOST_HEAD} bytes")
            if self._buffer and not b"HTTP/1.".startswith(bytes(self._buffer[:7])):
                raise ProtocolError(f"no answer of HTTP/1.1: {bytes(self._buffer[:40])!r}")
            return False
        head = parse_head(bytes(self._buffer[:end]))
        del self._buffer[:end + 4]
        if head.status == 101:
            raise ProtocolError("the server changed to another protocol that nobody asked for")
        if head.status < 200:
            return True  # another head follows
        self.head = head
        self._frame(head)
        return True

    def _frame(self, head: Head) -> None:
        """RFC 9112 section 6.3; but a body that only the end of the connection ends is refused: no one knows whether it is whole."""
        coding, length = head.header("transfer-encoding"), head.header("content-length")
        if coding is not None and (length is not None or coding.lower() != "chunked"):
            raise ProtocolError(f"the length of the answer is not clear: {coding!r}, {length!r}")
        if self._method == "HEAD" or head.status in (204, 304):
            self.complete = True
        elif coding is not None:
            self._state = self._read_size
        elif length is None:
            raise ProtocolError("the answer does not say how long it is")
        elif not re.fullmatch("[0-9]{1,18}", length):
            raise ProtocolError(f"the length of the answer is no number: {length[:40]!r}")
        else:
            self._left = int(length)
            self._state = self._read_length
            self.complete = self._left == 0

    def _take(self) -> None:
        piece = bytes(self._buffer[:self._left])
        del self._buffer[:len(piece)]
        self._left -= len(piece)
        self._body.append(piece)

    def _read_length(self) -> bool:
        self._take()
        self.complete = self._left == 0
        return False

    def _read_size(self) -> bool:
        line = self._line(MOST_LINE, "a chunk's size")
        if line is None:
            return False
        size = _CHUNK.fullmatch(line)
        if size is None:
            raise ProtocolError(f"a chunk of the answer has no size: {line[:40]!r}")
        self._left = int(size[1], 16)
        self._state = self._read_chunk if self._left else self._read_trailer
        return True

    def _read_chunk(self) -> bool:
        self._take()
        if self._left or len(self._buffer) < 2:
            return False
        if self._buffer[:2] != b"\r\n":
            raise ProtocolError("a chunk of the answer is longer than its size")
        del self._buffer[:2]
        self._state = self._read_size
        return True

    def _read_trailer(self) -> bool:
        line = self._line(MOST_HEAD - self._trailers, "the end")
        if line is None:
            return False
        self._trailers += len(line)
        self.complete = not line
        return True


def parse_head(data: bytes) -> Head:
    """Without the empty line that ends it."""
    first, *lines = data.split(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None:
        raise ProtocolError(f"no answer of HTTP/1.1: {first[:40]!r}")
    headers = []
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise ProtocolError(f"not a header: {line[:40]!r}")
        headers.append((field[1].decode("ascii").lower(), field[2].decode("latin-1")))
    return Head(int(status[2]), (status[3] or b"").decode("latin-1"), tuple(headers), int(status[1]))
