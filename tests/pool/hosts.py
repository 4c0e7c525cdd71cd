"""Servers on the test's own loop that record the work of a pool: open connections, and the requests on each.

Each response names its request, so that a response to the wrong request shows. A request that arrives before the
previous one on its connection has been answered, or that is not a whole request, fails the test: the connection was
reused although a part of another exchange was left on it.
"""

import asyncio
import math
import os
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, Self

from asyncclient import Client, PoolLimits, Response
from asyncclient.pool.group import Group, Lease
from tests.durations import FOREVER, STALL
from tests.pool.invariant import check

HOST = "127.0.0.1"
PATIENCE = STALL
"""Seconds that a test waits for an event."""


def reply(content: bytes, *fields: bytes, status: bytes = b"200 OK") -> bytes:
    return b"\r\n".join((b"HTTP/1.1 " + status, *fields, b"Content-Length: %d" % len(content), b"", content))


def reply_in_chunks(target: bytes) -> bytes:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (target[:3], target[3:]) if part)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%b0\r\n\r\n" % chunks


LONG = 200_000
"""Bytes of a content that is too long to be read away."""

ANSWERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"ok": reply,
    b"chunked": reply_in_chunks,
    b"last": lambda target: reply(target, b"Connection: close"),
    b"error": lambda target: reply(target, status=b"500 Internal Server Error"),
    b"long": lambda target: reply(target * (LONG // len(target) + 1)),
    b"half": lambda target: reply(target)[:-1],  # and no more
    b"cut": lambda target: reply(target)[:-1],  # and then the end
    b"junk": lambda target: b"220 this is no HTTP\r\n\r\n" + target,
    b"gone": lambda target: b"",  # no answer, but the end
}
ENDS = frozenset((b"cut", b"gone", b"last"))


def find_length(head: bytes, content: bytes) -> int:
    """Return how many bytes the content of a request has; more than there are if its chunks are not over."""
    if b"\r\ntransfer-encoding: chunked" in head.lower():
        return len(content) + (not content.endswith(b"0\r\n\r\n"))
    return int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)


class Peer(asyncio.Protocol):
    """The server's side of one connection."""

    transport: asyncio.Transport

    def __init__(self, host: "Host") -> None:
        self.host = host
        self.targets: list[str] = []
        self.is_open = False
        self.answering: bytes | None = None
        self.ended = asyncio.Event()
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's class is not derived from it
        self.is_open = True
        self.host.peers.append(self)
        self.host.meter.note(+1)
        if self.host.is_closed:  # accepted in the turn in which the host was closed
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if b"\r\n\r\n" not in self._buffer:
            return
        head, _, content = self._buffer.partition(b"\r\n\r\n")
        length = find_length(head, content)
        if len(content) < length:
            return
        self._buffer = b""
        method, target, _ = head.split(b" ", 2)
        if len(content) > length or self.answering is not None or method not in (b"GET", b"POST"):
            self.host.faults.append(f"{self.answering!r} was not over when {head + content!r} came")
        self.answering = target
        self.targets.append(target.decode())
        self.host.asked(self, target.decode())

    def answer(self) -> None:
        """Answer the received request by its target."""
        target, self.answering = self.answering, None
        assert target is not None
        kind = target.split(b"/")[1]
        answer = ANSWERS.get(kind, reply)
        self.send(answer(target))
        if kind in ENDS:
            self.transport.close()

    def send(self, data: bytes) -> None:
        if self.is_open:
            self.transport.write(data)

    @contextmanager
    def socket(self) -> Iterator[socket.socket]:
        """The socket itself: what is done with it is done at once, before the loop turns."""
        with socket.socket(fileno=os.dup(self.transport.get_extra_info("socket").fileno())) as own:
            yield own

    def eof_received(self) -> bool:
        self._end()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    def _end(self) -> None:
        if self.is_open:
            self.is_open = False
            self.host.meter.note(-1)
            self.ended.set()


class Meter:
    """How many connections are open, and were at most, at one host or at several together."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def note(self, change: int) -> None:
        self.now += change
        self.most = max(self.most, self.now)


class Host:
    """A server. Targets whose second part is "held" (/ok/held/…) are answered after release().

    Attributes:
        peers: all connections accepted, in order.
        targets: all requests in the order in which they were received.
    """

    def __init__(
        self,
        name: str = HOST,
        tls: ssl.SSLContext | None = None,
        meter: Meter | None = None,
        listener: socket.socket | None = None,
    ) -> None:
        self.name = name
        self._listener = listener or socket.create_server((HOST, 0), backlog=512)
        self.tls = tls
        self.meter = meter or Meter()
        self.peers: list[Peer] = []
        self.targets: list[str] = []
        self.faults: list[str] = []
        self.is_closed = False
        self.held: dict[str, Peer] = {}

    @property
    def open(self) -> int:
        return sum(peer.is_open for peer in self.peers)

    @property
    def accepted(self) -> int:
        return len(self.peers)

    def url(self, target: str = "") -> str:
        return f"{'http' if self.tls is None else 'https'}://{self.name}:{self.port}{target}"

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self.port = self._listener.getsockname()[1]
        self._server = await loop.create_server(lambda: Peer(self), sock=self._listener, ssl=self.tls, backlog=512)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.is_closed = True
        self._server.close()
        for peer in self.peers:
            peer.transport.abort()
        await self._server.wait_closed()
        if kind is None:
            assert not self.faults

    def asked(self, peer: Peer, target: str) -> None:
        self.targets.append(target)
        if target.split("/")[2:3] == ["held"]:
            self.held[target] = peer
        else:
            peer.answer()

    def release(self, *targets: str) -> None:
        """Answer these requests, or all that are held."""
        for target in targets or list(self.held):
            self.held.pop(target).answer()

    async def wait_until_held(self, *targets: str) -> None:
        """Wait until these requests are held."""
        await wait_until(lambda: all(target in self.held for target in targets))


async def wait_until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Let the loop turn until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"did not happen in {seconds} s"
        await asyncio.sleep(0)


async def let_loop_turn(n: int = 1) -> None:
    """Let the loop turn n times."""
    for _ in range(n):
        await asyncio.sleep(0)


class Doors:
    """A resolver by which a test holds up dials, one by one: each look-up waits until it is let in or refused.

    Open doors let every look-up in at once.
    """

    def __init__(self, *, are_open: bool = False) -> None:
        self.are_open = are_open
        self.waiting: list[asyncio.Future[Sequence[str]]] = []

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        if self.are_open:
            return [HOST]
        self.waiting.append(asyncio.get_running_loop().create_future())
        return await self.waiting[-1]

    async def wait_until_held(self, n: int) -> None:
        """Wait until n dials have begun."""
        await wait_until(lambda: len(self.waiting) >= n)
        assert len(self.waiting) == n

    def let_in(self, *numbers: int) -> None:
        for number in numbers:
            self.waiting[number].set_result([HOST])

    def refuse(self, *numbers: int) -> None:
        for number in numbers:
            self.waiting[number].set_exception(OSError(f"refused {number}"))


def client_of(**options: Any) -> Client:
    """Return a client that takes the arguments of PoolLimits in addition to its own."""
    of_pool = {field.name: options.pop(field.name) for field in fields(PoolLimits) if field.name in options}
    return Client(pool=PoolLimits(**of_pool), trust_env=False, **options)


def group_of(client: Client, host: Host) -> Group:
    """The connections of a client to a host."""
    (group,) = (group for group in client._pool._groups.values() if group.route.port == host.port)
    return group


def idle_of(client: Client) -> list[Lease]:
    """The idle connections, the one used last at the end."""
    return list(client._pool.slots.idle)


# Requests


async def get(client: Client, host: Host, target: str, **options: Any) -> None:
    """GET a target and see that the answer is this request's."""
    assert_answers(await client.get(host.url(target), **options), target)
    check(client)


def assert_answers(response: Response, target: str) -> None:
    assert response.content.startswith(target.encode()), f"{response.content[:80]!r} answered {target}"


def start_requests(client: Client, host: Host, *targets: str, **options: Any) -> list[asyncio.Task[None]]:
    """Begin to GET these targets, each in a task."""
    return [asyncio.create_task(get(client, host, target, **options), name=target) for target in targets]


def held_targets(n: int) -> list[str]:
    return [f"/ok/held/{number}" for number in range(n)]


async def occupy(client: Client, host: Host, n: int = 1) -> list[asyncio.Task[None]]:
    """Have n requests under way at a host until it releases them."""
    tasks = start_requests(client, host, *held_targets(n))
    await host.wait_until_held(*held_targets(n))
    return tasks


async def wait_until_served(*tasks: asyncio.Task[None]) -> None:
    async with asyncio.timeout(FOREVER):
        await asyncio.gather(*tasks)


async def open_idle_connections(client: Client, host: Host, n: int) -> None:
    """Open, use and release n connections to a host, one after the other."""
    tasks = await occupy(client, host, n)
    for target, task in zip(held_targets(n), tasks, strict=True):
        host.release(target)
        await wait_until_served(task)


async def errors_of(*tasks: asyncio.Task[None]) -> list[BaseException | None]:
    """Return the exceptions of these tasks."""
    async with asyncio.timeout(FOREVER):
        await asyncio.wait(tasks)
    return [asyncio.CancelledError() if task.cancelled() else task.exception() for task in tasks]


def wait_readable(lease: Lease) -> None:
    """Wait until the kernel has something for a connection, without a turn of the loop."""
    number = lease.wire.stream.get_extra_info("socket").fileno()
    assert select.select([number], [], [], PATIENCE)[0]
    lease.wire.ended_at = -math.inf  # right after a response it would not be asked


def grow_older(lease: Lease, seconds: float) -> None:
    """Let a connection have been opened, and idle since, that much earlier."""
    lease.idle_since -= seconds
    lease.retires_at -= seconds
    lease.wire.ended_at -= seconds
