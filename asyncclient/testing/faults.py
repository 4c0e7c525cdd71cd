"""A transport that injects faults of networks and servers, by route and probability, in front of another transport.

The faults are those that a client meets, as the errors and the content that it then has. Real bytes on a real socket
are RawServer's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass, field
from random import Random

from ..arguments import check_number, list_collection
from ..errors import BadStatusLine, ConnectError, ConnectTimeout, IncompleteRead, ReadTimeout, RemoteDisconnected
from ..exchange.content import collect
from ..stream.deadlines import TimeLimit
from ..timeouts import no_response
from ..transport import Transport, TransportRequest, TransportResponse, check_transport
from ..wrapped_response import WrappedResponse
from .patterns import RequestPattern, URLPattern
from .sent import SentRequest


@dataclass(frozen=True)
class Fault:
    """Base of the faults: which exchanges it is for.

    Args:
        method: the method of the requests; None for any.
        url: their URL, in the forms of MockTransport.route(); None for any.
        probability: the share of these exchanges that it hits, from 0 to 1.
        times: how many it hits at most; None for no limit.

    Raises:
        ValueError, TypeError, InvalidURL: an argument that is invalid.
    """

    _: KW_ONLY
    method: str | None = None
    url: URLPattern | None = None
    probability: float = 1.0
    times: int | None = None
    pattern: RequestPattern = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the arguments."""
        check_number("probability", self.probability, 0)
        if self.probability > 1:
            raise ValueError(f"expected probability of at most 1, got {self.probability!r}")
        object.__setattr__(self, "pattern", RequestPattern(self.method, self.url))

    async def prevent(self, request: TransportRequest, random: Random) -> None:
        """Wait before the request is sent, or raise an error instead of sending it."""

    def find_step(self, position: int, length: int | None) -> int | None:
        """Return how many bytes of content may be read next, 0 when the fault strikes; None for any number.

        Args:
            position: bytes that were read.
            length: bytes of the whole content; None if unknown.
        """
        return None

    async def strike(self, response: FaultyResponse) -> bytes:
        """Raise the error within the content, or return b"" for its end; see find_step()."""
        return b""

    async def change(self, data: bytes, response: FaultyResponse) -> bytes:
        """Return content instead of the content that was read; b"" at its end."""
        return data


@dataclass(frozen=True)
class ConnectRefused(Fault):
    """No connection can be opened: ConnectError."""

    async def prevent(self, request: TransportRequest, random: Random) -> None:
        """Raise the error."""
        raise ConnectError(f"injected fault: {request.destination.host} refused the connection")


@dataclass(frozen=True)
class SlowConnect(Fault):
    """Connecting takes `seconds`, or fails with ConnectTimeout after `Timeout.connect`."""

    seconds: float

    async def prevent(self, request: TransportRequest, random: Random) -> None:
        """Wait as long as connecting takes."""
        host = request.destination.host
        with (
            TimeLimit.until(request.deadline, f"injected fault: no connection to {host}"),
            TimeLimit(
                request.timeout.connect,
                lambda s: ConnectTimeout(f"injected fault: no connection to {host} in {s:g} s", "connect", s),
            ),
        ):
            await asyncio.sleep(self.seconds)


@dataclass(frozen=True)
class _ContentFault(Fault):
    """A fault before the response, or within its content.

    Args:
        after: bytes of content that are received before it; None: it happens before the response.
    """

    after: int | None = None

    def find_step(self, position: int, length: int | None) -> int | None:
        """Stop where the fault happens."""
        return None if self.after is None else max(self.after - position, 0)


@dataclass(frozen=True)
class Reset(_ContentFault):
    """The connection is reset: RemoteDisconnected, or within the content IncompleteRead.

    Args:
        after: bytes of content that are received before it; None: it is reset before the response, and the request is
            not passed on.
    """

    async def prevent(self, request: TransportRequest, random: Random) -> None:
        """Raise the error if there is no response."""
        if self.after is None:
            raise RemoteDisconnected(f"injected fault: {request.destination.host} reset the connection")

    async def strike(self, response: FaultyResponse) -> bytes:
        """Raise the error within the content."""
        raise IncompleteRead(b"", response.length) from ConnectionResetError("injected fault: connection reset")


@dataclass(frozen=True)
class Stall(_ContentFault):
    """The server sends nothing more: ReadTimeout or TotalTimeout, once the time of the request is over.

    Args:
        after: bytes of content that are received before it; None: it does not answer, and the request is not passed on.
    """

    async def prevent(self, request: TransportRequest, random: Random) -> None:
        """Wait if there is no response."""
        if self.after is None:
            await _wait(request)

    async def strike(self, response: FaultyResponse) -> bytes:
        """Wait within the content."""
        await _wait(response.request)
        return b""


@dataclass(frozen=True)
class Garbage(_ContentFault):
    """The server sends random bytes: BadStatusLine, or content of the right length that is not what it should be.

    Args:
        after: bytes of content that are received before it; None: it answers with them, and the request is not passed
            on.
    """

    async def prevent(self, request: TransportRequest, random: Random) -> None:
        """Raise the error if there is no response."""
        if self.after is None:
            raise BadStatusLine(random.randbytes(40).decode("latin-1"))

    def find_step(self, position: int, length: int | None) -> int | None:
        """Stop where the random bytes begin; they are of any number."""
        return super().find_step(position, length) or None

    async def change(self, data: bytes, response: FaultyResponse) -> bytes:
        """Return random bytes after the first ones."""
        is_begun = self.after is not None and response.position - len(data) >= self.after
        return response.random.randbytes(len(data)) if is_begun else data


@dataclass(frozen=True)
class Truncation(Fault):
    """The connection ends within the content: IncompleteRead.

    Args:
        after: bytes of content that are received before it.
    """

    after: int = 0

    def find_step(self, position: int, length: int | None) -> int | None:
        """Stop where the content is cut."""
        return max(self.after - position, 0)

    async def strike(self, response: FaultyResponse) -> bytes:
        """Raise the error."""
        raise IncompleteRead(b"", response.length)


@dataclass(frozen=True)
class WrongLength(Fault):
    """The length that the server declares is not that of its content.

    Args:
        difference: declared bytes more than there are: IncompleteRead at the end. Below 0, the content is cut, without
            an error, since the client can't know.
    """

    difference: int

    def find_step(self, position: int, length: int | None) -> int | None:
        """Stop at the declared length if that is less."""
        return None if self.difference >= 0 or length is None else max(length + self.difference - position, 0)

    async def change(self, data: bytes, response: FaultyResponse) -> bytes:
        """Raise the error at the end of the content."""
        if self.difference > 0 and not data:
            raise IncompleteRead(b"", self.difference)
        return data


@dataclass(frozen=True)
class Drip(Fault):
    """The content is received in small pieces.

    Args:
        size: bytes of each piece.
        pause: seconds before each piece.
    """

    size: int = 1
    pause: float = 0.0

    def find_step(self, position: int, length: int | None) -> int | None:
        """Read one piece."""
        return self.size

    async def change(self, data: bytes, response: FaultyResponse) -> bytes:
        """Wait for the piece."""
        request = response.request
        with TimeLimit.until(request.deadline, f"injected fault: {no_response(request.destination.host)}"):
            await asyncio.sleep(self.pause)
        return data


async def _wait(request: TransportRequest) -> None:
    """Wait until the time of the request is over, and raise its error."""
    host = request.destination.host
    with (
        TimeLimit.until(request.deadline, f"injected fault: {no_response(host)}"),
        TimeLimit(
            request.timeout.read,
            lambda s: ReadTimeout(f"injected fault: no response from {host} in {s:g} s", "read", s),
        ),
    ):
        await asyncio.Event().wait()


class FaultInjector:
    """A transport that injects faults in front of another transport.

    >>> from asyncclient import PoolTransport
    >>> from asyncclient.testing import faults
    >>> plan = [faults.Reset(probability=0.1), faults.Drip(url="https://slow.example.com/*", size=100)]
    >>> transport = FaultInjector(PoolTransport(), plan, seed=7)

    The first fault of the plan that is for an exchange, and that hits it, happens; at most one happens per exchange.
    Redirects and retries are exchanges of their own.

    Args:
        transport: sends the requests.
        plan: the faults.
        seed: of the random numbers, so that a run can be repeated.

    Raises:
        TypeError: an argument of another type.

    Attributes:
        injected: the faults that have happened, in order.
    """

    def __init__(self, transport: Transport, plan: Iterable[Fault], *, seed: int = 0) -> None:
        check_transport(transport)
        self.injected: list[Fault] = []
        self._transport = transport
        self._plan: list[Fault] = list_collection("plan", plan, Fault, "a list of faults")
        self._random = Random(seed)

    async def send(self, request: TransportRequest) -> TransportResponse:
        """Send a request, or let a fault happen; see Transport.send()."""
        fault = self._choose(request)
        if fault is None:
            return await self._transport.send(request)
        self.injected.append(fault)
        await fault.prevent(request, self._random)
        return FaultyResponse(await self._transport.send(request), fault, request, self._random)

    def _choose(self, request: TransportRequest) -> Fault | None:
        sent = SentRequest(request.method, request.url, request.headers, b"")
        for fault in self._plan:
            is_left = fault.times is None or sum(each is fault for each in self.injected) < fault.times
            if is_left and not fault.pattern.find_difference(sent) and self._random.random() < fault.probability:
                return fault
        return None

    async def aclose(self) -> None:
        """Close the other transport."""
        await self._transport.aclose()

    def __repr__(self) -> str:
        return f"<FaultInjector {len(self.injected)} injected, {self._transport!r}>"


class FaultyResponse(WrappedResponse):
    """A response in whose content a fault may happen.

    Attributes:
        request: the request.
        random: the random numbers of the injector.
        position: bytes of content that were read.
    """

    __slots__ = ("_fault", "_length", "position", "random", "request")

    def __init__(self, raw: TransportResponse, fault: Fault, request: TransportRequest, random: Random) -> None:
        super().__init__(raw)
        self.request = request
        self.random = random
        self.position = 0
        self._fault = fault
        self._length = raw.length

    def take(self) -> bytes | None:
        """Return None before the end: what was received is passed on by read1()."""
        return b"" if self.closed else None

    async def read(self) -> bytes:
        """Return the rest of the content."""
        return await collect(self.read1)

    async def read1(self, n: int = -1) -> bytes:
        """Return received bytes; b"" at the end."""
        try:
            return await self._read(n)
        except BaseException:
            self.close()
            raise

    async def _read(self, n: int) -> bytes:
        step = self._fault.find_step(self.position, self._length)
        if step == 0 and not self.closed:
            data = await self._fault.strike(self)
            self.close()
            return data
        data = await super().read1(n if step is None else step if n < 0 else min(n, step))
        self.position += len(data)
        return await self._fault.change(data, self)
