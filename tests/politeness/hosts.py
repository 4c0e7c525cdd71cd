"""Hosts in this process: a transport that records when each request starts, and answers when the test says so."""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from asyncclient import Client, LocalResponse, Timeout, TransportRequest, TransportResponse
from asyncclient.message.request import RequestHead
from asyncclient.politeness import Polite, Robots, Rules
from asyncclient.testing import ManualClock
from asyncclient.timeouts import NEVER
from asyncclient.transport import Destination

Answer = Callable[[str], LocalResponse | Exception]


class Start(NamedTuple):
    """The start of a request, by the clock."""

    at: float
    host: str
    target: str


class Hosts:
    """A transport to any host.

    Args:
        clock: its time is recorded.
        answer: returns the answer to a target. Targets that begin with "/held" are answered by release().

    Attributes:
        starts: the requests, in order.
        held: requests without an answer, by their targets.
        active, most: requests in progress until their heads, and how many there were at most.
    """

    def __init__(self, clock: ManualClock, answer: Answer | None = None) -> None:
        self.clock = clock
        self.answer = answer or (lambda _: LocalResponse(content="ok"))
        self.starts: list[Start] = []
        self.held: dict[str, asyncio.Future[TransportResponse]] = {}
        self.active = self.most = 0
        self.is_closed = False

    async def send(self, request: TransportRequest) -> TransportResponse:
        if request.on_start is not None:
            request.on_start()
        self.starts.append(Start(self.clock.now(), request.destination.host, request.target))
        self.active += 1
        self.most = max(self.most, self.active)
        try:
            if request.target.startswith("/held"):
                self.held[request.target] = asyncio.get_running_loop().create_future()
                return await self.held[request.target]
            answer = self.answer(request.target)
            if isinstance(answer, Exception):
                raise answer
            return answer
        finally:
            self.active -= 1

    def release(self, target: str, answer: LocalResponse | Exception | None = None) -> None:
        """Answer a held request."""
        future = self.held.pop(target)
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer or LocalResponse(content="ok"))

    def times(self, host: str | None = None) -> list[float]:
        """Return when the requests started, to one host or to all."""
        return [start.at for start in self.starts if host in (None, start.host)]

    async def aclose(self) -> None:
        self.is_closed = True


class Crawl:
    """A client over a polite transport over hosts in this process, with a clock that stands still.

    Args:
        rules: the rules.
        answer: see Hosts.
        robots: the settings of robots.txt.
        group_by: see Polite.
        options: of the client.
    """

    def __init__(
        self,
        rules: Any = None,
        answer: Answer | None = None,
        *,
        robots: Robots | None = None,
        group_by: Callable[[str], str] | None = None,
        **options: Any,
    ) -> None:
        self.clock = ManualClock()
        self.hosts = Hosts(self.clock, answer)
        given = Rules() if rules is None else rules
        self.polite = Polite(self.hosts, given, robots=robots, group_by=group_by, clock=self.clock)
        self.client = Client(transport=self.polite, **options)
        self.tasks: list[asyncio.Task[Any]] = []

    async def __aenter__(self) -> "Crawl":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for task in self.tasks:
            task.cancel()  # those that a failed test has left
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.client.aclose()

    def get(self, *urls: str, **options: Any) -> "list[asyncio.Task[Any]]":
        """Begin to GET URLs, each in a task."""
        tasks = [asyncio.create_task(self.client.get(url, **options)) for url in urls]
        self.tasks += tasks
        return tasks

    async def advance(self, seconds: float = 0.0) -> None:
        await self.clock.advance(seconds)

    async def finish(self, tasks: "list[asyncio.Task[Any]]") -> list[Any]:
        """Move the clock until all tasks are done; return their results or errors."""
        while not all(task.done() for task in tasks):
            await self.advance()
            if not all(task.done() for task in tasks):
                assert self.clock.next_at is not None, "requests wait for ever"
                await self.advance(self.clock.next_at - self.clock.now())
        return await asyncio.gather(*tasks, return_exceptions=True)


def request_to(host: str, target: str = "/") -> TransportRequest:
    """Return a request as a client gives it to a transport."""
    return TransportRequest(RequestHead("GET", target), Destination("http", host, 80), Timeout(), NEVER)
