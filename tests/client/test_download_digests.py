"""Downloads whose content is encoded, or has a digest."""

import asyncio
import gzip
import hashlib
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from asyncclient import (
    ChecksumError,
    Client,
    DecodingError,
    IncompleteRead,
)
from asyncclient.client.download.digests import list_checks, parse_checksum
from asyncclient.client.download.download import MAX_WRITE_STEP
from asyncclient.client.download.resuming import Span
from asyncclient.message.fields import Fields
from tests.client.answering import Answering
from tests.client.downloads import (
    AT_ONCE,
    CONTENT,
    CUT,
    DATES,
    REST,
    RIGHT,
    SIZE,
    Store,
    digest,
    is_whole,
    leave_part,
    list_names,
    partial_response,
)
from tests.connection.conversations import chunked, reply

# Codings and digests


PACKED = gzip.compress(CONTENT, mtime=0)
CODED = (b"Content-Encoding: gzip", b'ETag: "v1"', digest("Content-Digest", PACKED), digest("Repr-Digest", PACKED))


@pytest.mark.parametrize("options", [{}, {"headers": {"accept-encoding": "gzip"}}, {"decode": False}])
async def test_encoded_content_is_stored_encoded(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "file.gz"
    with Store(PACKED, *CODED) as server:
        async with Client() as client:
            await client.download(server.url, path, **options)
    assert is_whole(path, PACKED)
    assert [asked["accept-encoding"] for asked in server.asked] == ["gzip" if "headers" in options else "identity"]


async def test_encoded_content_is_decoded_by_choice(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with Store(PACKED, *CODED, cuts=(CUT,)) as server:
        async with Client() as client:
            with pytest.raises(IncompleteRead):
                await client.download(server.url, path, resume=True, decode=True)
            assert list_names(tmp_path) == []
            await client.download(server.url, path, resume=True, decode=True)
    assert is_whole(path)
    assert server.ranges == [None, None]


async def test_decoded_content_is_requested_whole_after_a_cut(tmp_path: Path) -> None:
    with Store(PACKED, *CODED, cuts=(CUT,)) as server:
        async with Client(retries=AT_ONCE) as client:
            await client.download(server.url, tmp_path / "file", decode=True)
    assert is_whole(tmp_path / "file")
    assert server.ranges == [None, None]


@pytest.mark.parametrize(
    ("coding", "goes_on"),
    [
        (b"Content-Encoding: gzip", True),
        (b"Content-Encoding: GZIP,identity", True),
        (b"X-None: 1", True),
        (b"Content-Encoding: br", False),
        (b"Content-Encoding: gzip, gzip", False),
    ],
)
async def test_stored_encoded_content_is_resumed(tmp_path: Path, coding: bytes, goes_on: bool) -> None:
    path = tmp_path / "file.gz"
    with Store(PACKED, *CODED) as server:
        await leave_part(server, path)
        server.fields = (coding, *CODED[1:2])
        async with Client() as client:
            await client.download(f"{server.url}/file", path, resume=True)
    assert is_whole(path, PACKED)
    assert server.ranges == [f"bytes={CUT - 1}-", *([] if goes_on else [None])]


async def test_decoded_content_is_not_resumed_from_an_encoded_part(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with Store(PACKED, *CODED) as server:
        await leave_part(server, path)
        async with Client() as client:
            await client.download(f"{server.url}/file", path, resume=True, decode=True)
    assert is_whole(path)
    assert server.ranges == [None]


async def test_encoded_content_is_resumed_by_a_strong_etag_only(tmp_path: Path) -> None:
    with Store(PACKED, b"Content-Encoding: gzip", *DATES, cuts=(CUT,)) as server:
        async with Client(retries=AT_ONCE) as client:
            await client.download(server.url, tmp_path / "file.gz")
    assert is_whole(tmp_path / "file.gz", PACKED)
    assert server.ranges == [None, None]


@pytest.mark.parametrize("field", ["Content-Digest", "Repr-Digest"])
@pytest.mark.parametrize("algorithm", ["sha-256", "sha-512"])
@pytest.mark.parametrize("where", ["head", "trailers"])
async def test_digests(tmp_path: Path, field: str, algorithm: str, where: str) -> None:
    line = digest(field, CONTENT, algorithm)
    answer = reply(CONTENT, line) if where == "head" else chunked(CONTENT, trailers=line + b"\r\n")
    wrong = answer.replace(line, digest(field, CONTENT[1:], algorithm))
    path = tmp_path / "file"
    text = rf"^wrong {field}: expected {algorithm.replace('-', '')} [0-9a-f]+, got [0-9a-f]+ \(GET http://\S+/wrong\)$"
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
            server.answers = [partial_response(REST, RIGHT, b'ETag: "v1"', digest(field, content))]
            async with Client() as client:
                download = client.download(f"{server.url}/file", path, resume=True)
                if content is right:
                    await download
                    continue
                with pytest.raises(DecodingError):
                    await download
    assert is_whole(path)


async def test_a_changed_part_fails_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with Store(CONTENT, b'ETag: "v1"', digest("Repr-Digest")) as server:
        await leave_part(server, path)
        with open(f"{path}.part", "r+b") as part:
            part.write(b"!!")
        async with Client() as client:
            with pytest.raises(DecodingError):
                await client.download(f"{server.url}/file", path, resume=True)
            assert list_names(tmp_path) == []
            await client.download(f"{server.url}/file", path, resume=True)
    assert is_whole(path)


async def test_a_truncated_part_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def cut(received: int, _: int | None) -> None:
        if received == SIZE:
            os.truncate(f"{path}.part", MAX_WRITE_STEP)

    with Store(CONTENT, b'ETag: "v1"', digest("Repr-Digest")) as server:
        async with Client() as client:
            with pytest.raises(DecodingError):
                await client.download(server.url, path, progress=cut)
    assert list_names(tmp_path) == []


async def test_a_digest_given_before_a_cut(tmp_path: Path) -> None:
    path = tmp_path / "file"
    first = reply(CONTENT, b'ETag: "v1"', digest("Content-Digest", CONTENT[1:]))
    with Store(answers=(first,), cuts=(CUT,)) as server:
        async with Client(retries=AT_ONCE) as client:
            with pytest.raises(DecodingError):
                await client.download(server.url, path, resume=True)
    assert (len(server.asked), list_names(tmp_path)) == (2, [])


async def test_the_digest_of_a_version_that_has_changed_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "file"
    first = reply(CONTENT, b'ETag: "v1"', digest("Content-Digest"))
    with Store(CONTENT[::-1], b'ETag: "v2"', answers=(first,), cuts=(CUT,)) as server:
        async with Client(retries=AT_ONCE) as client:
            await client.download(server.url, path)
    assert is_whole(path, CONTENT[::-1])


@pytest.mark.parametrize("where", ["checksum", "Content-Digest"])
@pytest.mark.parametrize("resume", [False, True])
async def test_a_file_with_a_wrong_digest_never_replaces_another(tmp_path: Path, where: str, resume: bool) -> None:
    wrong, old = hashlib.sha256(b"").hexdigest(), tmp_path / "file"
    old.write_bytes(b"old")
    fields = [] if where == "checksum" else [digest(where, b"")]
    checksum = f"sha256:{wrong}" if where == "checksum" else None
    with Store(CONTENT, b'ETag: "v1"', *fields) as server:
        async with Client() as client:
            for path in (old, tmp_path):
                with pytest.raises(ChecksumError) as error:
                    await client.download(f"{server.url}/file", path, resume=resume, overwrite=True, checksum=checksum)
                assert is_whole(old, b"old")
    assert (error.value.field, error.value.algorithm) == (where, "sha256")
    assert (error.value.expected, error.value.found) == (wrong, hashlib.sha256(CONTENT).hexdigest())
    assert str(pickle.loads(pickle.dumps(error.value))) == str(error.value)


async def test_a_cancellation_during_the_verification_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def cancel(received: int, _: int | None) -> None:
        if received == SIZE:
            asyncio.get_running_loop().call_soon(task.cancel)

    with Store() as server:
        async with Client() as client:
            checksum = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
            task = asyncio.create_task(client.download(server.url, path, progress=cancel, checksum=checksum))
            with pytest.raises(asyncio.CancelledError):
                await task
    assert is_whole(path, b"old")


async def test_a_checksum_covers_the_part_of_an_earlier_call(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with Store() as server:
        for start in (b"", b"!!"):
            await leave_part(server, path)
            with open(f"{path}.part", "r+b") as part:
                part.write(start)
            async with Client() as client:
                checksum = f"SHA1:{hashlib.sha1(CONTENT).hexdigest().upper()}"
                download = client.download(f"{server.url}/file", path, resume=True, checksum=checksum)
                if not start:
                    await download
                    continue
                with pytest.raises(ChecksumError):
                    await download
    assert is_whole(path)
    assert server.ranges == [f"bytes={CUT - 1}-"]


async def test_a_malformed_checksum_is_refused_before_the_request(tmp_path: Path) -> None:
    with Store() as server:
        async with Client() as client:
            with pytest.raises(ValueError, match="expected 64 digits of sha256 in checksum, got 2"):
                await client.download(server.url, tmp_path / "file", checksum="sha256:00")
            with pytest.raises(TypeError, match="as checksum, got bytes"):
                await client.download(server.url, tmp_path / "file", checksum=b"sha256:00")  # type: ignore[arg-type]
    assert (server.asked, list_names(tmp_path)) == ([], [])


def test_checksums_are_parsed() -> None:
    assert parse_checksum(f"MD5:{'A' * 32}") == ("checksum", "md5", bytes.fromhex("a" * 32), 0, None)
    assert parse_checksum("Ab" * 32) == ("checksum", "sha256", bytes.fromhex("ab" * 32), 0, None)
    for text in ("crc:00", "sha256", "00", f"md5:{'g' * 32}"):
        with pytest.raises(ValueError, match="expected md5, sha1"):
            parse_checksum(text)
    with pytest.raises(ValueError, match="expected 64 digits of sha256 in checksum, got 66"):
        parse_checksum("SHA256:" + "0" * 66)


@pytest.mark.parametrize(
    ("value", "algorithms"),
    [
        ("sha-256=:AAAA:", ["sha256"]),
        ("md5=:AAAA:, sha-512=:AAAA:;x=1 ,\tsha-256=::", ["sha512", "sha256"]),
        ("sha-256=:AAAA:, sha-256=:BBBB:", ["sha256"]),
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
