"""Bytes, text and iterables as bodies: their lengths, and the bytes that are sent."""

import array
import asyncio
import contextlib
import ctypes
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from asyncclient.exchange.body import BLOCKSIZE, Body, BytesSource, open_source
from asyncclient.exchange.receive import ResponseHeads
from asyncclient.exchange.send import send_request
from asyncclient.limits import DEFAULT
from tests.exchange.sending import content_of
from tests.scripted import ScriptedStream, run_now

REFUSAL = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"


# Bytes and text


@pytest.mark.parametrize(
    ("body", "content"),
    [
        (b"hello", b"hello"),
        (b"", b""),
        (bytearray(b"hello"), b"hello"),
        (bytearray(), b""),
        (memoryview(b"hello"), b"hello"),
        (memoryview(b"hello world")[6:], b"world"),
        (memoryview(b"abcdef").cast("H"), b"abcdef"),
        (memoryview(b"abcdef").cast("B", (2, 3)), b"abcdef"),
        (memoryview(b"abcdef")[::2], b"ace"),
        (array.array("H", [1, 2]), array.array("H", [1, 2]).tobytes()),
        (array.array("d"), b""),
        ((ctypes.c_int32 * 2)(1, 2), array.array("i", [1, 2]).tobytes()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_buffers_are_their_bytes(body: Any, content: bytes) -> None:
    assert content_of(body) == (len(content), content)


@pytest.mark.parametrize(("text", "content"), [("hello", b"hello"), ("", b""), ("\xe9\xff\r\n", b"\xe9\xff\r\n")])
def test_text_is_latin_1(text: str, content: bytes) -> None:
    assert content_of(text) == (len(content), content)


@pytest.mark.parametrize("text", ["€", "a\u560a", "\ud800", "e\u0301"])
def test_text_beyond_latin_1_is_refused_and_named(text: str) -> None:
    with pytest.raises(ValueError, match="ISO-8859-1"):
        content_of(text)


def test_a_long_text_is_not_in_the_message() -> None:
    with pytest.raises(ValueError, match="ISO-8859-1") as raised:
        content_of("secret" + "€" * 1000)
    assert "secret" not in str(raised.value)
    assert len(str(raised.value)) < 250


def test_large_data_is_read_in_chunks() -> None:
    def sizes(data: bytes | bytearray) -> list[int]:
        source = BytesSource(data)
        return [len(run_now(source.read())) for _ in range(4)]

    assert sizes(b"x" * (2 * BLOCKSIZE + 1)) == sizes(bytearray(2 * BLOCKSIZE + 1)) == [BLOCKSIZE, BLOCKSIZE, 1, 0]


# Iterables


def generate(*pieces: Any) -> Generator[Any, None, None]:
    yield from pieces


async def agenerate(*pieces: Any) -> AsyncGenerator[Any, None]:
    for piece in pieces:
        yield piece


class Pieces:
    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    def __init__(self) -> None:
        self.left = [b"c", b"b", b"a"]

    async def __anext__(self) -> bytes:
        if not self.left:
            raise StopAsyncIteration
        return self.left.pop()


@pytest.mark.parametrize(
    "make",
    [
        lambda: [b"a", bytearray(b"b"), memoryview(b"c")],
        lambda: (b"abc",),
        lambda: generate(b"a", b"", array.array("B", b"bc")),
        lambda: agenerate(b"ab", memoryview(b"c")),
        lambda: iter([b"a", b"bc"]),
        lambda: map(bytes, [b"a", b"b", b"c"]),
        Pieces,
    ],
)
def test_iterables_have_no_length(make: Callable[[], Any]) -> None:
    assert content_of(make()) == (None, b"abc")


@pytest.mark.parametrize("body", [5, 1.5, None, True, object(), {"a": b"1"}, Path("file"), asyncio.sleep, b"".join])
def test_invalid_body_is_refused_at_once(body: Any) -> None:
    with pytest.raises(TypeError, match="expected bytes, str, a file, a path or an iterable of bytes as body, got"):
        run_now(open_source(body))


@pytest.mark.parametrize("make", [generate, agenerate, lambda *pieces: list(pieces)])
@pytest.mark.parametrize("wrong", ["a", 1, None, {}, [b"a"]])
def test_items_of_a_wrong_type_are_refused(make: Callable[..., Any], wrong: Any) -> None:
    with pytest.raises(TypeError, match="expected bytes from the body, got"):
        content_of(make(b"a", wrong))


def closing(closed: list[str]) -> Generator[bytes, None, None]:
    try:
        while True:
            yield b"piece"
    finally:
        closed.append("generator")


class Closing:
    """An iterable whose iterator is an asynchronous generator."""

    def __init__(self, closed: list[str]) -> None:
        self.closed = closed

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"piece"
        finally:
            await asyncio.sleep(0)
            self.closed.append("asynchronous generator")


async def upload_until(body: Body, stream: ScriptedStream) -> None:
    await send_request(stream, b"HEAD", await open_source(body), ResponseHeads(), DEFAULT, chunked=True)


@pytest.mark.parametrize("error", [None, OSError("gone")])
def test_a_generator_is_closed_when_the_upload_ends_early(error: Exception | None) -> None:
    closed: list[str] = []
    body = closing(closed)
    stream = ScriptedStream([REFUSAL], answers=[30]) if error is None else ScriptedStream(breaks=(30, error))
    with contextlib.suppress(OSError):
        run_now(upload_until(body, stream))
    assert closed == ["generator"]
    assert next(body, None) is None


@pytest.mark.asyncio(loop_factories=["asyncio"])
@pytest.mark.parametrize("make", [Closing, lambda closed: Closing(closed).__aiter__()])
async def test_an_asynchronous_generator_is_closed_when_the_upload_ends_early(make: Callable[[list[str]], Any]) -> None:
    closed: list[str] = []
    await upload_until(make(closed), ScriptedStream([REFUSAL], answers=[30]))
    assert closed == ["asynchronous generator"]
