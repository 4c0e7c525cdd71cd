"""Downloads: whole or not at all, gone on with where they were cut off, and checked."""

import asyncio
import base64
import gzip
import hashlib
import os
import random
import resource
import stat
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from asyncclient import (
    Client,
    ContentTooLarge,
    DecodingError,
    HTTPException,
    IncompleteRead,
    ProtocolError,
    ReadTimeout,
    ResponseNotRead,
    Retry,
    StatusError,
    Timeout,
    TotalTimeout,
)
from asyncclient.client.download import STEP, Span, find_validator, in_worker, list_checks
from asyncclient.client.part_file import Note, PartFile
from asyncclient.message.fields import Fields
from asyncclient.testing import DemoServer, RawConnection, RawServer
from tests.client.asking import Answering, Asked, Gate, comes_true, is_clean, lasts, parse_request, redirect
from tests.connection.scripts import MEBIBYTE, chunked, happens, reply
from tests.servers import Caddy, Certificates

CONTENT = random.Random(1).randbytes(3 * STEP + 5)
SIZE = len(CONTENT)
CUT = STEP + 1000
DATES = (b"Date: Sun, 06 Nov 1994 08:49:37 GMT", b"Last-Modified: Sun, 06 Nov 1994 08:49:36 GMT")
AT_ONCE = Retry(total=2, backoff=0)


def partial(data: bytes, content_range: str, *fields: bytes) -> bytes:
    return reply(data, b"Content-Range: " + content_range.encode(), *fields, status=b"206 Partial Content")


class Store(RawServer):
    """A server of one file.

    Args:
        fields: of each answer.
        cuts: after how many bytes of content the first answers end, with the connection; None sends all.
        answers: what is sent instead, for the first requests; None serves the file.
        heeds: what of Range and If-Range is understood.
    """

    def __init__(
        self,
        content: bytes = CONTENT,
        *fields: bytes,
        cuts: tuple[int | None, ...] = (),
        answers: tuple[bytes | None, ...] = (),
        heeds: tuple[str, ...] = ("range", "if-range"),
        **options: Any,
    ) -> None:
        super().__init__(self._serve_file, **options)
        self.content = content
        self.fields = fields or (b'ETag: "v1"',)
        self.cuts: list[int | None] = list(cuts)
        self.answers: list[bytes | None] = list(answers)
        self.heeds = heeds
        self.asked: list[Asked] = []

    def _serve_file(self, connection: RawConnection) -> None:
        while head := connection.read_head():
            self.asked.append(parse_request(head))
            answer = self.answers.pop(0) if self.answers else None
            answer = self._answer(self.asked[-1]) if answer is None else answer
            cut = self.cuts.pop(0) if self.cuts else None
            if cut is not None:
                connection.send(answer[: answer.index(b"\r\n\r\n") + 4 + cut])
                return
            connection.send(answer)

    def _answer(self, asked: Asked) -> bytes:
        start = self._find_start(asked)
        if start is None:
            return reply(self.content, *self.fields)
        return partial(self.content[start:], f"bytes {start}-{len(self.content) - 1}/{len(self.content)}", *self.fields)

    def _find_start(self, asked: Asked) -> int | None:
        asked_range = asked["range"]
        if asked_range is None or "range" not in self.heeds:
            return None
        if "if-range" in self.heeds and not any(
            field.endswith(f": {asked['if-range']}".encode()) for field in self.fields
        ):
            return None
        return int(asked_range.removeprefix("bytes=").removesuffix("-"))

    @property
    def ranges(self) -> list[str | None]:
        """The fields Range that came, in order."""
        return [asked["range"] for asked in self.asked]


class Interrupted(Exception):
    """What a callback raises."""


def until(size: int) -> Callable[[int, int | None], None]:
    """A callback that ends the download once the file has so many bytes."""

    def progress(received: int, _: int | None) -> None:
        if received >= size:
            raise Interrupted

    return progress


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def is_whole(path: Path, content: bytes = CONTENT) -> bool:
    """Whether the file has this content, and stands alone."""
    return path.read_bytes() == content and names(path.parent) == [path.name]


@contextmanager
def whole(path: Path, content: bytes = CONTENT) -> Iterator[None]:
    yield
    assert is_whole(path, content)


async def leave_part(server: Store, path: Path, url: str = "/file", **options: Any) -> None:
    """Let a download be cut off, so that its part is left."""
    server.cuts = [CUT]
    async with Client() as client:
        with pytest.raises(IncompleteRead):
            await client.download(server.url + url, path, resume=True, **options)
    assert Path(f"{path}.part").read_bytes() == server.content[:CUT]
    server.asked.clear()


def digest(field: str, content: bytes = CONTENT, algorithm: str = "sha-256") -> bytes:
    value = hashlib.new(algorithm.replace("-", ""), content).digest()
    return f"{field}: {algorithm}=:{base64.b64encode(value).decode()}:".encode()


# A file


@pytest.mark.parametrize("size", [0, 1, STEP - 1, STEP, SIZE])
@pytest.mark.parametrize("framing", ["length", "chunks", "close"])
async def test_content_goes_to_the_file(tmp_path: Path, size: int, framing: str) -> None:
    content, steps = CONTENT[:size], list[tuple[int, int | None]]()
    answer = {
        "length": reply(content),
        "chunks": chunked(*(content[at : at + 9000] for at in range(0, size, 9000))),
        "close": b"HTTP/1.1 200 OK\r\n\r\n" + content,
    }[framing]
    then = RawConnection.close if framing == "close" else RawConnection.wait_closed
    with RawServer.replying(answer, then=then) as server, whole(tmp_path / "file", content):
        async with Client() as client:
            response = await client.download(server.url, tmp_path / "file", progress=lambda *step: steps.append(step))
            assert await is_clean(client)
    assert (response.status, response.closed, response.url) == (200, True, server.url)
    with pytest.raises(ResponseNotRead):
        _ = response.content
    totals = {total for _, total in steps}
    assert totals <= {size if framing == "length" else None}
    counts = [received for received, _ in steps]
    assert counts == sorted(set(counts))
    assert counts[-1:] == ([size] if size else [])
    assert all(b - a >= STEP for a, b in pairwise(counts[:-1]))


async def test_client_rules_hold(tmp_path: Path) -> None:
    answers = {"/api/go?n=1&q=2": redirect("/file"), "/file": reply(CONTENT)}
    with Answering(answers) as server, whole(tmp_path / "file"):
        async with Client(base_url=f"{server.url}/api", params={"n": 1}) as client:
            response = await client.download("go", str(tmp_path / "file"), params={"q": 2}, headers={"X-Own": "1"})
    assert [one.status for one in (*response.history, response)] == [302, 200]
    assert [asked["accept-encoding"] for asked in server.asked] == ["identity"] * 2
    assert [asked["x-own"] for asked in server.asked] == ["1"] * 2


async def test_a_file_is_replaced_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    seen = []
    with Store() as server, whole(path):
        async with Client() as client:
            await client.download(
                server.url, path, progress=lambda *_: seen.append((path.read_bytes(), *names(tmp_path)))
            )
    assert set(seen) == {(b"old", "file", "file.part")}


@pytest.mark.parametrize(("old", "new"), [(None, 0o640), (0o600, 0o600), (0o444, 0o444), (0o666, 0o666)])
async def test_mode_of_the_file(tmp_path: Path, old: int | None, new: int) -> None:
    path = tmp_path / "file"
    if old is not None:
        path.touch()
        path.chmod(old)
    before, modes = os.umask(0o027), set()
    try:
        with Store() as server, whole(path):
            async with Client() as client:
                part = Path(f"{path}.part")
                await client.download(server.url, path, progress=lambda *_: modes.add(part.stat().st_mode & 0o777))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == new
    assert [mode & ~(new | 0o200) for mode in modes] == [0]


async def test_a_link_is_followed(tmp_path: Path) -> None:
    folder, link = tmp_path / "folder", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(folder / "file")
    with Store() as server, whole(folder / "file"):
        async with Client() as client:
            await client.download(server.url, link)
            await client.download(server.url, link)
    assert link.is_symlink()


def make_part_link(path: Path) -> None:
    (path.parent / "victim").touch()
    Path(f"{path}.part").symlink_to(path.parent / "victim")


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (Path.mkdir, IsADirectoryError, "directory"),
        (os.mkfifo, FileExistsError, "expected a regular file"),
        (lambda path: path.symlink_to(path), OSError, "symbolic links"),
        (make_part_link, OSError, "symbolic links"),
        (lambda path: os.mkfifo(f"{path}.part"), FileExistsError, "expected a regular file"),
        (lambda path: Path(f"{path}.part").mkdir(), IsADirectoryError, "directory"),
        (lambda path: path.parent.rmdir(), FileNotFoundError, "No such file"),
    ],
)
async def test_a_path_that_is_no_file(
    tmp_path: Path, make: Callable[[Path], object], error: type[Exception], text: str
) -> None:
    path = tmp_path / "folder" / "file"
    path.parent.mkdir()
    make(path)
    before = names(path.parent) if path.parent.exists() else []
    with Store() as server:
        async with Client() as client:
            with pytest.raises(error, match=text):
                await client.download(server.url, path)
    assert server.asked == []
    assert before == (names(path.parent) if path.parent.exists() else [])


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """No file may become larger."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("size", [2 * STEP + 1000, SIZE - 1])
async def test_a_full_disk(tmp_path: Path, resume: bool, size: int) -> None:
    path = tmp_path / "file"
    with Store() as server:
        async with Client(retries=AT_ONCE) as client:
            with disk_of(size), pytest.raises(OSError, match="File too large"):
                await client.download(server.url, path, resume=resume)
            assert await is_clean(client)
            assert len(server.asked) == 1
            assert names(tmp_path) == (["file.part", "file.part.note"] if resume else [])
            await client.download(server.url, path, resume=resume)
    assert is_whole(path)
    assert server.ranges[1:] == [f"bytes={size - 1}-" if resume else None]


async def test_two_downloads_to_one_path(tmp_path: Path) -> None:
    path, gate = tmp_path / "file", Gate()

    def hold(connection: RawConnection) -> None:
        connection.read_head()
        answer = reply(CONTENT)
        connection.send(answer[:CUT])
        gate.wait()
        connection.send(answer[CUT:])

    with RawServer(hold) as slow, Store(b"other") as server, whole(path):
        async with Client() as client:
            first = asyncio.create_task(client.download(slow.url, path))
            await happens(gate.reached)
            with pytest.raises(BlockingIOError, match="another download"):
                await client.download(server.url, path)
            assert server.asked == []
            gate.open()
            await first


async def test_files_are_touched_in_workers_only(tmp_path: Path) -> None:
    calls = set[str]()

    def note(frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call":
            calls.add(function.__qualname__)

    with Store(CONTENT, b'ETag: "v1"', digest("Repr-Digest")) as server:
        async with Client() as client:
            await client.download(server.url, tmp_path / "file")  # it imports
            sys.setprofile(note)  # of this thread
            try:
                with pytest.raises(Interrupted):
                    await client.download(server.url, tmp_path / "file", resume=True, progress=until(STEP))
                await client.download(server.url, tmp_path / "file", resume=True)
            finally:
                sys.setprofile(None)
    assert len(calls) > 20
    assert {"open", "stat", "lstat", "fstat", "replace", "remove", "chmod"}.isdisjoint(calls)
    assert [name for name in calls if name.startswith(("FileIO.", "_IOBase.", "HASH.update"))] == []


async def test_content_is_not_kept(tmp_path: Path, caddy: Caddy) -> None:
    size = 16 * MEBIBYTE
    path = caddy.add_file("16m.bin", size)
    async with Client() as client:
        await client.download(f"{caddy.url}/1m.bin", tmp_path / "file")
        tracemalloc.start()
        try:
            await client.download(caddy.url + path, tmp_path / "file")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (tmp_path / "file").stat().st_size == size
    assert peak < 2 * MEBIBYTE


# Nothing is left of what fails


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (reply(b"gone", status=b"404 Not Found"), StatusError),
        (reply(b"", status=b"500 Oops"), StatusError),
        (redirect("/x"), StatusError),
        (reply(b"", status=b"304 Not Modified"), StatusError),
        (partial(b"data", "bytes 0-3/4"), ProtocolError),
        (partial(b"data", "bytes 0-3/4", b'ETag: "v1"'), ProtocolError),
        (reply(b"no gzip", b"Content-Encoding: gzip"), DecodingError),
        (reply(gzip.compress(b"cut")[:-1], b"Content-Encoding: gzip"), DecodingError),
        (reply(b"data", b"Content-Encoding: parrot"), DecodingError),
        (chunked(CONTENT)[:-5] + b"parrot\r\n", ProtocolError),
        (reply(CONTENT, digest("Content-Digest", b"other")), DecodingError),
        (reply(CONTENT, digest("Repr-Digest", b"other", "sha-512")), DecodingError),
        (reply(CONTENT, b"Content-Digest: sha-256=:AAAA:", digest("Repr-Digest")), DecodingError),
        (chunked(CONTENT, trailers=digest("Content-Digest", b"other") + b"\r\n"), DecodingError),
        (reply(bytes(SIZE + 1)), ContentTooLarge),
        (chunked(CONTENT, b"!"), ContentTooLarge),
    ],
)
@pytest.mark.parametrize("resume", [False, True])
async def test_a_failure_leaves_the_file_as_it_was(
    tmp_path: Path, answer: bytes, error: type[HTTPException], resume: bool
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with RawServer.replying(answer) as server, whole(path, b"old"):
        async with Client(max_body_size=SIZE, retries=AT_ONCE, follow_redirects=False) as client:
            with pytest.raises(error) as caught:
                await client.download(server.url, path, resume=resume)
            assert await is_clean(client)
    assert len(server.requests) == 1
    if isinstance(caught.value, StatusError):
        assert caught.value.response.status == int(answer[9:12])


async def test_an_error_status_is_told(tmp_path: Path) -> None:
    with Answering(default=reply(b"gone", status=b"404 Not Found")) as server:
        async with Client() as client:
            with pytest.raises(StatusError, match=r"^404 Not Found for GET 'http://\S+/x'$"):
                await client.download(f"{server.url}/x", tmp_path / "file")
            assert client.stats().idle == 1


async def test_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with Answering(default=b"HTTP/1.1 304 Not Modified\r\n\r\n") as server, whole(path, b"old"):
        async with Client() as client:
            response = await client.download(server.url, path, headers={"If-None-Match": '"v1"'})
    assert response.status == 304


@pytest.mark.parametrize("name", ["Range", "if-range"])
async def test_a_range_of_ones_own_is_refused(tmp_path: Path, name: str) -> None:
    async with Client() as client:
        with pytest.raises(ValueError, match="expected no Range"):
            await client.download("http://localhost/", tmp_path / "file", headers={name: "bytes=1-"})
    assert names(tmp_path) == []


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("fields", [(b'ETag: "v1"',), (b'ETag: W/"v1"', *DATES), (b"X-None: 1",)])
async def test_a_cut(tmp_path: Path, resume: bool, fields: tuple[bytes, ...]) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    may_resume = resume and fields[0] == b'ETag: "v1"'
    with Store(CONTENT, *fields, cuts=(CUT,)) as server:
        async with Client() as client:
            with pytest.raises(IncompleteRead):
                await client.download(server.url, path, resume=resume)
            assert await is_clean(client)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == (["file", "file.part", "file.part.note"] if may_resume else ["file"])


async def test_a_cut_before_the_first_byte_leaves_nothing(tmp_path: Path) -> None:
    with Store(cuts=(0,)) as server:
        async with Client() as client:
            with pytest.raises(IncompleteRead):
                await client.download(server.url, tmp_path / "file", resume=True)
    assert names(tmp_path) == []


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("moment", ["head", "content"])
async def test_cancelling(tmp_path: Path, resume: bool, moment: str) -> None:
    path, steps, reached = tmp_path / "file", list[int](), threading.Event()

    def hold(connection: RawConnection) -> None:
        connection.read_head()
        reached.set()
        if moment == "content":
            connection.send(reply(CONTENT, b'ETag: "v1"')[:-1000])
        connection.wait_closed()

    with RawServer(hold) as server:
        async with Client() as client:
            task = asyncio.create_task(
                client.download(server.url, path, resume=resume, progress=lambda n, _: steps.append(n))
            )
            await happens(reached)
            assert await comes_true(lambda: moment == "head" or len(steps) > 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            left = names(tmp_path)
            assert await is_clean(client)
    assert left == (["file.part", "file.part.note"] if resume and moment == "content" else [])
    if left:
        assert CONTENT.startswith(Path(f"{path}.part").read_bytes())


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597])
async def test_cancelling_at_any_turn_of_the_loop(tmp_path: Path, turns: int) -> None:
    path = tmp_path / "file"
    with Store() as server:
        async with Client() as client:
            task = asyncio.create_task(client.download(server.url, path))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                assert names(tmp_path) in ([], ["file"])
            assert await is_clean(client)
            await client.download(server.url, path)
    assert is_whole(path)


async def test_the_end_of_a_worker_is_waited_for() -> None:
    gate, ended = Gate(), threading.Event()

    def work() -> None:
        gate.wait()
        ended.set()
        raise OSError("not to be told")

    task = asyncio.create_task(in_worker(work))
    await happens(gate.reached)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    gate.open()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


# Going on


@pytest.mark.parametrize("fields", [(b'ETag: "v1"',), (b'ETag: ""',), DATES])
async def test_going_on_in_a_later_call(tmp_path: Path, fields: tuple[bytes, ...]) -> None:
    path, steps = tmp_path / "file", list[tuple[int, int | None]]()
    with Store(CONTENT, *fields) as server, whole(path):
        await leave_part(server, path)
        async with Client() as client:
            response = await client.download(
                f"{server.url}/file", path, resume=True, progress=lambda *step: steps.append(step)
            )
    assert response.status == 206
    assert server.ranges == [f"bytes={CUT - 1}-"]
    assert server.asked[0]["if-range"] == fields[-1].partition(b": ")[2].decode()
    assert server.asked[0]["accept-encoding"] == "identity"
    assert steps[-1] == (SIZE, SIZE)
    assert all(received > CUT for received, _ in steps)


async def test_a_part_that_was_whole_already(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with Store() as server, whole(path):
        async with Client() as client:
            with pytest.raises(Interrupted):
                await client.download(server.url, path, resume=True, progress=until(SIZE))
            assert Path(f"{path}.part").read_bytes() == CONTENT
            response = await client.download(server.url, path, resume=True)
    assert (response.status, server.ranges) == (206, [None, f"bytes={SIZE - 1}-"])


async def test_a_part_in_spite_of_an_error_status(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with Store() as server, whole(path):
        await leave_part(server, path)
        server.answers = [reply(b"busy", status=b"503 Busy")]
        async with Client() as client:
            with pytest.raises(StatusError):
                await client.download(f"{server.url}/file", path, resume=True)
            await client.download(f"{server.url}/file", path, resume=True)
    assert server.ranges == [f"bytes={CUT - 1}-"] * 2


@pytest.mark.parametrize("url", ["/file?x", "/other"])
async def test_a_part_of_another_url(tmp_path: Path, url: str) -> None:
    path = tmp_path / "file"
    with Store() as server, whole(path):
        await leave_part(server, path)
        async with Client() as client:
            await client.download(server.url + url, path, resume=True)
    assert server.ranges == [None]


@pytest.mark.parametrize("note", [None, b"", b"junk\n", b"0" * 64 + b'\n"v1"\n', b"+!", b"\0" * 300_000])
async def test_a_part_that_nobody_knows(tmp_path: Path, note: bytes | None) -> None:
    path = tmp_path / "file"
    with Store() as server, whole(path):
        await leave_part(server, path)
        if note is None:
            Path(f"{path}.part.note").unlink()
        else:
            before = Path(f"{path}.part.note").read_bytes() if note[:1] == b"+" else b""
            Path(f"{path}.part.note").write_bytes(before + note)
        async with Client() as client:
            await client.download(f"{server.url}/file", path, resume=True)
    assert server.ranges == [None]


async def test_a_part_without_resume_is_thrown_away(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with Store() as server, whole(path):
        await leave_part(server, path)
        async with Client() as client:
            await client.download(f"{server.url}/file", path)
    assert server.ranges == [None]


async def test_no_secret_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with Store() as server:
        await leave_part(server, path, "/file?signature=s3cret")
    note = Path(f"{path}.part.note").read_text()
    assert note.splitlines()[1:] == ['"v1"', str(SIZE)]
    assert "s3cret" not in note


@pytest.mark.parametrize("heeds", [(), ("range",), ("range", "if-range")])
async def test_a_file_that_has_changed(tmp_path: Path, heeds: tuple[str, ...]) -> None:
    path, changed = tmp_path / "file", CONTENT[::-1]
    with Store(heeds=heeds) as server, whole(path, changed):
        await leave_part(server, path)
        server.content, server.fields = changed, (b'ETag: "v2"',)
        async with Client() as client:
            response = await client.download(f"{server.url}/file", path, resume=True)
    assert response.status == 200
    assert server.ranges == [f"bytes={CUT - 1}-", *([None] if heeds == ("range",) else [])]


REST = CONTENT[CUT - 1 :]
RIGHT = f"bytes {CUT - 1}-{SIZE - 1}/{SIZE}"


def partial_of_rest(content_range: str) -> bytes:
    return partial(REST, content_range, b'ETag: "v1"')


def chunks_of_rest(content_range: str, *chunks: bytes) -> bytes:
    head = f'206 Partial Content\r\nETag: "v1"\r\nContent-Range: {content_range}'
    return chunked(*(chunks or (REST,))).replace(b"200 OK", head.encode(), 1)


@pytest.mark.parametrize(
    "answer",
    [
        reply(b"", b"Content-Range: bytes */5", status=b"416 Range Not Satisfiable"),
        reply(b"", f"Content-Range: bytes */{CUT - 1}".encode(), b'ETag: "v1"', status=b"416 Range Not Satisfiable"),
        reply(REST, b'ETag: "v1"', status=b"206 Partial Content"),
        partial(REST, RIGHT),
        partial(REST, RIGHT, b'ETag: "v2"'),
        partial(REST, RIGHT, b'ETag: W/"v1"'),
        partial(REST, RIGHT, b'ETag: "v1"', b"Content-Encoding: gzip"),
        *(
            answer(content_range)
            for answer in (partial_of_rest, chunks_of_rest)
            for content_range in (
                "",
                "parrot",
                f"parrots {CUT - 1}-{SIZE - 1}/{SIZE}",
                f"bytes {CUT}-{SIZE - 1}/{SIZE}",
                f"bytes {CUT - 2}-{SIZE - 1}/{SIZE}",
                f"bytes 0-{SIZE - 1}/{SIZE}",
                f"bytes {CUT - 1}-{SIZE}/{SIZE + 1}",
                f"bytes {CUT - 1}-{SIZE - 1}/{SIZE + 1}",
                f"bytes {CUT - 1}-{SIZE}/{SIZE}",
                f"bytes {CUT - 1}-{CUT - 2}/{SIZE}",
                f"bytes {CUT - 1}-{SIZE - 1}/{'9' * 5000}",
                f"bytes -{CUT - 1}-{SIZE - 1}/{SIZE}",
                f"bytes {CUT - 1}-{SIZE - 1}/{SIZE}, {RIGHT}",
                f"bytes {CUT - 1}-{SIZE - 1}",
                f"bytes */{SIZE}",
            )
        ),
        partial_of_rest(f"bytes {CUT - 1}-{SIZE - 2}/{SIZE}"),
    ],
)
async def test_what_does_not_go_on_is_asked_for_anew(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "file"
    with Store() as server, whole(path):
        await leave_part(server, path)
        server.answers = [answer]
        async with Client() as client:
            response = await client.download(f"{server.url}/file", path, resume=True)
            assert await is_clean(client)
    assert (response.status, server.ranges) == (200, [f"bytes={CUT - 1}-", None])


@pytest.mark.parametrize("content_range", [RIGHT, RIGHT.replace("bytes", "Bytes"), f"{RIGHT.partition('/')[0]}/*"])
@pytest.mark.parametrize("answer", [partial_of_rest, chunks_of_rest])
async def test_what_goes_on(tmp_path: Path, content_range: str, answer: Callable[[str], bytes]) -> None:
    path = tmp_path / "file"
    with Store() as server, whole(path):
        await leave_part(server, path)
        server.answers = [answer(content_range)]
        async with Client() as client:
            assert (await client.download(f"{server.url}/file", path, resume=True)).status == 206


async def test_more_content_than_its_range(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with Store() as server:
        await leave_part(server, path)
        server.answers = [chunks_of_rest(f"bytes {CUT - 1}-{CUT + 9}/{SIZE}", REST[:11], REST[11:])]
        async with Client() as client:
            with pytest.raises(ProtocolError, match="more content than Content-Range"):
                await client.download(f"{server.url}/file", path, resume=True)
    assert names(tmp_path) == []


async def test_ranges_that_a_server_makes_shorter(tmp_path: Path) -> None:
    path, middle = tmp_path / "file", 2 * STEP
    answer = partial(CONTENT[CUT - 1 : middle], f"bytes {CUT - 1}-{middle - 1}/{SIZE}", b'ETag: "v1"')
    with Store() as server, whole(path):
        await leave_part(server, path)
        server.answers = [answer]
        async with Client(retries=AT_ONCE) as client:
            await client.download(f"{server.url}/file", path, resume=True)
    assert server.ranges == [f"bytes={CUT - 1}-", f"bytes={middle - 1}-"]


@pytest.mark.parametrize("limit", [SIZE - 1, SIZE])
async def test_the_size_is_that_of_the_whole(tmp_path: Path, limit: int) -> None:
    path = tmp_path / "file"
    with Store() as server:
        await leave_part(server, path)
        async with Client(max_body_size=1) as client:
            download = client.download(f"{server.url}/file", path, resume=True, max_body_size=limit)
            if limit < SIZE:
                with pytest.raises(ContentTooLarge, match=str(limit)):
                    await download
            else:
                await download
                assert is_whole(path)


# Going on within a call


@pytest.mark.parametrize("resume", [False, True])
async def test_a_cut_is_a_retry(tmp_path: Path, resume: bool) -> None:
    path = tmp_path / "file"
    with Store(cuts=(CUT, 1000)) as server, whole(path):
        async with Client(retries=AT_ONCE) as client:
            await client.download(server.url, path, resume=resume)
            assert await is_clean(client)
    assert server.ranges == [None, f"bytes={CUT - 1}-", f"bytes={CUT + 998}-"]


@pytest.mark.parametrize(
    ("retries", "requests"),
    [(None, 1), (Retry(total=0), 1), (AT_ONCE, 3), (Retry(methods=["PUT"]), 1), (Retry(backoff=1e4, jitter=0), 1)],
)
async def test_retries_end(tmp_path: Path, retries: Retry | None, requests: int) -> None:
    path = tmp_path / "file"
    with Store(cuts=(CUT,) + (10,) * 9) as server:
        async with Client(retries=retries, timeout=Timeout(total=9)) as client:
            with pytest.raises(IncompleteRead):
                await client.download(server.url, path)
    assert len(server.asked) == requests
    assert names(tmp_path) == []


async def test_the_retry_budget_is_kept(tmp_path: Path) -> None:
    with Store(cuts=(10,) * 99) as server:
        async with Client(retries=Retry(total=99, backoff=0, budget=0.0)) as client:
            with pytest.raises(IncompleteRead):
                await client.download(server.url, tmp_path / "file")
    assert 5 < len(server.asked) < 20


async def test_the_time_limit_is_for_all_requests_together(tmp_path: Path) -> None:
    def drip(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(reply(CONTENT, b'ETag: "v1"')[:1000])
        connection.wait_closed(0.15)  # and then cut it off

    with RawServer(drip) as server, lasts(0.3, 2):
        async with Client(retries=Retry(total=99, backoff=0), timeout=0.4) as client:
            with pytest.raises(TotalTimeout):
                await client.download(server.url, tmp_path / "file")
    assert 2 <= len(server.requests) <= 4


async def test_silence_is_a_cut(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def fall_silent(connection: RawConnection) -> None:
        head = connection.read_head()
        if b"Range" in head:
            connection.send(partial(REST, RIGHT, b'ETag: "v1"'))
        else:
            connection.send(reply(CONTENT, b'ETag: "v1"')[: CUT - SIZE])
        connection.wait_closed()

    with RawServer(fall_silent) as server:
        async with Client(timeout=Timeout(read=0.1)) as client:
            with pytest.raises(ReadTimeout):
                await client.download(server.url, path)
            assert names(tmp_path) == []
        async with Client(timeout=Timeout(read=0.1), retries=AT_ONCE) as client:
            await client.download(server.url, path)
    assert is_whole(path)


async def test_what_has_no_validator_is_not_gone_on_with(tmp_path: Path) -> None:
    with Store(CONTENT, b"X-None: 1", cuts=(CUT,)) as server:
        async with Client(retries=AT_ONCE) as client:
            with pytest.raises(IncompleteRead):
                await client.download(server.url, tmp_path / "file")
    assert server.ranges == [None]


async def test_a_failing_callback_is_no_cut(tmp_path: Path) -> None:
    def fail(*_: object) -> None:
        raise ConnectionResetError("of the caller's")

    with Store() as server:
        async with Client(retries=AT_ONCE) as client:
            with pytest.raises(ConnectionResetError, match="of the caller's"):
                await client.download(server.url, tmp_path / "file", progress=fail)
            assert await is_clean(client)
    assert (len(server.asked), names(tmp_path)) == (1, [])


# Codings and digests


@pytest.mark.parametrize(("decode", "found"), [(True, CONTENT), (False, gzip.compress(CONTENT, mtime=0))])
async def test_content_that_comes_coded(tmp_path: Path, decode: bool, found: bytes) -> None:
    path, coded = tmp_path / "file", gzip.compress(CONTENT, mtime=0)
    fields = (b"Content-Encoding: gzip", b'ETag: "v1"', digest("Content-Digest", coded), digest("Repr-Digest", coded))
    with Store(coded, *fields, cuts=(CUT,)) as server:
        async with Client(retries=AT_ONCE) as client:
            with pytest.raises(IncompleteRead):
                await client.download(server.url, path, resume=True, decode=decode)
            assert names(tmp_path) == []
            await client.download(server.url, path, decode=decode, headers={"accept-encoding": "gzip"})
    assert is_whole(path, found)
    assert [asked["accept-encoding"] for asked in server.asked] == ["identity", "gzip"]


@pytest.mark.parametrize("field", ["Content-Digest", "Repr-Digest"])
@pytest.mark.parametrize("algorithm", ["sha-256", "sha-512"])
@pytest.mark.parametrize("where", ["head", "trailers"])
async def test_digests(tmp_path: Path, field: str, algorithm: str, where: str) -> None:
    line = digest(field, CONTENT, algorithm)
    answer = reply(CONTENT, line) if where == "head" else chunked(CONTENT, trailers=line + b"\r\n")
    wrong = answer.replace(line, digest(field, CONTENT[1:], algorithm))
    path, text = tmp_path / "file", f"^content is not what {field} says: expected {algorithm} [0-9a-f]+, got [0-9a-f]+$"
    with Answering({"/": answer, "/wrong": wrong}) as server:
        async with Client() as client:
            await client.download(server.url, path)
            with pytest.raises(DecodingError, match=text):
                await client.download(f"{server.url}/wrong", path)
    assert is_whole(path)


@pytest.mark.parametrize("field", ["Content-Digest", "Repr-Digest"])
async def test_a_digest_of_a_range_or_of_the_whole(tmp_path: Path, field: str) -> None:
    path, right = tmp_path / "file", REST if field == "Content-Digest" else CONTENT
    with Store() as server:
        for content in (right, CONTENT[1:]):
            await leave_part(server, path)
            server.answers = [partial(REST, RIGHT, b'ETag: "v1"', digest(field, content))]
            async with Client() as client:
                download = client.download(f"{server.url}/file", path, resume=True)
                if content is right:
                    await download
                    continue
                with pytest.raises(DecodingError):
                    await download
    assert is_whole(path)


async def test_a_part_that_somebody_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with Store(CONTENT, b'ETag: "v1"', digest("Repr-Digest")) as server:
        await leave_part(server, path)
        with open(f"{path}.part", "r+b") as part:
            part.write(b"!!")
        async with Client() as client:
            with pytest.raises(DecodingError):
                await client.download(f"{server.url}/file", path, resume=True)
            assert names(tmp_path) == []
            await client.download(f"{server.url}/file", path, resume=True)
    assert is_whole(path)


async def test_a_part_that_somebody_has_cut(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def cut(received: int, _: int | None) -> None:
        if received == SIZE:
            os.truncate(f"{path}.part", STEP)

    with Store(CONTENT, b'ETag: "v1"', digest("Repr-Digest")) as server:
        async with Client() as client:
            with pytest.raises(DecodingError):
                await client.download(server.url, path, progress=cut)
    assert names(tmp_path) == []


async def test_a_digest_given_before_a_cut(tmp_path: Path) -> None:
    path = tmp_path / "file"
    first = reply(CONTENT, b'ETag: "v1"', digest("Content-Digest", CONTENT[1:]))
    with Store(answers=(first,), cuts=(CUT,)) as server:
        async with Client(retries=AT_ONCE) as client:
            with pytest.raises(DecodingError):
                await client.download(server.url, path, resume=True)
    assert (len(server.asked), names(tmp_path)) == (2, [])


async def test_a_digest_of_what_has_changed_since(tmp_path: Path) -> None:
    path = tmp_path / "file"
    first = reply(CONTENT, b'ETag: "v1"', digest("Content-Digest"))
    with Store(CONTENT[::-1], b'ETag: "v2"', answers=(first,), cuts=(CUT,)) as server:
        async with Client(retries=AT_ONCE) as client:
            await client.download(server.url, path)
    assert is_whole(path, CONTENT[::-1])


@pytest.mark.parametrize(
    ("value", "algorithms"),
    [
        ("sha-256=:AAAA:", ["sha-256"]),
        ("md5=:AAAA:, sha-512=:AAAA:;x=1 ,\tsha-256=::", ["sha-512", "sha-256"]),
        ("sha-256=:AAAA:, sha-256=:BBBB:", ["sha-256"]),
        ("sha-256=AAAA", []),
        ("sha-256=:AAA:", []),
        ("xsha-256=:AAAA:", []),
        ("SHA-256=:AAAA:", []),
        ("", []),
    ],
)
def test_fields_of_digests(value: str, algorithms: list[str]) -> None:
    checks = list_checks(Fields([("Content-Digest", value)]), Span(3, 5, 9))
    assert [check.algorithm for check in checks] == algorithms
    assert {(check.start, check.stop) for check in checks} <= {(3, 5)}
    assert [(check.start, check.stop) for check in list_checks({"Repr-Digest": "sha-256=::"}, Span(3, 5, 9))] == [
        (0, 9)
    ]


NOW, BEFORE = "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:36 GMT"


@pytest.mark.parametrize(
    ("fields", "validator"),
    [
        ({"etag": '"x"'}, '"x"'),
        ({"etag": 'W/"x"', "last-modified": BEFORE, "date": NOW}, None),
        ({"etag": "x", "last-modified": BEFORE, "date": NOW}, None),
        ({"etag": '"x", "y"'}, None),
        ({"last-modified": BEFORE, "date": NOW}, BEFORE),
        ({"last-modified": NOW, "date": NOW}, None),
        ({"last-modified": NOW, "date": BEFORE}, None),
        ({"last-modified": BEFORE}, None),
        ({"last-modified": "parrot", "date": NOW}, None),
        ({"date": NOW}, None),
    ],
)
def test_validators(fields: dict[str, str], validator: str | None) -> None:
    assert find_validator(fields) == validator


# The part itself


def test_a_note_does_not_outlive_its_content(tmp_path: Path) -> None:
    part, note = PartFile(tmp_path / "file"), Note("0" * 64, '"\xe4"', None)
    part.open()
    part.begin(note)
    part.write([b"data"])
    part.close(keep=True)
    assert part.open() == note
    part.begin(None)
    assert names(tmp_path) == ["file.part"]
    part.close(keep=False)


def test_a_part_that_was_finished_while_it_was_opened(tmp_path: Path) -> None:
    path = tmp_path / "file"
    first, second = PartFile(path), PartFile(path)
    first.open()
    first.begin(None)
    first.write([b"first"])
    with pytest.raises(BlockingIOError):
        second.open()
    first.finish()
    second.open()
    second.begin(None)
    assert path.read_bytes() == b"first"
    second.close(keep=False)
    assert is_whole(path, b"first")


# Real servers


@pytest.mark.parametrize("is_secure", [False, True])
async def test_caddy(tmp_path: Path, caddy: Caddy, tls: Certificates, is_secure: bool) -> None:
    path, url = tmp_path / "file", caddy.tls_url if is_secure else caddy.url
    with whole(path, (caddy.files / "1m.bin").read_bytes()):
        async with Client(ssl=tls.client_context()) as client:
            with pytest.raises(Interrupted):
                await client.download(f"{url}/1m.bin", path, resume=True, progress=until(2 * STEP))
            size = Path(f"{path}.part").stat().st_size
            response = await client.download(f"{url}/1m.bin", path, resume=True)
    assert response.status == 206
    assert response.headers["content-range"] == f"bytes {size - 1}-1048575/1048576"


async def test_caddy_with_a_changed_file(tmp_path: Path, caddy: Caddy) -> None:
    path, source = tmp_path / "file", caddy.files / "changing.bin"
    source.write_bytes(CONTENT)
    async with Client() as client:
        with pytest.raises(Interrupted):
            await client.download(f"{caddy.url}/changing.bin", path, resume=True, progress=until(STEP))
        source.write_bytes(CONTENT[::-1] + b"!")
        response = await client.download(f"{caddy.url}/changing.bin", path, resume=True)
    assert response.status == 200
    assert is_whole(path, CONTENT[::-1] + b"!")


async def test_demo_server_with_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "file"
    async with DemoServer() as demo, Client() as client:
        response = await client.download(f"{demo.url}/chunked/1000000", path)
    assert response.trailers is not None
    assert response.trailers["content-digest"] == digest("", path.read_bytes()).decode()[2:]
    assert is_whole(path, (bytes(range(256)) * 3907)[:1_000_000])
