"""Downloads whose content is coded, or has a digest."""

import gzip
import os
from pathlib import Path

import pytest

from asyncclient import (
    Client,
    DecodingError,
    IncompleteRead,
)
from asyncclient.client.download import STEP, Span, find_validator, list_checks
from asyncclient.message.fields import Fields
from tests.client.asking import Answering
from tests.client.downloads import (
    AT_ONCE,
    CONTENT,
    CUT,
    REST,
    RIGHT,
    SIZE,
    Store,
    digest,
    is_whole,
    leave_part,
    names,
    partial,
)
from tests.connection.scripts import chunked, reply

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
    assert find_validator(Fields(fields.items())) == validator
    assert find_validator(Fields([*fields.items(), *fields.items()])) == validator


def test_validators_that_differ_are_none() -> None:
    assert find_validator(Fields([("ETag", '"x"'), ("ETag", '"y"')])) is None
    dates = [("Date", NOW), ("Last-Modified", BEFORE)]
    assert find_validator(Fields([*dates, ("Last-Modified", NOW)])) is None
    assert find_validator(Fields([*dates, ("Date", BEFORE)])) is None
