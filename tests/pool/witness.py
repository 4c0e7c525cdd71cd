"""A server that keeps the exact bytes of each exchange, and a transport that has each exchange recorded."""

import ssl
from collections.abc import Callable, Mapping
from typing import NamedTuple, Self

from asyncclient import Transport, TransportRequest, TransportResponse
from asyncclient.recording import Recording
from asyncclient.testing import RawConnection, RawServer

MANY = 1 << 30
"""A limit that no recording reaches."""


def reply(content: bytes, *fields: bytes, status: bytes = b"200 OK") -> bytes:
    return b"\r\n".join((b"HTTP/1.1 " + status, *fields, b"Content-Length: %d" % len(content), b"", content))


class Seen(NamedTuple):
    """An exchange as the server saw it: the request as received, and the final response as sent."""

    request: bytes
    response: bytes


class Witness(RawServer):
    """A server that answers by path, with bytes that it keeps.

    Args:
        replies: responses by path; several are interim ones and a final one. A function is called with the connection
            after the request, and sends what it wants.

    Attributes:
        seen: the exchanges that were answered by bytes, in order.
    """

    def __init__(
        self,
        replies: Mapping[str, bytes | list[bytes] | Callable[[RawConnection], object]],
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(self._converse, tls=tls)
        self._replies = replies
        self.seen: list[Seen] = []

    def _converse(self, connection: RawConnection) -> None:
        while head := connection.read_head():
            target = head.split()[1].decode()
            found = self._replies["/" + target.rpartition("/")[2]]
            if callable(found):
                found(connection)
                return
            *interim, final = found if isinstance(found, list) else [found]
            for each in interim:
                connection.send(each)
            connection.raw_body = b""
            fields = head.lower()
            if b"transfer-encoding: chunked" in fields:
                connection.read_chunked()
            elif b"content-length: " in fields:
                connection.read_body(int(fields.partition(b"content-length: ")[2].split()[0]))
            self.seen.append(Seen(head + connection.raw_body, final))
            connection.send(final)
            if b"\r\nconnection: close" in final.lower():
                return


class Recorded:
    """A transport that has each exchange recorded, and passes requests on.

    Attributes:
        recordings: those of the exchanges that have ended.
    """

    def __init__(self, inner: Transport, limit: int = MANY) -> None:
        self.inner = inner
        self.limit = limit
        self.recordings: list[Recording] = []

    @property
    def seen(self) -> list[Seen]:
        """The recordings, to be compared with those of the server."""
        return [Seen(recording.request, recording.response) for recording in self.recordings]

    @property
    def last(self) -> Recording:
        return self.recordings[-1]

    def begin(self) -> Recording:
        return Recording(self.limit, self.recordings.append)

    async def send(self, request: TransportRequest) -> TransportResponse:
        return await self.inner.send(request.replace(recorder=self.begin).replace())

    async def aclose(self) -> None:
        await self.inner.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()


def stale_once() -> RawServer:
    """A server that answers "one", resets its connection at the second request, and answers "two" on the next one."""
    answers = [reply(b"one"), None, reply(b"two")]

    def serve(connection: RawConnection) -> None:
        while connection.read_head():
            answer = answers.pop(0)
            if answer is None:
                connection.reset()
                return
            connection.send(answer)

    return RawServer(serve)
