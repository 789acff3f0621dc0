"""Requests to a real sbxd, each of them and its answer held against the document."""

import http.client
import json
import socket
import struct
from urllib.parse import quote, urlencode

from .document import Document


class Connection(http.client.HTTPConnection):
    """`place`: the path of a Unix socket, or a port of this host."""

    def __init__(self, place: str | int) -> None:
        super().__init__("sbx", timeout=120)
        self._place = place

    def connect(self) -> None:
        if isinstance(self._place, int):
            self.sock = socket.create_connection(("127.0.0.1", self._place))
        else:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(self._place)
        self.sock.settimeout(120)


class Answer:
    def __init__(self, status: int, headers, body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"{self.status} {self.body[:300]!r}"


def messages(reader):
    """The texts and bytes of a WebSocket until it is closed; how it was, last (RFC 6455, section 5.2)."""
    while True:
        head = reader.read(2)
        length = head[1] & 0x7F
        if length == 126:
            length = struct.unpack(">H", reader.read(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", reader.read(8))[0]
        payload = reader.read(length)
        if head[0] & 0x0F == 8:
            yield struct.unpack(">H", payload[:2])[0]
            return
        if head[0] & 0x0F == 1:
            yield payload.decode()
        if head[0] & 0x0F == 2:
            yield payload


def frame(message: str | bytes) -> bytes:
    payload = message.encode() if isinstance(message, str) else message
    assert len(payload) < 126
    return bytes([0x81 if isinstance(message, str) else 0x82, 0x80 | len(payload)]) + bytes(4) + payload  # masked with zeros


class Caller:
    def __init__(self, document: Document, place: str | int, token: str | None = None) -> None:
        self.document, self.place, self.token = document, place, token

    def ask(self, method: str, path: str, body=None, query=(), headers=None, wrong: bool = False, says=(), closed: int = 1000) -> Answer:
        """`wrong`: it is not as the document says. A body that is no dict is sent as it is. `says`: messages to a WebSocket, JSON and
        bytes, which is then closed with `closed`; the bytes that came are the body of the answer."""
        query = list(query.items()) if isinstance(query, dict) else list(query)
        headers = dict(headers or {})
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        operation = self.document.of(method, path)
        faults = self.document.request_faults(operation, query, headers, body)
        if faults and not wrong:
            self.document.fault(f"{method} {path}: a request that the document does not have: {faults}: {body}")
        connection = Connection(self.place)
        target = quote(path, safe="/:") + ("?" + urlencode(query) if query else "")
        try:
            connection.request(method, target, json.dumps(body) if isinstance(body, dict) else body, headers)
        except BrokenPipeError:
            pass  # it has its answer before its end
        response = connection.getresponse()
        told: list[str] = []
        if response.status == 101 and response.headers["Upgrade"] == "websocket":
            for message in says:
                connection.sock.sendall(frame(message if isinstance(message, bytes) else json.dumps(message)))
            told = list(messages(response.fp))
            for text in filter(lambda one: isinstance(one, str), told[:-1]):
                self.document.check_event(f"{method} {path}", operation.responses["101"]["x-websocket-message"], text)
            if told[-1] != closed:
                self.document.fault(f"{method} {path}: the WebSocket was closed with {told[-1]}")
        answer = Answer(response.status, response.headers, b"" if response.status == 101 else response.read())
        connection.close()
        self.document.check_answer(operation, answer.status, answer.headers, answer.body, method == "HEAD")
        answer.body += b"".join(one for one in told if isinstance(one, bytes))
        if answer.status < 400 and not faults:
            self.document.sent |= {(operation.id, name) for name, _ in query}
            self.document.sent |= {(operation.id, name.lower()) for name in headers if name.lower() in operation.headers}
        if answer.status == 400 and not wrong and not faults and method != "HEAD":
            self.document.fault(f"{method} {path}: as the document says, and refused: {answer.body.decode()} {query} {body}")
        return answer

    def begin(self, method: str, path: str, query: dict[str, str]):
        """Of a stream, its first line has come."""
        connection = Connection(self.place)
        connection.request(method, f"{path}?{urlencode(query)}")
        response = connection.getresponse()
        return self.document.of(method, path), query, connection, response, response.readline()

    def finish(self, operation, query, connection, response, first: bytes) -> None:
        self.document.check_answer(operation, response.status, response.headers, first + response.read())
        self.document.sent |= {(operation.id, name) for name in query}
        connection.close()

    def expect(self, status: int, *arguments, **options) -> Answer:
        answer = self.ask(*arguments, **options)
        if answer.status != status:
            self.document.fault(f"{arguments[:3]} {options}: {status} was expected, not {answer}")
        return answer


WEBSOCKET = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
SBXRUN = {"Connection": "Upgrade", "Upgrade": "sbx-client"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
