"""Bodies that compat.Client sends: the thread in which they are read, and which can be sent again."""

import io
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import asyncclient
import compat
from asyncclient.blocking.response import Response
from asyncclient.testing import RawConnection, RawServer, parse_fields
from asyncclient.testing.raw import TIMEOUT
from tests.connection.conversations import OK, EarlyAnswer, chunked, reply

Client = compat.Client

REDIRECT = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(timeout=TIMEOUT) as made:
        yield made


def swallow(connection: RawConnection) -> None:
    while connection.read():
        pass


def echo_body(connection: RawConnection) -> None:
    while (request := connection.read_request())[0]:
        connection.send(reply(request[1]))


class Thrice:
    """An iterable that is not an iterator: each iteration starts from the beginning."""

    def __iter__(self) -> Iterator[bytes]:
        return iter((b"1", b"2", b"3"))


def count() -> Iterator[bytes]:
    yield from (b"1", b"2", b"3")


async def make_count() -> Iterator[bytes]:
    return count()


BODIES: dict[str, Callable[[Path], Any]] = {
    "bytes": lambda path: b"123",
    "text": lambda path: "123",
    "list": lambda path: [b"12", b"3"],
    "iterable": lambda path: Thrice(),
    "path": lambda path: path,
    "file": lambda path: io.BytesIO(b"123"),
    "function": lambda path: count,
    "function of an iterable": lambda path: Thrice,
    "async function": lambda path: make_count,
    "function of bytes": lambda path: lambda: b"123",
}


@pytest.mark.parametrize("make", BODIES.values(), ids=BODIES)
def test_bodies_are_sent_again_where_they_can_be(client: Client, make: Callable[[Path], Any], tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"123")
    received: list[bytes] = []

    answers = iter((REDIRECT, OK))

    def redirect(connection: RawConnection) -> None:
        while head := connection.read_head():  # content of unknown length is sent on a second connection
            length = dict(parse_fields(head)).get("content-length")
            received.append(connection.read_chunked() if length is None else connection.read_body(int(length)))
            connection.send(next(answers))

    with RawServer(redirect) as server:
        response = client.post(server.url, body=make(path))
    assert (response.status, len(response.history), response.history[0].status) == (200, 1, 307)
    assert isinstance(response.history[0], Response)
    assert received == [b"123", b"123"]


def test_generator_cannot_be_sent_again(client: Client) -> None:
    with RawServer.replying(REDIRECT) as server, pytest.raises(asyncclient.BodyNotReplayable, match="read only once"):
        client.post(server.url, body=count())


def test_rest_of_an_iterator_is_not_sent_as_the_whole(client: Client) -> None:
    answered = threading.Event()
    targets: list[bytes] = []

    def redirect_early(connection: RawConnection) -> None:
        if not (head := connection.read_head()):
            return
        targets.append(head.split()[1])
        connection.send(REDIRECT)
        answered.set()
        swallow(connection)

    class Slow:
        left = 3

        def __iter__(self) -> Iterator[bytes]:
            return self

        def __next__(self) -> bytes:
            self.left -= 1
            if self.left == 1:
                assert answered.wait(TIMEOUT)
            if self.left < 0:
                raise StopIteration
            return b"%d" % self.left

    with RawServer(redirect_early) as server, pytest.raises(asyncclient.BodyNotReplayable, match="CallerIterator"):
        client.post(server.url, body=Slow())
    assert targets == [b"/"]


def test_exhausted_generator_is_not_an_empty_body(client: Client) -> None:
    generator = count()
    with RawServer(echo_body) as server:
        assert client.post(server.url, body=generator).content == b"123"
        with pytest.raises(asyncclient.BodyNotReplayable, match="a generator can be read only once"):
            client.post(server.url, body=generator)
        assert client.stats().active == 0


def test_steps_of_a_body_are_taken_where_its_request_is_waited_for(client: Client) -> None:
    threads: list[threading.Thread] = []

    def note(*pieces: bytes) -> Iterator[bytes]:
        for piece in pieces:
            threads.append(threading.current_thread())
            yield piece

    def make() -> Iterator[bytes]:
        threads.append(threading.current_thread())
        return note(b"4", b"5")

    with RawServer(echo_body) as server:
        assert client.post(server.url, body=note(b"1", b"2")).content == b"12"
        assert client.post(server.url, body=make).content == b"45"
        sent = client.post(server.url, files={"a": note(b"67"), "b": ("name", note(b"89")), "c": (None, b"c", "")})
    assert b"67" in sent.content
    assert b'filename="name"' in sent.content
    assert b"89" in sent.content
    assert threads == [threading.current_thread()] * 7


def test_body_may_use_the_client(client: Client) -> None:
    content = [bytes([number]) * 1000 for number in range(9)]
    with (
        RawServer.replying(chunked(*content)) as source,
        RawServer(echo_body) as target,
        client.stream("GET", source.url) as response,
    ):
        copied = client.put(target.url, body=response.iter_chunks())
    assert copied.content == b"".join(content)


def test_error_in_a_body_is_raised_with_its_traceback(client: Client) -> None:
    def fail() -> Iterator[bytes]:
        yield b"1"
        raise LookupError("no more")

    with RawServer(swallow) as server:
        with pytest.raises(LookupError, match="no more") as caught:
            client.post(server.url, body=fail())
        assert client.stats()[:2] == (0, 0)
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert (names[0], names[-1]) == ("test_error_in_a_body_is_raised_with_its_traceback", "fail")


def test_iterator_that_stops_at_once_and_factory_that_raises_stop(client: Client) -> None:
    with RawServer(echo_body) as server:
        assert client.post(server.url, body=iter(())).content == b""
        with pytest.raises(RuntimeError, match="StopIteration"):
            client.post(server.url, body=lambda: next(iter(())))
        assert client.post(server.url, body=b"on").content == b"on"


def test_generator_is_closed_after_an_early_answer(client: Client) -> None:
    closed: list[threading.Thread] = []

    def endless() -> Iterator[bytes]:
        try:
            while True:
                yield bytes(65_536)
        finally:
            closed.append(threading.current_thread())

    with RawServer(EarlyAnswer("closes")) as server:
        assert client.post(server.url, body=endless()).status == 413
    assert closed == [threading.current_thread()]


async def test_request_of_a_blocking_client_may_be_sent_by_another() -> None:
    with RawServer(echo_body) as server, Client() as client:
        requests = [client.build_request("POST", server.url, body=body) for body in (count(), Thrice(), count)]
        async with asyncclient.Client() as other:
            assert [(await other.send(request)).content for request in requests] == [b"123"] * 3


def test_progress_of_a_body_is_reported_in_the_waiting_thread_and_may_end_the_request(client: Client) -> None:
    seen: list[tuple[int, int | None, threading.Thread]] = []

    def progress(sent: int, total: int | None) -> None:
        seen.append((sent, total, threading.current_thread()))

    with RawServer(echo_body) as server:
        assert client.post(server.url, body=b"123", progress=progress, compress="gzip").status == 200
        assert seen == [(3, 3, threading.current_thread())]

        def fail(sent: int, total: int | None) -> None:
            raise KeyError("enough")

        with pytest.raises(KeyError, match="enough"):
            client.post(server.url, body=Thrice(), progress=fail)
        assert client.stats().active == 0
