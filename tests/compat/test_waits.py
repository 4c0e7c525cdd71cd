"""How often compat may wait: once for a small exchange, for the head of the response."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from asyncclient.testing import RawConnection, RawServer
from compat.loop import PrivateLoop
from compat.streams import ResponseFile
from tests.compat.connections import connection_with_replies, fetch, secure_connection_to, start_exchange
from tests.connection.conversations import MEBIBYTE, OK, chunked, reply
from tests.servers import Certificates

UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\nok"


class Waits:
    """Counts what may wait: the waits on the private loop, and the calls that receive from a socket."""

    def __init__(self) -> None:
        self.count = 0

    def taken(self) -> int:
        count, self.count = self.count, 0
        return count


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    found, select, readinto = Waits(), PrivateLoop.select, ResponseFile.readinto

    def count_wait(loop: PrivateLoop, descriptor: int, events: int, seconds: float | None) -> int:
        found.count += seconds != 0
        return select(loop, descriptor, events, seconds)

    def count_receive(file: ResponseFile, buffer: Any) -> Any:
        found.count += file._sock is not None and not file._has_ended
        return readinto(file, buffer)

    monkeypatch.setattr(PrivateLoop, "select", count_wait)
    monkeypatch.setattr(ResponseFile, "readinto", count_receive)
    return found


REQUESTS: list[dict[str, Any]] = [
    {},
    {"method": "POST", "body": b"content"},
    {"method": "POST", "body": "text"},
    {"method": "POST", "body": iter([b"a", b"b"])},
    {"headers": {"Connection": "close"}},
]


@pytest.mark.parametrize("options", REQUESTS)
def test_small_exchange_waits_once(options: dict[str, Any], waits: Waits) -> None:
    with connection_with_replies(OK, OK) as connection:
        connection.connect()
        waits.taken()
        connection.request(**{"method": "GET", "url": "/", **options})
        assert waits.taken() == 0
        response = connection.getresponse()
        assert waits.taken() == 1
        assert response.read() == b"ok"
        assert waits.taken() == 0


READERS: list[Callable[[Any], Any]] = [
    lambda response: response.read(),
    lambda response: list(iter(lambda: response.read(1), b"")),
    lambda response: list(iter(response.read1, b"")),
    list,
    lambda response: (response.peek(), response.readinto(bytearray(100))),
]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("answer", [reply(b"ok\n" * 100), chunked(b"a", b"b\n" * 20, b"c")])
def test_content_that_was_received_with_the_head_needs_no_wait(
    answer: bytes, read: Callable[[Any], Any], waits: Waits
) -> None:
    with connection_with_replies(answer) as connection:
        response = start_exchange(connection)
        waits.taken()
        read(response)
        assert waits.taken() == 0


def test_ten_exchanges_take_ten_waits(waits: Waits) -> None:
    with connection_with_replies(*[OK] * 11) as connection:
        fetch(connection)
        waits.taken()
        for _ in range(10):
            fetch(connection)
        assert waits.taken() == 10


def test_small_exchange_over_tls_waits_once(tls: Certificates, waits: Waits) -> None:
    with RawServer.replying(OK, OK, OK, tls=tls.server_context()) as server, secured(server, tls) as connection:
        for _ in range(2):
            waits.taken()
            connection.request("GET", "/")
            assert waits.taken() == 0
            assert connection.getresponse().read() == b"ok"
            assert waits.taken() == 1


@contextmanager
def secured(server: RawServer, tls: Certificates) -> Iterator[Any]:
    connection = secure_connection_to(server, tls)
    fetch(connection)
    try:
        yield connection
    finally:
        connection.close()


def test_end_of_a_connection_takes_one_wait_more(waits: Waits) -> None:
    with connection_with_replies(UNTIL_CLOSE, then=RawConnection.close) as connection:
        connection.connect()
        waits.taken()
        assert fetch(connection) == (200, b"ok")
        assert waits.taken() <= 2


def test_long_content_takes_fewer_waits_than_pieces(waits: Waits) -> None:
    with connection_with_replies(reply(bytes(10 * MEBIBYTE))) as connection:
        assert len(fetch(connection)[1]) == 10 * MEBIBYTE
    assert waits.taken() < 640  # of 64 KiB each: what is at hand is taken without a wait
