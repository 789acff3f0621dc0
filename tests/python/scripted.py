"""A driver whose server is a script: plans without any input or output, and without waiting."""

from sbx.core.session import Endpoint, Session
from sbx.core.steps import Call, Give, Left, Open, Receive, Send, Sleep


class Scripted:
    """One connection: what the server sends (bytes, or an error that is raised)."""

    def __init__(self, *pieces, refuses=None, alive=True):
        self.pieces = list(pieces)
        self.refuses = refuses  # an error for who sends
        self.sent = b""
        self.closed = False
        self.is_alive = alive

    def close(self):
        self.closed = True

    def alive(self):
        return self.is_alive

    def receive(self):
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if isinstance(piece, BaseException):
            raise piece
        return piece


class Play:
    def __init__(self, *connections, **settings):
        self.connections = list(connections)  # those to come; an error in the place of one: nobody listens
        self.opened = []
        self.slept = []
        self.now = 1000.0
        self.session = Session(Endpoint("/sock"), clock=lambda: self.now, **settings)

    def run(self, plan):
        """What it returns; of one that gives things, a list of them."""
        given = []
        try:
            step = next(plan)
            while True:
                if isinstance(step, Give):
                    given.append(step.value)
                    step = plan.send(None)
                    continue
                try:
                    answer = self.do(step)
                except BaseException as error:
                    step = plan.throw(error)
                else:
                    step = plan.send(answer)
        except StopIteration as end:
            return given or end.value

    def leave_after(self, plan, count):
        """Takes so many things, and goes."""
        given = 0
        try:
            step = next(plan)
            while True:
                if isinstance(step, Give):
                    given += 1
                    step = plan.throw(Left()) if given == count else plan.send(None)
                else:
                    step = plan.send(self.do(step))
        except Left:
            return

    def do(self, step):
        match step:
            case Open():
                connection = self.connections.pop(0)
                if isinstance(connection, BaseException):
                    raise connection
                self.opened.append(connection)
                return connection
            case Send():
                assert step.timeout > 0
                step.connection.sent += bytes(step.data)
                if step.connection.refuses is not None:
                    raise step.connection.refuses
                return None
            case Receive():
                assert step.timeout > 0
                return step.connection.receive()
            case Sleep():
                self.slept.append(step.seconds)
                self.now += step.seconds
                return None
            case Call():
                return step.function()
        raise AssertionError(step)


def answer(status=200, body=b"{}", kind="application/json", **headers):
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def problem(status, detail="", **headers):
    body = f'{{"type":"about:blank","title":"T","status":{status},"detail":"{detail}"}}'.encode()
    return answer(status, body, "application/problem+json", **headers)
