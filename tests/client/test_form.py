"""Forms with files: their parts, lengths, files opened in turn, and the memory they take."""

import asyncio
import io
import os
import resource
import tracemalloc
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiofiles
import pytest

from asyncclient.client.body.arguments import Part, Payload
from asyncclient.errors import BodyNotReplayable
from asyncclient.exchange.body import BLOCKSIZE
from asyncclient.exchange.receive import ResponseHeads
from asyncclient.exchange.send import MAX_SINGLE_WRITE, send_request
from asyncclient.exchange.stream import Buffer
from asyncclient.limits import DEFAULT
from tests.client.bodies import agenerate, build, generate, is_open, send, send_all
from tests.exchange.sending import TOO_LARGE
from tests.scripted import ScriptedStream


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file.bin"
    path.write_bytes(b"0123456789")
    return path


def take_apart(content_type: str | None, body: bytes) -> list[tuple[list[str], bytes]]:
    """The parts of a multipart body, each as the lines of its head and its content (RFC 2046 §5.1.1)."""
    assert content_type is not None
    kind, _, boundary = content_type.partition("; boundary=")
    assert kind == "multipart/form-data"
    before, *parts, after = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    assert (before, after) == (b"", b"--\r\n")
    split = [part.removeprefix(b"\r\n").split(b"\r\n\r\n", 1) for part in parts]
    return [(head.decode().split("\r\n"), content) for head, content in split]


def disposition(name: str, filename: str | None = None) -> str:
    rest = "" if filename is None else f'; filename="{filename}"'
    return f'Content-Disposition: form-data; name="{name}"{rest}'


async def parts_of(payload: Payload) -> list[tuple[list[str], bytes]]:
    length, body = await send_all(payload)
    assert length in (None, len(body))
    return take_apart(payload.content_type, body)


@pytest.mark.parametrize(
    ("file", "head", "content"),
    [
        (b"x", [disposition("f", "f"), "Content-Type: application/octet-stream"], b"x"),
        ("é", [disposition("f", "f"), "Content-Type: text/plain; charset=utf-8"], b"\xc3\xa9"),
        (("a.csv", "é"), [disposition("f", "a.csv"), "Content-Type: text/csv"], b"\xc3\xa9"),
        (("a.png", b"x"), [disposition("f", "a.png"), "Content-Type: image/png"], b"x"),
        (("a.png", b"x", "x/y"), [disposition("f", "a.png"), "Content-Type: x/y"], b"x"),
        (("a.png", b"x", ""), [disposition("f", "a.png")], b"x"),
        ((None, b"{}", "application/json"), [disposition("f"), "Content-Type: application/json"], b"{}"),
        ((None, b"x"), [disposition("f")], b"x"),
        (("a", b"x", None, {"Content-Type": "x/y", "X-A": "1"}),
         [disposition("f", "a"), "Content-Type: x/y", "X-A: 1"], b"x"),
        (Part("a", b"x", headers=[("X-A", "1")]),
         [disposition("f", "a"), "Content-Type: application/octet-stream", "X-A: 1"], b"x"),
        (Part('"\r\n', b"xyz", "a/b", length=3), [disposition("f", "%22%0D%0A"), "Content-Type: a/b"], b"xyz"),
        ([b"x", b"y"], [disposition("f", "f"), "Content-Type: application/octet-stream"], b"xy"),
        (lambda: agenerate(b"x", b"y"), [disposition("f", "f"), "Content-Type: application/octet-stream"], b"xy"),
    ],
)  # fmt: skip
async def test_parts(file: Any, head: list[str], content: bytes) -> None:
    for files in ({"f": file}, [("f", file)]):
        assert await parts_of(build(files=files)) == [(head, content)]


class Standard(io.BytesIO):
    name = "<stdin>"


@pytest.mark.parametrize(
    ("find", "name"),
    [
        (lambda path: path, "file.bin"),
        (lambda path: path.open("rb"), "file.bin"),
        (lambda path: open(os.fsencode(path), "rb"), "file.bin"),  # noqa: SIM115
        (lambda path: open(os.open(path, os.O_RDONLY), "rb"), "f"),  # noqa: SIM115
        (lambda path: Standard(path.read_bytes()), "f"),
    ],
    ids=["path", "file", "bytes", "descriptor", "standard input"],
)
async def test_a_part_has_the_name_of_its_file(find: Callable[[Path], Any], name: str, path: Path) -> None:
    found = find(path)
    (part,) = await parts_of(build(files={"f": found}))
    assert part == ([disposition("f", name), "Content-Type: application/octet-stream"], b"0123456789")
    if found is not path:
        found.close()


async def test_a_part_has_the_name_of_its_asynchronous_file(path: Path) -> None:
    async with aiofiles.open(path, "rb") as file:
        (part,) = await parts_of(build(files={"f": file}))
        assert part[0][0] == disposition("f", "file.bin")


async def test_fields_are_first_and_each_in_its_order() -> None:
    payload = build(
        data=[("b", "1"), ("a", ["é", 2]), ("n", None), ("t", True)], files=[("f", b"x"), ("a", b"y"), ("f", b"z")]
    )
    parts = await parts_of(payload)
    assert [(head[0], content) for head, content in parts] == [
        (disposition("b"), b"1"),
        (disposition("a"), "é".encode()),
        (disposition("a"), b"2"),
        (disposition("t"), b"true"),
        (disposition("f", "f"), b"x"),
        (disposition("a", "a"), b"y"),
        (disposition("f", "f"), b"z"),
    ]
    assert [len(head) for head, _ in parts[:4]] == [1] * 4


@pytest.mark.parametrize("files", [{}, []])
async def test_empty_files_still_make_a_multipart_form(files: Any) -> None:
    assert await parts_of(build(files=files)) == []
    assert await parts_of(build(data={"a": "1"}, files=files)) == [([disposition("a")], b"1")]


async def test_small_parts_in_memory_make_bytes() -> None:
    payload = build(data={"a": "1"}, files={"f": ("a", bytearray(b"x"))})
    assert payload.data is not None
    assert len(take_apart(payload.content_type, bytes(payload.data))) == 2
    assert build(files={"f": b"x" * MAX_SINGLE_WRITE}).data is None
    assert build(files={"f": [b"x"]}).data is None


@pytest.mark.parametrize(
    ("files", "is_known"),
    [
        ({"f": b"x" * 100_000}, True),
        ({"f": io.BytesIO(b"abc"), "g": b"x"}, True),
        ({"f": [b"a", b"b"]}, False),
        ({"f": io.BytesIO(b"abc"), "g": [b"x"]}, False),
        ({"f": Part("a", [b"a", b"b"], length=2), "g": b"x"}, True),
        ({"f": Part("a", b"ab", length=2)}, True),
    ],
)
async def test_the_length_is_known_if_that_of_each_part_is(files: dict[str, Any], is_known: bool) -> None:
    payload = build(files=files)
    for _ in range(2):
        length, body = await send_all(payload)
        assert length == (len(body) if is_known else None)


async def test_a_form_is_sent_again_if_each_part_can_be(path: Path) -> None:
    with path.open("rb") as file:
        payload = build(data={"a": "1"}, files={"f": file, "g": path, "h": lambda: agenerate(b"x", b"y")})
        first = await parts_of(payload)
        assert [content for _, content in first] == [b"1", b"0123456789", b"0123456789", b"xy"]
        assert payload.is_replayable
        assert await parts_of(payload) == first


async def test_a_form_with_a_used_up_part_is_not_sent_again(path: Path) -> None:
    payload = build(files={"g": path, "f": agenerate(b"x")})
    assert payload.is_replayable
    assert [content for _, content in await parts_of(payload)] == [b"0123456789", b"x"]
    assert not payload.is_replayable
    with pytest.raises(BodyNotReplayable):
        await payload.open()
    assert not is_open(path)


class Changing(io.BytesIO):
    """A file that gets longer or shorter once it is read."""

    def __init__(self, data: bytes, after: bytes) -> None:
        super().__init__(data)
        self.after: bytes | None = after

    def read(self, n: int | None = -1, /) -> bytes:
        if self.after is not None:
            self.seek(0)
            self.truncate()
            self.write(self.after)
            self.seek(0)
            self.after = None
        return super().read(n)


async def test_bytes_appended_to_a_file_meanwhile_are_not_sent() -> None:
    payload = build(files={"f": ("a", Changing(b"abcdef", b"abcdefghijkl")), "g": b"next"})
    assert [content for _, content in await parts_of(payload)] == [b"abcdef", b"next"]


async def test_a_file_that_shrinks_ends_the_form() -> None:
    payload = build(files={"f": ("a", Changing(b"abcdef", b"abc")), "g": b"next"})
    stream = ScriptedStream()
    with pytest.raises(ValueError, match="body ended 3 bytes before its length of 6"):
        await send(payload, stream)
    assert stream.written.endswith(b"\r\n\r\nabc")


@pytest.mark.parametrize(
    ("pieces", "text"), [((b"a",), "ended 1 bytes before"), ((b"a", b"bc"), "longer than its length")]
)
@pytest.mark.parametrize("make", [generate, agenerate, lambda *pieces: list(pieces), lambda *pieces: b"".join(pieces)])
async def test_a_part_is_held_to_the_length_given(
    make: Callable[..., Any], pieces: tuple[bytes, ...], text: str
) -> None:
    payload = build(files={"f": Part("a", make(*pieces), length=2)})
    with pytest.raises(ValueError, match=text):
        await send(payload)


async def test_a_path_is_sent_as_far_as_the_length_given(path: Path) -> None:
    payload = build(files={"f": Part("a", path, length=4)})
    for _ in range(2):
        length, body = await send_all(payload)
        assert length == len(body)
        assert [content for _, content in take_apart(payload.content_type, body)] == [b"0123"]
    with pytest.raises(ValueError, match="body ended 2 bytes before its length of 12"):
        await send(build(files={"f": Part("a", path, length=12)}))


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.bin" for number in range(100)]
    for number, path in enumerate(paths):
        path.write_bytes(b"%d" % number * 5)
    return paths


@pytest.mark.parametrize("as_function", [False, True])
async def test_many_paths_need_one_descriptor_at_a_time(paths: list[Path], as_function: bool) -> None:
    payload = build(files=[("f", partial(Path, path) if as_function else path) for path in paths])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    least = os.open(os.devnull, os.O_RDONLY)
    os.close(least)
    resource.setrlimit(resource.RLIMIT_NOFILE, (least + 16, hard))
    try:
        length, body = await send_all(payload)
        again = await send_all(payload)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert length == len(body)
    assert again == (length, body)
    assert [content for _, content in take_apart(payload.content_type, body)] == [p.read_bytes() for p in paths]


def replace(path: Path) -> None:
    path.rename(path.with_name("other"))
    path.write_bytes(b"0123456789")


def write_other_bytes(path: Path) -> None:
    path.write_bytes(b"9876543210")
    os.utime(path, (1, 1))  # a clock that is too coarse would leave the time as it was


def replace_with_a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


CHANGES: list[Callable[[Path], object]] = [
    replace,
    write_other_bytes,
    lambda path: path.write_bytes(b"012"),
    lambda path: path.write_bytes(b"0123456789ab"),
    replace_with_a_fifo,
]


@pytest.mark.parametrize("change", CHANGES)
async def test_a_path_that_changes_before_its_turn_ends_the_form(path: Path, change: Callable[[Path], object]) -> None:
    async def first() -> AsyncIterator[bytes]:
        yield b"begun"
        await asyncio.to_thread(change, path)

    stream = ScriptedStream()
    expected = r"file was changed after it was measured and before it was sent: '/|expected a regular file: '/"
    with pytest.raises((ValueError, FileExistsError), match=expected):
        await send(build(files={"a": Part("a", first, length=5), "f": path}), stream)
    assert b"\r\n\r\n0123" not in stream.written  # a boundary may contain the digits
    assert not is_open(path)


@pytest.mark.parametrize("path", ["missing", "."])
async def test_a_path_that_cannot_be_read_is_an_error_before_a_byte_is_sent(tmp_path: Path, path: str) -> None:
    payload = build(files={"a": [b"x"], "f": tmp_path / path})
    with pytest.raises(OSError, match=r"No such file|Is a directory"):
        await payload.open()


async def test_a_fifo_is_read_in_its_turn(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    payload = build(files={"f": path, "g": b"x"})
    writing = asyncio.create_task(asyncio.to_thread(path.write_bytes, b"content"))
    assert [content for _, content in await parts_of(payload)] == [b"content", b"x"]
    await writing


async def test_a_cancelled_form_leaves_no_file_open(path: Path) -> None:
    payload = build(files={"f": path, "g": b"x"})
    source = await payload.open(4)
    await source.read()
    assert is_open(path)
    await source.aclose()
    await payload.aclose()
    assert not is_open(path)


async def test_the_error_of_a_part_reaches_the_caller_and_no_last_chunk_is_sent() -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"begun"
        raise LookupError

    stream = ScriptedStream()
    with pytest.raises(LookupError):
        await send(build(files={"f": failing}), stream)
    assert stream.written.endswith(b"begun\r\n")


async def test_generators_are_closed_when_a_response_ends_the_form() -> None:
    closed = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"piece"
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    await send(build(files={"f": endless}), ScriptedStream([TOO_LARGE], answers=[300]))
    assert closed == [True]


class Sink(ScriptedStream):
    """Takes everything and keeps the sizes only."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def write(self, data: Buffer) -> None:
        self.sizes.append(len(data))


async def write_out(payload: Payload) -> Sink:
    sink = Sink()
    source = await payload.open()
    await send_request(sink, b"", source, ResponseHeads(), DEFAULT, chunked=source.length is None)
    await payload.aclose()
    return sink


async def test_a_large_file_is_sent_in_blocks(path: Path) -> None:
    size = 64 * 1024 * 1024
    os.truncate(path, size)
    payload = build(data={"a": "1"}, files={"f": path})
    await write_out(build(files={"f": [b"x"]}))  # fills caches and imports modules
    tracemalloc.start()
    try:
        sink = await write_out(payload)
        growth = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert growth < 2 * 1024 * 1024
    assert sum(sink.sizes) == (await payload.open()).length
    await payload.aclose()
    assert len(sink.sizes) == size // BLOCKSIZE + 3  # the request's head, and the head and the end of the form
    assert max(sink.sizes) < BLOCKSIZE + 1024


async def test_large_bytes_are_not_copied_whole() -> None:
    payload = build(files={"f": b"x" * (10 * BLOCKSIZE)})
    source = await payload.open()
    sizes = []
    while chunk := await source.read():
        sizes.append(len(chunk))
    assert max(sizes) < BLOCKSIZE + 1024
    ((_, content),) = await parts_of(payload)
    assert content == b"x" * (10 * BLOCKSIZE)


async def test_small_parts_are_sent_together() -> None:
    files = {f"f{number}": b"x" * 1000 for number in range(1000)}
    sink = await write_out(build(files=files))
    assert len(sink.sizes) < sum(sink.sizes) / MAX_SINGLE_WRITE + 2
    assert max(sink.sizes) < MAX_SINGLE_WRITE + 2000
    sink = await write_out(build(data={f"f{number}": "" for number in range(1000)}, files={"f": io.BytesIO(b"x")}))
    assert max(sink.sizes) < MAX_SINGLE_WRITE + 2000
    assert len(sink.sizes) < 6


async def test_a_slow_chunk_is_sent_without_waiting_for_more() -> None:
    source = await build(files={"f": [b"one", b"two"]}).open()
    assert bytes(await source.read()).endswith(b"\r\n\r\none")
    assert await source.read() == b"two"
    await source.aclose()
