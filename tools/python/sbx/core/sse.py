"""Server-Sent Events (HTML, section 9.2.6): bytes, cut anywhere, become messages."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ProtocolError

MOST_MESSAGE = 16 << 20


@dataclass(frozen=True, slots=True)
class Message:
    event: str
    data: str
    id: str  # also of an earlier one: where to go on


class EventParser:
    def __init__(self) -> None:
        self._line = bytearray()
        self._after_return = False
        self._first = True
        self._event = ""
        self._data: list[str] = []
        self._size = 0
        self._id = ""

    def feed(self, data: bytes) -> list[Message]:
        messages: list[Message] = []
        for piece in data.splitlines(keepends=True):  # \n, \r\n and \r, as the standard has it
            if self._after_return and piece == b"\n":
                self._after_return = False
                continue
            self._after_return = piece.endswith(b"\r")
            self._line += piece.rstrip(b"\r\n")
            if len(self._line) + self._size > MOST_MESSAGE:
                raise ProtocolError(f"an event is longer than {MOST_MESSAGE} bytes")
            if piece.endswith((b"\r", b"\n")):
                message = self._end_line()
                if message:
                    messages.append(message)
        return messages

    def _end_line(self) -> Message | None:
        try:
            line = self._line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ProtocolError(f"an event is no UTF-8: {error}") from None
        self._line.clear()
        if self._first:
            line = line.removeprefix("\ufeff")
            self._first = False
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)
            self._size += len(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        return None  # a comment (without a name) or a field that nobody knows

    def _dispatch(self) -> Message | None:
        message = Message(self._event or "message", "\n".join(self._data), self._id) if self._data else None
        self._event, self._data, self._size = "", [], 0
        return message
