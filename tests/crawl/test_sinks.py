"""The sinks of lines and files: records, rotation, going on after a kill, and a disk that is slow or full."""

import asyncio
import base64
import gzip
import hashlib
import json
import os
import resource
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx

from asyncclient import ConnectError
from asyncclient.crawl import Crawler, Entry, Files, JSONLines, Page, Sink
from asyncclient.crawl.sinks.batches import Batches
from asyncclient.crawl.sinks.line_file import LineFile
from tests.crawl.pages import fetch_page
from tests.crawl.sites import AGENT, site, tree

BOTH = pytest.mark.parametrize("suffix", ["", ".gz"])


def read(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def records(path: Path) -> list[dict[str, Any]]:
    assert read(path).endswith(b"\n")
    return [json.loads(line) for line in read(path).splitlines()]


@asynccontextmanager
async def opened(sink: JSONLines | Files) -> AsyncIterator[JSONLines | Files]:
    try:
        yield sink
    finally:
        await sink.aclose()


# Records


async def test_a_line_has_the_facts_of_a_page(tmp_path: Path) -> None:
    content = "<p>é".encode()
    headers = [("Content-Type", "text/html"), ("Set-Cookie", "a=1"), ("set-cookie", "b=2")]
    page = await fetch_page(content, headers=headers, depth=2, attempts=1, meta={"from": "é\ud800"})
    async with opened(JSONLines(tmp_path / "pages.jsonl")) as sink:
        await sink.write(page)
    (record,) = records(tmp_path / "pages.jsonl")
    assert record.pop("time").endswith("+00:00")
    assert record.pop("timings").keys() <= {"resolve", "connect", "tls", "sent", "first_byte", "done"}
    assert record == {
        "url": page.url,
        "status": 200,
        "error": None,
        "depth": 2,
        "attempts": 2,
        "meta": {"from": "é\ud800"},
        "response_url": page.url,
        "headers": [list(pair) for pair in headers],
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


@pytest.mark.parametrize("size", [10, 100_000])
async def test_the_content_is_added_by_choice(tmp_path: Path, size: int) -> None:
    content = "é".encode("latin-1") * size
    page = await fetch_page(content, headers={"Content-Type": "text/html; charset=latin-1"})
    for sink in (JSONLines(tmp_path / "text", content="text"), JSONLines(tmp_path / "base64", content="base64")):
        async with opened(sink):
            await sink.write(page)
    assert records(tmp_path / "text")[0]["text"] == "é" * size
    assert base64.b64decode(records(tmp_path / "base64")[0]["base64"]) == content


async def test_pages_without_a_response_have_the_error(tmp_path: Path) -> None:
    async with opened(JSONLines(tmp_path / "a")) as lines, opened(Files(tmp_path / "b")) as files:
        for sink in (lines, files):
            await sink.write(Page(Entry("http://h/"), None, ConnectError("no route")))
            await sink.write(Page(Entry("http://h/x"), (await fetch_page(status=503)).response, reason="503 Service"))
    for path in (tmp_path / "a", tmp_path / "b" / "index.jsonl"):
        first, second = records(path)
        assert first["error"] == "ConnectError: no route"
        assert first["status"] is None
        assert not {"headers", "size", "sha256"} & first.keys()
        assert second["error"] == "503 Service"
        assert second["status"] == 503
    assert first["path"] is None


async def test_a_page_that_json_cannot_hold_is_refused_and_others_are_written(tmp_path: Path) -> None:
    async with opened(JSONLines(tmp_path / "pages.jsonl")) as sink:
        with pytest.raises(TypeError, match="not JSON serializable"):
            await sink.write(await fetch_page(meta={1, 2}))
        await sink.write(await fetch_page(meta=[1, 2]))
    assert [record["meta"] for record in records(tmp_path / "pages.jsonl")] == [[1, 2]]


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (lambda: JSONLines(1), TypeError, "expected a path as path, got int"),  # type: ignore[arg-type]
        (lambda: JSONLines("x", content="html"), ValueError, "expected 'text', 'base64' or None"),  # type: ignore[arg-type]
        (lambda: JSONLines("x", max_size=0), ValueError, "expected max_size of at least 1"),
        (lambda: Files(None), TypeError, "expected a path as directory, got NoneType"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_argument_is_refused(make: Callable[[], object], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        make()


# Files of lines


@BOTH
def test_lines_are_appended_to_those_of_an_earlier_run(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.jsonl{suffix}"
    for lines in ([b"1\n", b"2\n"], [b"3\n"]):
        file = LineFile(path)
        file.append(lines)
        file.append([b"-\n"])
        file.close()
    assert read(path) == b"1\n2\n-\n3\n-\n"


@BOTH
def test_a_torn_end_is_removed_wherever_a_kill_has_cut_the_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.jsonl{suffix}"
    batches = [b"first\nsecond\n", b"third\n", b"fourth\n"]
    ends = [0]
    file = LineFile(path)
    for batch in batches:
        file.append([batch])
        ends.append(path.stat().st_size)
    file.close()
    data = path.read_bytes()
    for cut in range(len(data) + 1):
        path.write_bytes(data[:cut])
        file = LineFile(path)
        file.append([b"next\n"])
        file.close()
        if suffix:
            kept = b"".join(batches[: sum(end <= cut for end in ends[1:])])
        else:
            kept = data[: data.rfind(b"\n", 0, cut) + 1]
        assert read(path) == kept + b"next\n"


def test_a_torn_line_may_be_long(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"a\n" + b"x" * 3_000_000)
    file = LineFile(path)
    file.append([b"b\n"])
    file.close()
    assert path.read_bytes() == b"a\nb\n"


@BOTH
def test_a_long_compressible_batch_is_kept(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    line = b"x" * 5_000_000 + b"\n"
    for _ in range(2):
        file = LineFile(path)
        file.append([line])
        file.close()
    assert read(path) == line * 2


def test_the_next_file_is_begun_at_the_maximum_size(tmp_path: Path) -> None:
    file = LineFile(tmp_path / "x.y.jsonl", max_size=10)
    for line in (b"12345\n", b"123\n", b"1\n", b"longer than that\n", b"2\n"):
        file.append([line])
    file.close()
    again = LineFile(tmp_path / "x.y.jsonl", max_size=10)
    again.append([b"3\n"])
    again.append([b"1234567\n"])
    again.close()
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert found == {
        "x.y-00000.jsonl": b"12345\n123\n",
        "x.y-00001.jsonl": b"1\n",
        "x.y-00002.jsonl": b"longer than that\n",
        "x.y-00003.jsonl": b"2\n3\n",
        "x.y-00004.jsonl": b"1234567\n",
    }


def test_compressed_files_have_their_number_before_both_suffixes(tmp_path: Path) -> None:
    for number in (7, 12):
        (tmp_path / f"x-{number:05}.jsonl.gz").touch()
    (tmp_path / "x-00099.jsonl").touch()
    file = LineFile(tmp_path / "x.jsonl.gz", max_size=1000)
    file.append([b"1\n"])
    file.close()
    assert read(tmp_path / "x-00012.jsonl.gz") == b"1\n"


def test_a_file_has_one_writer_at_a_time(tmp_path: Path) -> None:
    first, second = LineFile(tmp_path / "x"), LineFile(tmp_path / "x")
    first.append([b"1\n"])
    with pytest.raises(BlockingIOError, match="another sink is writing to it"):
        second.append([b"2\n"])
    first.close()
    second.append([b"2\n"])
    second.close()
    assert (tmp_path / "x").read_bytes() == b"1\n2\n"


def test_only_a_regular_file_is_written(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(FileExistsError, match="expected a regular file"):
        LineFile(tmp_path / "fifo").append([b"1\n"])
    with pytest.raises(IsADirectoryError):
        LineFile(tmp_path).append([b"1\n"])


@BOTH
def test_nothing_of_a_batch_is_left_if_writing_fails(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    file = LineFile(path)
    file.append([b"1\n"])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 4, limits[1]))  # as on a disk that is full
    try:
        with pytest.raises(OSError, match="File too large"):
            file.append([b"2\n", b"34567\n"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert read(path) == b"1\n"
    file.append([b"8\n"])
    file.close()
    assert read(path) == b"1\n8\n"


# Batches


async def test_a_batch_is_written_when_the_buffer_is_full_and_by_flush(tmp_path: Path) -> None:
    written: list[list[str]] = []
    batches = Batches(written.append, lambda: None, size=10)
    for item in "abcd":
        await batches.add(item, 5)
    assert written == [["a", "b"]]
    await batches.flush()
    await batches.flush()
    assert written == [["a", "b"], ["c", "d"]]
    await batches.add("e", 100)
    await batches.aclose()
    await batches.aclose()
    assert written[2:] == [["e"]]
    with pytest.raises(ValueError, match="expected an open sink"):
        await batches.add("f", 1)


async def test_a_failed_batch_is_kept_and_no_item_more_is_taken() -> None:
    written: list[str] = []
    errors: list[OSError] = [OSError(28, "disk full"), OSError(28, "disk full")]

    def write(items: list[str]) -> None:
        if errors:
            raise errors.pop()
        written.extend(items)

    batches = Batches(write, lambda: None, size=2)
    await batches.add("a", 1)
    await batches.add("b", 1)
    with pytest.raises(OSError, match="disk full"):
        await batches.add("c", 1)
    with pytest.raises(OSError, match="disk full"):
        await batches.flush()
    await batches.add("d", 1)
    await batches.aclose()
    assert written == ["a", "b", "d"]


async def test_the_file_is_closed_after_the_last_batch_also_if_that_fails() -> None:
    calls: list[str] = []

    def write(items: list[str]) -> None:
        calls.append("write")
        raise OSError("disk full")

    batches = Batches(write, lambda: calls.append("close"))
    await batches.add("a", 1)
    with pytest.raises(OSError, match="disk full"):
        await batches.aclose()
    await batches.aclose()
    assert calls == ["write", "close"]


async def test_a_cancelled_flush_writes_its_batch_once_and_in_order() -> None:
    may_write = threading.Event()
    written: list[str] = []
    calls: list[str] = []

    def write(items: list[str]) -> None:
        may_write.wait()
        written.extend(items)

    batches = Batches(write, lambda: calls.append(f"closed after {len(written)}"))
    await batches.add("a", 1)
    flushing = asyncio.create_task(batches.flush())
    await asyncio.sleep(0)
    flushing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await flushing
    await batches.add("b", 1)
    closing = asyncio.create_task(batches.aclose())
    await asyncio.sleep(0)
    may_write.set()
    await closing
    assert written == ["a", "b"]
    assert calls == ["closed after 2"]


async def test_a_cancelled_close_closes_after_the_batch_that_is_being_written() -> None:
    may_write, is_closed = threading.Event(), threading.Event()
    written: list[str] = []

    def write(items: list[str]) -> None:
        may_write.wait()
        assert not is_closed.is_set()
        written.extend(items)

    batches = Batches(write, is_closed.set)
    await batches.add("a", 1)
    closing = asyncio.create_task(batches.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.sleep(0)
    may_write.set()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert await asyncio.to_thread(is_closed.wait, 30)
    assert written == ["a"]


async def test_many_tasks_may_write_at_once() -> None:
    written: list[int] = []
    batches = Batches(written.extend, lambda: None, size=5)
    await asyncio.gather(*(batches.add(number, 1) for number in range(100)))
    await asyncio.gather(*(batches.flush() for _ in range(3)))
    await batches.aclose()
    assert sorted(written) == list(range(100))


# Files by digest


async def test_equal_content_is_kept_once_and_never_changed(tmp_path: Path) -> None:
    async with opened(Files(tmp_path / "new" / "pages")) as sink:
        for number, content in enumerate((b"one", b"two", b"one", b"")):
            await sink.write(await fetch_page(content, url=f"http://h/{number}"))
        await sink.flush()
        found = records(tmp_path / "new" / "pages" / "index.jsonl")
        file = tmp_path / "new" / "pages" / found[0]["path"]
        before = file.stat()
        await sink.write(await fetch_page(b"one", url="http://h/4"))
    found = records(tmp_path / "new" / "pages" / "index.jsonl")
    contents = [(tmp_path / "new" / "pages" / record["path"]).read_bytes() for record in found]
    assert contents == [b"one", b"two", b"one", b"", b"one"]
    digest = hashlib.sha256(b"one").hexdigest()
    assert found[0]["path"] == found[2]["path"] == f"{digest[:2]}/{digest}"
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert len(list((tmp_path / "new" / "pages").rglob("?" * 64))) == 3


async def test_parts_of_a_killed_process_are_removed_and_damaged_files_replaced(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"one").hexdigest()
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / digest).write_bytes(b"o")
    (tmp_path / "parts" / "other").write_bytes(b"o")
    (tmp_path / digest[:2]).mkdir()
    (tmp_path / digest[:2] / digest).touch()
    (tmp_path / "index.jsonl").write_bytes(b'{"url":1}\n{"ur')
    async with opened(Files(tmp_path)) as sink:
        await sink.write(await fetch_page(b"one"))
    assert list((tmp_path / "parts").iterdir()) == []
    assert (tmp_path / digest[:2] / digest).read_bytes() == b"one"
    assert [record["url"] for record in records(tmp_path / "index.jsonl")] == [1, "https://a.example/dir/page?q"]


async def test_a_directory_has_one_sink_at_a_time(tmp_path: Path) -> None:
    async with opened(Files(tmp_path)) as first, opened(JSONLines(tmp_path / "index.jsonl")) as second:
        await first.write(await fetch_page(b"one"))
        await first.flush()
        await second.write(await fetch_page(b"two"))
        with pytest.raises(BlockingIOError, match="another sink is writing to it"):
            await second.flush()
        await first.aclose()
    assert len(records(tmp_path / "index.jsonl")) == 2


# In a crawl


async def test_the_event_loop_is_never_blocked(tmp_path: Path) -> None:
    large = await fetch_page(os.urandom(500_000))
    with blockbuster_ctx():
        for sink in (JSONLines(tmp_path / "a.jsonl.gz", content="base64", max_size=100_000), Files(tmp_path / "files")):
            async with opened(sink):
                for _ in range(3):
                    await sink.write(large)
                await sink.flush()
    assert len(list(tmp_path.glob("a-*.jsonl.gz"))) == 2


async def test_a_crawl_goes_on_in_the_same_files(tmp_path: Path) -> None:
    for _ in range(2):
        sinks: list[Sink] = [JSONLines(tmp_path / "pages.jsonl.gz", content="text"), Files(tmp_path / "files")]
        async with Crawler(agent=AGENT, transport=site(tree(5)), sinks=sinks) as crawler:
            await crawler.add("http://a.test/0")
            async for page in crawler:
                await crawler.add_links(page)
    found = records(tmp_path / "pages.jsonl.gz")
    assert sorted(record["url"] for record in found) == sorted(2 * [f"http://a.test/{n}" for n in range(5)])
    assert all(record["text"].startswith("<html>") for record in found)
    assert len(records(tmp_path / "files" / "index.jsonl")) == 10
