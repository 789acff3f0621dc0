"""Plans driven by asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from collections.abc import AsyncIterator
from typing import Any, Protocol, TypeVar

from .core.session import Endpoint
from .core.steps import Call, Give, Left, Open, Plan, Receive, Send, Sleep, Step, Stream

T = TypeVar("T")


class Connection(Protocol):
    async def send(self, data: bytes | memoryview) -> None: ...

    async def receive(self) -> bytes: ...

    def close(self) -> None: ...

    def alive(self) -> bool: ...


class _Plain:
    """A socket: what a server says can still be read when it takes no more, which asyncio's streams cannot."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    async def send(self, data: bytes | memoryview) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def receive(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self._socket, 256 << 10)

    def close(self) -> None:
        self._socket.close()

    def alive(self) -> bool:
        return _is_quiet(self._socket.fileno())


class _Tls:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes | memoryview) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def receive(self) -> bytes:
        return await self._reader.read(256 << 10)

    def close(self) -> None:
        with contextlib.suppress(RuntimeError):  # its loop is closed, and with it this
            self._writer.transport.abort()

    def alive(self) -> bool:
        if self._writer.is_closing() or self._reader.at_eof():
            return False
        return _is_quiet(self._writer.get_extra_info("socket").fileno())


def _is_quiet(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return not poll.poll(0)


async def _connected(family: int, address: Any) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, address)
        return made
    except BaseException:
        made.close()
        raise


def _set_options(connected: socket.socket) -> None:
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


async def _open(endpoint: Endpoint) -> Connection:
    if endpoint.socket is not None:
        return _Plain(await _connected(socket.AF_UNIX, endpoint.socket))
    if endpoint.tls is not None:
        tls = _Tls(*await asyncio.open_connection(endpoint.host, endpoint.port, ssl=endpoint.tls))
        _set_options(tls._writer.get_extra_info("socket"))
        return tls
    places = await asyncio.get_running_loop().getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    for at, (family, _, _, _, address) in enumerate(places, 1):
        try:
            connected = await _connected(family, address)
            _set_options(connected)
            return _Plain(connected)
        except OSError:
            if at == len(places):
                raise
    raise OSError(f"'{endpoint.host}' has no address")


def _go_on(plan: Plan[Any], answer: Any, error: BaseException | None) -> Step:
    """Not in a coroutine: the end of a plan, StopIteration, may not come out of one."""
    return plan.send(answer) if error is None else plan.throw(error)


class Driver:
    """Takes the steps of a plan, one after the other."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def run(self, plan: Plan[T]) -> T:
        try:
            step = next(plan)
            while True:
                step = _go_on(plan, *await self._outcome(step))
        except StopIteration as end:
            result: T = end.value
            return result

    async def iterate(self, stream: Stream[T]) -> AsyncIterator[T]:
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
                    step = _go_on(plan, *await self._outcome(step))
        except (StopIteration, Left):
            return

    async def _outcome(self, step: Step) -> tuple[Any, BaseException | None]:
        try:
            return await self._do(step), None
        except BaseException as error:
            return None, error

    async def _do(self, step: Step) -> Any:
        match step:
            case Open():
                async with asyncio.timeout(step.timeout):
                    return await _open(self._endpoint)
            case Send():
                async with asyncio.timeout(step.timeout):
                    return await step.connection.send(step.data)
            case Receive():
                async with asyncio.timeout(step.timeout):
                    return await step.connection.receive()
            case Sleep():
                return await asyncio.sleep(step.seconds)
            case Call():
                return await asyncio.to_thread(step.function)
        raise TypeError(f"a step that gives something: {step}")
