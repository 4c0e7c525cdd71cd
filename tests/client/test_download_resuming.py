"""Downloads that are resumed where they were cut off."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from asyncclient import (
    Client,
    ContentTooLarge,
    IncompleteRead,
    ProtocolError,
    ReadTimeout,
    Retry,
    StatusError,
    Timeout,
    TotalTimeout,
)
from asyncclient.client.download.download import MAX_WRITE_STEP
from asyncclient.client.download.part_file import PartFile
from asyncclient.client.download.resuming import Note
from asyncclient.testing import RawConnection, RawServer
from tests.client.answering import is_clean
from tests.client.downloads import (
    AT_ONCE,
    CONTENT,
    CUT,
    DATES,
    REST,
    RIGHT,
    SIZE,
    Interrupted,
    Store,
    is_whole,
    leave_part,
    leaves_whole_file,
    list_names,
    partial_response,
    stop_at_size,
)
from tests.connection.conversations import chunked, reply
from tests.durations import lasts

# Resuming


WEAK, UNQUOTED = (b'ETag: W/"v1"', *DATES), (b"ETag: v1-of-webrick", *DATES)


@pytest.mark.parametrize("fields", [(b'ETag: "v1"',), (b'ETag: ""',), DATES, WEAK, UNQUOTED])
async def test_resuming_in_a_later_call(tmp_path: Path, fields: tuple[bytes, ...]) -> None:
    path, steps = tmp_path / "file", list[tuple[int, int | None]]()
    with Store(CONTENT, *fields) as server, leaves_whole_file(path):
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


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ((b'ETag: "v1"',), []),
        (
            (b'ETag: W/"v1"',),
            ["a download of HOST/file?... can't be resumed: the response has no strong ETag and no usable date"],
        ),
    ],
)
async def test_the_log_says_when_nothing_can_be_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, fields: tuple[bytes, ...], lines: list[str]
) -> None:
    with Store(CONTENT, *fields) as server, caplog.at_level(logging.INFO, "asyncclient.download"):
        async with Client() as client:
            await client.download(f"{server.url}/file?q=s3cret", tmp_path / "silent")
            await client.download(f"{server.url}/file?q=s3cret", tmp_path / "file", resume=True)
    written = [record.getMessage() for record in caplog.records if record.name == "asyncclient.download"]
    assert written == [line.replace("HOST", server.url) for line in lines]


async def test_a_part_that_was_whole_already(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with Store() as server, leaves_whole_file(path):
        async with Client() as client:
            with pytest.raises(Interrupted):
                await client.download(server.url, path, resume=True, progress=stop_at_size(SIZE))
            assert Path(f"{path}.part").read_bytes() == CONTENT
            response = await client.download(server.url, path, resume=True)
    assert (response.status, server.ranges) == (206, [None, f"bytes={SIZE - 1}-"])


async def test_an_error_status_leaves_the_part(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with Store() as server, leaves_whole_file(path):
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
    with Store() as server, leaves_whole_file(path):
        await leave_part(server, path)
        async with Client() as client:
            await client.download(server.url + url, path, resume=True)
    assert server.ranges == [None]


@pytest.mark.parametrize("note", [None, b"", b"junk\n", b"0" * 64 + b'\n"v1"\n', b"+!", b"\0" * 300_000])
async def test_a_part_without_a_valid_note_is_downloaded_again(tmp_path: Path, note: bytes | None) -> None:
    path = tmp_path / "file"
    with Store() as server, leaves_whole_file(path):
        await leave_part(server, path)
        if note is None:
            Path(f"{path}.part.note").unlink()
        else:
            before = Path(f"{path}.part.note").read_bytes() if note[:1] == b"+" else b""
            Path(f"{path}.part.note").write_bytes(before + note)
        async with Client() as client:
            await client.download(f"{server.url}/file", path, resume=True)
    assert server.ranges == [None]


async def test_a_part_is_discarded_without_resume(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with Store() as server, leaves_whole_file(path):
        await leave_part(server, path)
        async with Client() as client:
            await client.download(f"{server.url}/file", path)
    assert server.ranges == [None]


async def test_no_secret_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with Store() as server:
        await leave_part(server, path, "/file?signature=s3cret")
    note = Path(f"{path}.part.note").read_text()
    assert note.splitlines()[1:] == ['"v1"', "", "", str(SIZE), "file"]
    assert "s3cret" not in note


@pytest.mark.parametrize("supports", [(), ("range",), ("range", "if-range")])
async def test_a_file_that_has_changed(tmp_path: Path, supports: tuple[str, ...]) -> None:
    path, changed = tmp_path / "file", CONTENT[::-1]
    with Store(supports=supports) as server, leaves_whole_file(path, changed):
        await leave_part(server, path)
        server.content, server.fields = changed, (b'ETag: "v2"',)
        async with Client() as client:
            response = await client.download(f"{server.url}/file", path, resume=True)
    assert response.status == 200
    assert server.ranges == [f"bytes={CUT - 1}-", *([None] if supports == ("range",) else [])]


def partial_of_rest(content_range: str) -> bytes:
    return partial_response(REST, content_range, b'ETag: "v1"')


async def test_fields_of_a_partial_response_that_are_repeated_are_single(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with Store() as server, leaves_whole_file(path):
        await leave_part(server, path)
        fields = (f"Content-Range: {RIGHT}".encode(), b'ETag: "v1"', b'ETag: "v1"')
        server.answers = [partial_response(REST, RIGHT, *fields)]
        async with Client() as client:
            response = await client.download(f"{server.url}/file", path, resume=True)
    assert (response.status, server.ranges) == (206, [f"bytes={CUT - 1}-"])


def chunks_of_rest(content_range: str, *chunks: bytes) -> bytes:
    head = f'206 Partial Content\r\nETag: "v1"\r\nContent-Range: {content_range}'
    return chunked(*(chunks or (REST,))).replace(b"200 OK", head.encode(), 1)


@pytest.mark.parametrize(
    "answer",
    [
        reply(b"", b"Content-Range: bytes */5", status=b"416 Range Not Satisfiable"),
        reply(b"", f"Content-Range: bytes */{CUT - 1}".encode(), b'ETag: "v1"', status=b"416 Range Not Satisfiable"),
        reply(REST, b'ETag: "v1"', status=b"206 Partial Content"),
        partial_response(REST, RIGHT),
        partial_response(REST, RIGHT, b'ETag: "v2"'),
        partial_response(REST, RIGHT, b'ETag: W/"v1"'),
        partial_response(REST, RIGHT, b'ETag: "v1"', b'ETag: "v2"'),
        partial_response(REST, RIGHT, b'ETag: "v1"', f"Content-Range: bytes {CUT}-{SIZE - 1}/{SIZE}".encode()),
        partial_response(REST, RIGHT, b'ETag: "v1"', b"Content-Encoding: gzip"),
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
async def test_a_download_that_cannot_resume_starts_over(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "file"
    with Store() as server, leaves_whole_file(path):
        await leave_part(server, path)
        server.answers = [answer]
        async with Client() as client:
            response = await client.download(f"{server.url}/file", path, resume=True)
            assert await is_clean(client)
    assert (response.status, server.ranges) == (200, [f"bytes={CUT - 1}-", None])


@pytest.mark.parametrize(
    "answer",
    [
        reply(REST, b'ETag: "v1"', b"Content-Range: " + RIGHT.encode()),
        reply(REST, b'ETag: "v2"', b"Content-Range: " + RIGHT.encode()),
        reply(REST, b"Content-Range: " + RIGHT.encode(), status=b"203 Transformed"),
        reply(REST, b'ETag: "v1"'),
        reply(REST),
        reply(b"", b'ETag: "v1"', status=b"204 No Content"),
        chunked(REST).replace(b"OK", b'OK\r\nETag: "v1"', 1),
    ],
)
@pytest.mark.parametrize("resume", [False, True])
async def test_a_slice_without_206_is_never_the_whole(tmp_path: Path, answer: bytes, resume: bool) -> None:
    path = tmp_path / "file"
    with Store(cuts=(CUT,), answers=(None, answer)) as server, leaves_whole_file(path):
        async with Client(retries=AT_ONCE) as client:
            response = await client.download(server.url, path, resume=resume)
            assert await is_clean(client)
    assert (response.status, server.ranges) == (200, [None, f"bytes={CUT - 1}-", None])


NOT_MODIFIED = b"HTTP/1.1 304 Not Modified\r\n\r\n"


@pytest.mark.parametrize(
    ("fields", "answers", "conditions"),
    [
        ((b"ETag: v1", *DATES), [NOT_MODIFIED], [True, False]),  # as WEBrick up to 1.8
        ((b'ETag: "v1"',), [NOT_MODIFIED], [True, False]),
        ((b"ETag: v1", *DATES), [NOT_MODIFIED] * 2, [True, False, None]),
        (DATES, [NOT_MODIFIED], [True, None]),
        ((b'ETag: "v1"',), [reply(b"", status=b"412 Failed")], [True, None]),
    ],
)
async def test_a_range_that_a_server_refuses(
    tmp_path: Path, fields: tuple[bytes, ...], answers: list[bytes], conditions: list[bool | None]
) -> None:
    path = tmp_path / "file"
    with Store(CONTENT, *fields, supports=("range",)) as server, leaves_whole_file(path):
        await leave_part(server, path)
        server.answers = [*answers]
        async with Client() as client:
            await client.download(f"{server.url}/file", path, resume=True)
    asked = [None if request["range"] is None else request["if-range"] is not None for request in server.asked]
    assert asked == conditions


async def test_a_date_is_never_requested_without_its_condition(tmp_path: Path) -> None:
    answers = (reply(CONTENT, b'ETag: "v1"'), NOT_MODIFIED, reply(CONTENT, *DATES))
    with Store(CONTENT, *DATES, answers=answers, cuts=(CUT, None, CUT)) as server, leaves_whole_file(tmp_path / "file"):
        async with Client(retries=AT_ONCE) as client:
            await client.download(server.url, tmp_path / "file")
    modified = DATES[1].decode().partition(": ")[2]
    assert [asked["if-range"] for asked in server.asked] == [None, '"v1"', None, modified]


async def test_only_cuts_count_as_retries(tmp_path: Path) -> None:
    answers = [None, NOT_MODIFIED, None, NOT_MODIFIED, None]
    with Store(answers=tuple(answers), cuts=(CUT, None, 10, None, 10), supports=("range",)) as server:
        async with Client(retries=AT_ONCE) as client:
            with pytest.raises(IncompleteRead):
                await client.download(server.url, tmp_path / "file")
    assert [asked is None for asked in server.ranges] == [True, False, False, False, True]  # two of them are retries


@pytest.mark.parametrize("resume", [False, True])
async def test_a_cached_truncated_response_is_an_error(tmp_path: Path, resume: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with Store(cuts=(CUT,)) as server, leaves_whole_file(path, b"old"):
        async with Client(retries=AT_ONCE) as client:
            server.answers = [None, *[reply(CONTENT[:CUT], b'ETag: "v1"')] * 2]
            with pytest.raises(ProtocolError, match=f"got {CUT} bytes of content, which had {SIZE} with the same ETag"):
                await client.download(server.url, path, resume=resume)
    assert server.ranges == [None, f"bytes={CUT - 1}-", None]


async def test_a_slice_for_a_request_without_a_range_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    answer = reply(REST, b'ETag: "v1"', b"Content-Range: " + RIGHT.encode())
    with Store(cuts=(CUT,), answers=(None, answer, answer)) as server, leaves_whole_file(path, b"old"):
        async with Client(retries=AT_ONCE) as client:
            with pytest.raises(ProtocolError, match=r"got 'bytes \d+-\d+/\d+' as Content-Range"):
                await client.download(server.url, path, resume=True)
    assert server.ranges == [None, f"bytes={CUT - 1}-", None]


@pytest.mark.parametrize("content_range", [RIGHT, RIGHT.replace("bytes", "Bytes"), f"{RIGHT.partition('/')[0]}/*"])
@pytest.mark.parametrize("answer", [partial_of_rest, chunks_of_rest])
async def test_a_valid_content_range_resumes_the_download(
    tmp_path: Path, content_range: str, answer: Callable[[str], bytes]
) -> None:
    path = tmp_path / "file"
    with Store() as server, leaves_whole_file(path):
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
    assert list_names(tmp_path) == []


async def test_ranges_that_a_server_makes_shorter(tmp_path: Path) -> None:
    path, middle = tmp_path / "file", 2 * MAX_WRITE_STEP
    answer = partial_response(CONTENT[CUT - 1 : middle], f"bytes {CUT - 1}-{middle - 1}/{SIZE}", b'ETag: "v1"')
    with Store() as server, leaves_whole_file(path):
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


# Resuming within a call


@pytest.mark.parametrize("resume", [False, True])
async def test_a_cut_is_a_retry(tmp_path: Path, resume: bool) -> None:
    path = tmp_path / "file"
    with Store(cuts=(CUT, 1000)) as server, leaves_whole_file(path):
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
    assert list_names(tmp_path) == []


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

    with RawServer(drip) as server, lasts(0.4):
        async with Client(retries=Retry(total=99, backoff=0, budget=None), timeout=0.4) as client:
            with pytest.raises(TotalTimeout):
                await client.download(server.url, tmp_path / "file")
    assert len(server.requests) < 99


async def test_silence_is_a_cut(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def fall_silent(connection: RawConnection) -> None:
        head = connection.read_head()
        if b"Range" in head:
            connection.send(partial_response(REST, RIGHT, b'ETag: "v1"'))
        else:
            connection.send(reply(CONTENT, b'ETag: "v1"')[: CUT - SIZE])
        connection.wait_closed()

    with RawServer(fall_silent) as server:
        async with Client(timeout=Timeout(read=0.1)) as client:
            with pytest.raises(ReadTimeout):
                await client.download(server.url, path)
            assert list_names(tmp_path) == []
        async with Client(timeout=Timeout(read=0.1), retries=AT_ONCE) as client:
            await client.download(server.url, path)
    assert is_whole(path)


async def test_a_download_without_a_validator_starts_over(tmp_path: Path) -> None:
    steps: list[tuple[int, int | None]] = []
    with Store(CONTENT, b"X-None: 1", cuts=(CUT, CUT)) as server, leaves_whole_file(tmp_path / "file"):
        async with Client(retries=AT_ONCE) as client:
            await client.download(server.url, tmp_path / "file", progress=lambda *step: steps.append(step))
            assert await is_clean(client)
    assert server.ranges == [None] * 3
    assert steps[-1] == (SIZE, SIZE)


async def test_starting_over_ends_with_the_retries(tmp_path: Path) -> None:
    with Store(CONTENT, b"X-None: 1", cuts=(CUT,) * 9) as server:
        async with Client(retries=AT_ONCE) as client:
            with pytest.raises(IncompleteRead):
                await client.download(server.url, tmp_path / "file", resume=True)
    assert server.ranges == [None] * 3
    assert list_names(tmp_path) == []


async def test_a_failing_callback_does_not_count_as_truncation(tmp_path: Path) -> None:
    def fail(*_: object) -> None:
        raise ConnectionResetError("of the caller's")

    with Store() as server:
        async with Client(retries=AT_ONCE) as client:
            with pytest.raises(ConnectionResetError, match="of the caller's"):
                await client.download(server.url, tmp_path / "file", progress=fail)
            assert await is_clean(client)
    assert (len(server.asked), list_names(tmp_path)) == (1, [])


# The part itself

DATE = "Sun, 06 Nov 1994 08:49:36 GMT"


def test_a_note_does_not_outlive_its_content(tmp_path: Path) -> None:
    part, note = PartFile(tmp_path / "file"), Note("0" * 64, '"\xe4"', DATE, "gzip", None, "€.txt")
    part.open("")
    part.begin(note)
    part.write([b"data"])
    part.close(keep=True)
    assert part.open("") == note
    part.begin(None)
    assert list_names(tmp_path) == ["file.part"]
    part.close(keep=False)


def test_a_part_that_was_finished_while_it_was_opened(tmp_path: Path) -> None:
    path = tmp_path / "file"
    first, second = PartFile(path), PartFile(path)
    first.open("")
    first.begin(None)
    first.write([b"first"])
    with pytest.raises(BlockingIOError):
        second.open("")
    first.finish()
    second.open("")
    second.begin(None)
    assert path.read_bytes() == b"first"
    second.close(keep=False)
    assert is_whole(path, b"first")
