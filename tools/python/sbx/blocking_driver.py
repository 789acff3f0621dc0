"""Plans driven by a thread that waits."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from typing import Any, TypeVar

from .core.session import Endpoint
from .core.steps import Call, Give, Left, Open, Plan, Receive, Send, Sleep, Step, Stream

T = TypeVar("T")


class _Connection:
    def __init__(self, endpoint: Endpoint, timeout: float) -> None:
        if endpoint.socket is not None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                self._socket.settimeout(timeout)
                self._socket.connect(endpoint.socket)
            except BaseException:
                self._socket.close()
                raise
            return
        self._socket = socket.create_connection((endpoint.host, endpoint.port), timeout)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if endpoint.tls is not None:
            self._socket = endpoint.tls.wrap_socket(self._socket, server_hostname=endpoint.host)

    def send(self, data: bytes | memoryview, timeout: float) -> None:
        self._socket.settimeout(timeout)
        self._socket.sendall(data)

    def receive(self, timeout: float) -> bytes:
        self._socket.settimeout(timeout)
        return self._socket.recv(256 << 10)

    def close(self) -> None:
        self._socket.close()

    def alive(self) -> bool:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)


class Driver:
    """Takes the steps of a plan, one after the other."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def run(self, plan: Plan[T]) -> T:
        try:
            step = next(plan)
            while True:
                step = self._take(plan, step)
        except StopIteration as end:
            result: T = end.value
            return result

    def iterate(self, stream: Stream[T]) -> Iterator[T]:
        plan = stream.plan
        try:
            step = next(plan)
            while True:
                if isinstance(step, Give):
                    try:
                        yield step.value
                    except GeneratorExit:
                        step = plan.throw(Left())
                    else:
                        step = plan.send(None)
                else:
                    step = self._take(plan, step)
        except (StopIteration, Left):
            return

    def _take(self, plan: Plan[Any], step: Step) -> Step:
        try:
            answer = self._do(step)
        except BaseException as error:
            return plan.throw(error)
        return plan.send(answer)

    def _do(self, step: Step) -> Any:
        match step:
            case Open():
                return _Connection(self._endpoint, step.timeout)
            case Send():
                return step.connection.send(step.data, step.timeout)
            case Receive():
                return step.connection.receive(step.timeout)
            case Sleep():
                return time.sleep(step.seconds)
            case Call():
                return step.function()
        raise TypeError(f"a step that gives something: {step}")
