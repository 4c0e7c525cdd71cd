"""Trailers of a request: the bytes sent, when a function is called for them, and invalid ones."""

import hashlib
from collections.abc import Iterator
from typing import Any

import h11
import pytest

from asyncclient.exchange.body import open_source
from asyncclient.exchange.receive import ResponseHeads
from asyncclient.exchange.send import Trailers, send_request
from asyncclient.limits import DEFAULT
from tests.exchange.sending import CONTINUE, FAILED, HEAD, LAST_CHUNK, TOO_LARGE, join_in_chunks, sent_content
from tests.scripted import ScriptedStream, run_now

CHUNKED_HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def send(
    stream: ScriptedStream, body: Any, trailers: Any, *, chunked: bool = True, expect: float | None = None
) -> None:
    async def run() -> None:
        source = None if body is None else await open_source(body, 4)
        await send_request(
            stream, HEAD, source, ResponseHeads(), DEFAULT, chunked=chunked, expect=expect, trailers=trailers
        )  # fmt: skip

    run_now(run())


def never() -> list[tuple[str, str]]:
    raise AssertionError("trailers were asked for")


@pytest.mark.parametrize(
    ("trailers", "lines"),
    [
        ([("Digest", "sha-256=x")], b"Digest: sha-256=x\r\n"),
        ((("A", "1"), ("a", "2"), ("B", "")), b"A: 1\r\na: 2\r\nB: \r\n"),
        ({"A": "1", "B": "2"}, b"A: 1\r\nB: 2\r\n"),
        ([("A", "\xe9")], b"A: \xe9\r\n"),
        ([(b"A", b"\xc3\xa9"), ("N", 5)], b"A: \xc3\xa9\r\nN: 5\r\n"),
        (lambda: [("A", "1")], b"A: 1\r\n"),
        (lambda: {"A": "1"}, b"A: 1\r\n"),
        ([], b""),
        (list, b""),
        (lambda: iter([("A", "1")]), b"A: 1\r\n"),
    ],
)
@pytest.mark.parametrize("body", [b"hello", [b"hello"]])
def test_trailers_follow_the_last_chunk(body: Any, trailers: Trailers, lines: bytes) -> None:
    stream = ScriptedStream()
    send(stream, body, trailers)
    assert sent_content(stream) == join_in_chunks(b"hello").removesuffix(b"\r\n") + lines + b"\r\n"


def test_without_trailers_the_last_chunk_is_plain() -> None:
    stream = ScriptedStream()
    send(stream, [b"hello"], None)
    assert sent_content(stream) == join_in_chunks(b"hello")


def test_trailers_are_read_by_h11() -> None:
    stream = ScriptedStream()
    send(stream, [b"hello", b"world"], {"X-Checksum": "abc", "X-Count": "2"})
    server = h11.Connection(h11.SERVER)
    server.receive_data(CHUNKED_HEAD + sent_content(stream))
    events = iter(server.next_event, h11.NEED_DATA)
    ends = [event for event in events if isinstance(event, h11.EndOfMessage)]
    assert [list(end.headers) for end in ends] == [[(b"x-checksum", b"abc"), (b"x-count", b"2")]]


def test_a_function_is_called_once_the_content_is_sent() -> None:
    digest = hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        for piece in (b"hello", b"world"):
            digest.update(piece)
            yield piece

    stream = ScriptedStream()
    send(stream, pieces(), lambda: [("X-Digest", digest.hexdigest())])
    assert sent_content(stream).endswith(
        b"0\r\nX-Digest: " + hashlib.sha256(b"helloworld").hexdigest().encode() + b"\r\n\r\n"
    )


@pytest.mark.parametrize("after", [len(HEAD) + 1, len(HEAD) + 10])
def test_a_function_is_not_called_after_an_early_response(after: int) -> None:
    stream = ScriptedStream([TOO_LARGE], answers=[after])
    send(stream, [b"hello"], never)
    assert not stream.written.endswith(LAST_CHUNK)


def test_trailers_follow_content_that_had_to_wait() -> None:
    stream = ScriptedStream([CONTINUE], answers=[len(HEAD)])
    send(stream, [b"hello"], [("A", "1")], expect=1.0)
    assert sent_content(stream) == b"5\r\nhello\r\n0\r\nA: 1\r\n\r\n"
    stream = ScriptedStream([FAILED], answers=[len(HEAD)])
    send(stream, [b"hello"], never, expect=1.0)
    assert sent_content(stream) == b""


REFUSED = [
    ([("Content-Length", "5")], ValueError, "can't be sent as a trailer.*'Content-Length'"),
    ([("A", "1"), ("TRANSFER-encoding", "chunked")], ValueError, "can't be sent as a trailer"),
    ([(b"Host", b"x")], ValueError, "can't be sent as a trailer"),
    ({"Authorization": "secret"}, ValueError, "can't be sent as a trailer"),
    ([("A", "1\r\nB: 2")], ValueError, "invalid value of header A"),
    ([("A\r\n\r\nGET", "1")], ValueError, "invalid header name"),
    ([("A", "€")], ValueError, "not ISO-8859-1"),
    ([("A", None)], TypeError, "expected str, bytes or int"),
    (["A"], TypeError, "expected a mapping or pairs"),
    (5, TypeError, "expected a mapping or pairs"),
]


@pytest.mark.parametrize(("trailers", "error", "text"), REFUSED)
def test_wrong_trailers_are_refused_before_anything_is_sent(trailers: Any, error: type[Exception], text: str) -> None:
    stream = ScriptedStream()
    with pytest.raises(error, match=text) as raised:
        send(stream, [b"hello"], trailers)
    assert stream.writes == []
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(("trailers", "error", "text"), REFUSED)
def test_a_function_with_wrong_trailers_leaves_the_chunks_without_end(
    trailers: Any, error: type[Exception], text: str
) -> None:
    stream = ScriptedStream()
    with pytest.raises(error, match=text):
        send(stream, [b"hello"], lambda: trailers)
    assert sent_content(stream) == b"5\r\nhello\r\n"


@pytest.mark.parametrize("body", [None, b"hello", [b"hello"]])
@pytest.mark.parametrize("trailers", [[("A", "1")], never])
def test_trailers_need_chunks(body: Any, trailers: Any) -> None:
    stream = ScriptedStream()
    with pytest.raises(ValueError, match="trailers can only follow content in chunks"):
        send(stream, body, trailers, chunked=body is None)
    assert stream.writes == []
