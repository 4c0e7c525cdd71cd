"""Helpers for tests of the client's rules: servers that answer by target and record the requests."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from asyncclient import Client, ConnectionTrace, Resend, Response, StaticResolver, Trace, Tracer
from asyncclient.testing import RawConnection, RawServer, parse_fields
from tests.durations import STALL

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Asked:
    """A received request; fields by name in lower case, values of one name in their order."""

    method: str
    target: str
    fields: dict[str, list[str]]
    content: bytes
    raw_body: bytes

    def __getitem__(self, name: str) -> str | None:
        """Return the value of a field; None if it was not sent. Two values are an error."""
        values = self.fields.get(name, [])
        assert len(values) < 2, f"{name} was sent {len(values)} times"
        return values[0] if values else None


Answer = bytes | Callable[[Asked], bytes]


class Answering(RawServer):
    """A server that answers each request by its target, and records the requests.

    An answer is bytes, or a function of the request; b"" ends the connection. Several in a list are sent one after
    the other, the last of them again and again. `default` answers targets that are not listed.
    """

    def __init__(
        self, answers: Mapping[str, Answer | list[Answer]] | None = None, default: Answer = b"", **options: Any
    ) -> None:
        super().__init__(self._serve_requests, **options)
        self.answers = {
            target: answer if isinstance(answer, list) else [answer] for target, answer in (answers or {}).items()
        }
        self.default = default
        self.asked: list[Asked] = []

    def _serve_requests(self, connection: RawConnection) -> None:
        while (head := connection.read_request())[0]:
            asked = parse_request(*head, connection.raw_body)
            self.asked.append(asked)
            answers = self.answers.get(asked.target, [self.default])
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            data = answer if isinstance(answer, bytes) else answer(asked)
            if not data:
                return
            connection.send(data)

    @property
    def targets(self) -> list[str]:
        """The targets of the requests, in order."""
        return [asked.target for asked in self.asked]

    def url_as(self, host: str) -> str:
        """The server's URL under another name; see by_name()."""
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"


def parse_request(head: bytes, content: bytes = b"", raw_body: bytes = b"") -> Asked:
    method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    fields: dict[str, list[str]] = {}
    for name, value in parse_fields(head):
        fields.setdefault(name, []).append(value)
    return Asked(method, target, fields, content, raw_body)


def by_name(*names: str) -> StaticResolver:
    """A resolver for which all these hosts are this machine."""
    return StaticResolver(dict.fromkeys(names, HOST))


def redirect(location: str | bytes, status: int = 302, content: bytes = b"", *fields: bytes) -> bytes:
    location = location.encode("latin-1") if isinstance(location, str) else location
    lines = (b"HTTP/1.1 %d Moved" % status, b"Location: " + location, *fields, b"Content-Length: %d" % len(content))
    return b"\r\n".join((*lines, b"", content))


class Recording(Tracer):
    """A tracer that records its calls."""

    def __init__(self) -> None:
        self.repeats: list[tuple[str, float]] = []
        self.events: list[str] = []

    def request_started(self, trace: Trace) -> None:
        self.events.append("started")

    def request_resent(self, trace: Trace, resend: Resend) -> None:
        self.repeats.append((resend.reason, resend.seconds))
        self.events.append(resend.reason)

    def request_ended(self, trace: Trace, error: BaseException | None) -> None:
        self.events.append(f"received {trace.status}" if error is None else f"failed {type(error).__name__}")

    def connection_opened(self, connection: ConnectionTrace) -> None:
        self.events.append(f"opened {connection.label}")

    def connection_failed(self, connection: ConnectionTrace, error: BaseException) -> None:
        self.events.append(f"not opened {connection.label}")

    @property
    def reasons(self) -> list[str]:
        return [reason for reason, _ in self.repeats]


async def is_clean(client: Client) -> bool:
    """Whether nothing of a request is left: no connection in use, no dial, no waiter."""
    for _ in range(3):
        await asyncio.sleep(0)
    stats = client.stats()
    return (stats.active, stats.connecting, stats.waiting) == (0, 0, 0)


async def becomes_true(condition: Callable[[], bool], seconds: float = STALL) -> bool:
    """Wait until something holds that another thread brings about; False if it does not in time."""
    until = monotonic() + seconds
    while not condition():
        if monotonic() > until:
            return False
        await asyncio.sleep(0.002)
    return True


async def gather_chunks(response: Response, size: int | None = None) -> list[bytes]:
    return [chunk async for chunk in response.iter_chunks(size)]


class Gate:
    """Blocks a server's thread until the test opens it."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._open = threading.Event()

    def wait(self) -> None:
        self.reached.set()
        assert self._open.wait(10)

    def open(self) -> None:
        self._open.set()
