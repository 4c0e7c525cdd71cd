"""How often a private loop is entered: once for a small exchange, where the answer's head comes, and nowhere else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from asyncclient.testing import RawConnection, RawServer
from compat import runner
from tests.compat.connections import fetch, securely_to, serving, start
from tests.connection.scripts import MEBIBYTE, OK, chunked, reply
from tests.servers import Certificates

UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\nok"


class Entries:
    """Counts how often any private loop was entered."""

    def __init__(self) -> None:
        self.count = 0

    def taken(self) -> int:
        count, self.count = self.count, 0
        return count


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> Entries:
    found, run_forever = Entries(), runner.PrivateLoop.run_forever

    def run(loop: runner.PrivateLoop) -> None:
        found.count += 1
        run_forever(loop)

    monkeypatch.setattr(runner.PrivateLoop, "run_forever", run)
    return found


REQUESTS: list[dict[str, Any]] = [
    {},
    {"method": "POST", "body": b"content"},
    {"method": "POST", "body": "text"},
    {"method": "POST", "body": iter([b"a", b"b"])},
    {"headers": {"Connection": "close"}},
]


@pytest.mark.parametrize("options", REQUESTS)
def test_loop_is_entered_once_for_a_small_exchange(options: dict[str, Any], entries: Entries) -> None:
    with serving(OK, OK) as connection:
        connection.connect()
        entries.taken()
        connection.request(**{"method": "GET", "url": "/", **options})
        assert entries.taken() == 0
        response = connection.getresponse()
        assert entries.taken() == 1
        assert response.read() == b"ok"
        assert entries.taken() == 0


READERS: list[Callable[[Any], Any]] = [
    lambda response: response.read(),
    lambda response: list(iter(lambda: response.read(1), b"")),
    lambda response: list(iter(response.read1, b"")),
    list,
    lambda response: (response.peek(), response.readinto(bytearray(100))),
]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("answer", [reply(b"ok\n" * 100), chunked(b"a", b"b\n" * 20, b"c")])
def test_loop_is_not_entered_for_content_that_came_with_the_head(
    answer: bytes, read: Callable[[Any], Any], entries: Entries
) -> None:
    with serving(answer) as connection:
        response = start(connection)
        entries.taken()
        read(response)
        assert entries.taken() == 0


def test_ten_exchanges_take_ten_entries(entries: Entries) -> None:
    with serving(*[OK] * 11) as connection:
        fetch(connection)
        entries.taken()
        for _ in range(10):
            fetch(connection)
        assert entries.taken() == 10


def test_loop_is_entered_once_for_a_small_exchange_over_tls(tls: Certificates, entries: Entries) -> None:
    with RawServer.replying(OK, OK, OK, tls=tls.server_context()) as server, secured(server, tls) as connection:
        for _ in range(2):
            entries.taken()
            connection.request("GET", "/")
            assert entries.taken() == 0
            assert connection.getresponse().read() == b"ok"
            assert entries.taken() == 1


@contextmanager
def secured(server: RawServer, tls: Certificates) -> Iterator[Any]:
    connection = securely_to(server, tls)
    fetch(connection)
    try:
        yield connection
    finally:
        connection.close()


def test_loop_is_entered_once_more_for_the_end_of_a_connection(entries: Entries) -> None:
    with serving(UNTIL_CLOSE, then=RawConnection.close) as connection:
        connection.connect()
        entries.taken()
        assert fetch(connection) == (200, b"ok")
        assert entries.taken() <= 2


def test_loop_is_entered_less_often_than_pieces_come(entries: Entries) -> None:
    with serving(reply(bytes(10 * MEBIBYTE))) as connection:
        assert len(fetch(connection)[1]) == 10 * MEBIBYTE
    assert entries.taken() < 640  # of 64 KiB each: what is at hand is taken without a wait
