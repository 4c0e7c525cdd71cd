"""Bodies that are compressed while they are sent, and the progress of uploads."""

import functools
import gzip
import importlib
import io
import json
import pickle
import random
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import brotli
import pytest

from asyncclient import BodyNotReplayable, Client, Digest, Request, Retry
from asyncclient.client.body import compressed
from asyncclient.client.content.codings import find_zstd
from asyncclient.exchange.body import BLOCKSIZE
from asyncclient.testing import RawConnection, RawServer
from tests.client.answering import Answering, Asked, redirect
from tests.connection.conversations import OK, reply

DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "zstd": importlib.import_module(find_zstd() or "").decompress,
    "br": brotli.decompress,
}
CODINGS = pytest.mark.parametrize("coding", DECODERS)
TEXT = b"A sentence that is often repeated. " * 30_000
NOISE = random.Random(7).randbytes(3 * BLOCKSIZE + 5)

CHALLENGE = b'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth,auth-int", algorithm=SHA-256'


def decode(asked: Asked, coding: str) -> bytes:
    """Return the content of a request, which declares one coding and no length unless that is right."""
    assert asked["content-encoding"] == coding
    return DECODERS[coding](asked.content)


async def generate(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


KINDS: dict[str, Callable[[bytes, Path], Any]] = {
    "bytes": lambda data, _: data,
    "file": lambda data, _: io.BytesIO(data),
    "path": lambda data, path: (path.write_bytes(data), path)[1],
    "pieces": lambda data, _: [data[:7], b"", data[7:]],
    "generator": lambda data, _: generate(data[:7], data[7:]),
    "function": lambda data, _: lambda: generate(data),
}


# Compression


@CODINGS
@pytest.mark.parametrize("data", [b"", b"short", TEXT, NOISE], ids=["empty", "short", "text", "noise"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
async def test_a_body_of_any_kind_is_compressed(
    coding: Any, data: bytes, kind: Callable[[bytes, Path], Any], tmp_path: Path
) -> None:
    with Answering(default=OK) as server:
        async with Client() as client:
            body = kind(data, tmp_path / "body")
            assert (await client.post(server.url, body=body, compress=coding)).content == b"ok"
    (asked,) = server.asked
    assert decode(asked, coding) == data
    if data is TEXT:
        assert len(asked.content) < len(data) / 50


@CODINGS
async def test_json_and_a_form_are_compressed_and_keep_their_type(coding: Any) -> None:
    with Answering(default=OK) as server:
        async with Client() as client:
            await client.post(server.url, json={"a": [1, "ü"]}, compress=coding)
            await client.post(server.url, data={"a": "b"}, compress=coding)
            await client.post(server.url, files={"a": ("f", b"content")}, compress=coding)
    first, form, parts = server.asked
    assert json.loads(decode(first, coding)) == {"a": [1, "ü"]}
    assert (decode(form, coding), form["content-type"]) == (b"a=b", "application/x-www-form-urlencoded")
    assert b"content" in decode(parts, coding)
    assert (parts["content-type"] or "").startswith("multipart/form-data; boundary=")


async def test_a_small_body_in_memory_has_a_length_and_a_longer_one_is_sent_in_chunks() -> None:
    with Answering(default=OK) as server:
        async with Client() as client:
            await client.post(server.url, body=NOISE[:BLOCKSIZE], compress="gzip")
            await client.post(server.url, body=NOISE, compress="gzip")
    small, large = server.asked
    assert (small["content-length"], small["transfer-encoding"]) == (str(len(small.content)), None)
    assert (large["content-length"], large["transfer-encoding"]) == (None, "chunked")
    assert large.raw_body.count(b"\r\n") > 6, "it is not sent in pieces"


@CODINGS
@pytest.mark.parametrize("kind", ["bytes", "file", "path", "function"])
async def test_a_compressed_body_is_sent_again_by_redirects_retries_and_challenges(
    coding: Any, kind: str, tmp_path: Path
) -> None:
    answers: dict[str, Any] = {
        "/": redirect("/there", status=307),
        "/there": [reply(b"", status=b"503 Busy"), reply(b"", CHALLENGE, status=b"401 Unauthorized"), OK],
    }
    with Answering(answers) as server:
        policy = Retry(backoff=0, methods=("POST",))
        async with Client(retries=policy, auth=Digest("ali", "s3cret")) as client:
            body = KINDS[kind](TEXT, tmp_path / "body")
            assert (await client.post(server.url, body=body, compress=coding)).content == b"ok"
    assert server.targets == ["/", "/there", "/there", "/there"]
    assert [decode(asked, coding) for asked in server.asked] == [TEXT] * 4
    assert (server.asked[-1]["authorization"] or "").startswith("Digest ")


async def test_a_digest_of_the_content_is_that_of_the_compressed_bytes() -> None:
    """RFC 7616 §3.4.3: qop=auth-int covers the content, which is compressed when it is sent."""
    challenge = CHALLENGE.replace(b"auth,auth-int", b"auth-int")
    with Answering({"/": [reply(b"", challenge, status=b"401 Unauthorized"), OK]}) as server:
        async with Client(auth=Digest("ali", "s3cret")) as client:
            assert (await client.post(server.url, body=b"short", compress="gzip")).content == b"ok"
    assert "qop=auth-int" in (server.asked[-1]["authorization"] or "")
    assert decode(server.asked[-1], "gzip") == b"short"


async def test_a_redirect_that_drops_the_body_drops_its_coding() -> None:
    with Answering({"/": redirect("/there", status=303), "/there": OK}) as server:
        async with Client() as client:
            await client.post(server.url, body=TEXT, compress="gzip")
    assert (server.asked[1].method, server.asked[1].content, server.asked[1]["content-encoding"]) == ("GET", b"", None)


async def test_a_compressed_generator_is_not_sent_twice() -> None:
    with Answering({"/": redirect("/there", status=307)}) as server:
        async with Client() as client:
            with pytest.raises(BodyNotReplayable):
                await client.post(server.url, body=generate(b"once"), compress="gzip")
    assert server.targets == ["/"]


async def test_an_error_while_a_body_is_compressed_leaves_it_incomplete() -> None:
    def fail() -> Iterator[bytes]:
        yield NOISE
        raise OSError("the disk")

    bodies: list[bytes] = []

    def handler(connection: RawConnection) -> None:
        connection.read_head()
        bodies.append(b"")
        while data := connection.read():
            bodies[-1] += data

    with RawServer(handler) as server:
        async with Client() as client:
            with pytest.raises(OSError, match="the disk"):
                await client.post(server.url, body=fail(), compress="gzip")
    assert not bodies[0].endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("name", ["Content-Encoding", "content-length"])
def test_compression_does_not_go_with_a_coding_or_length_of_the_caller(name: str) -> None:
    with pytest.raises(ValueError, match=f"expected no {name} with compress='gzip'"):
        Request("POST", "http://a.test/", body=b"x", headers={name: "1"}, compress="gzip")


@pytest.mark.parametrize("coding", ["lzma", "", "GZIP"])
def test_an_unknown_coding_is_refused(coding: Any) -> None:
    with pytest.raises(ValueError, match="expected gzip, deflate, zstd or br as compress, got"):
        Request("POST", "http://a.test/", body=b"x", compress=coding)


@pytest.mark.parametrize(("coding", "finder"), [("br", "bounded_brotli"), ("zstd", "find_zstd")])
def test_a_missing_library_is_an_error_that_names_the_extra(
    coding: Any, finder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compressed, finder, lambda: None)
    with pytest.raises(ImportError, match=rf"compress='{coding}' needs the extra asyncclient-http\[compress\]"):
        Request("POST", "http://a.test/", body=b"x", compress=coding)


@pytest.mark.parametrize("option", [{"compress": "gzip"}, {"progress": print}])
def test_options_of_a_body_without_a_body_are_refused(option: Any) -> None:
    with pytest.raises(ValueError, match=f"expected a body with {next(iter(option))}, got none"):
        Request("GET", "http://a.test/", **option)


async def test_a_pickle_of_a_request_has_a_body_in_memory_without_its_progress() -> None:
    requests = [
        Request("POST", "http://a.test/", body=NOISE, compress="gzip", progress=lambda *_: None),
        Request("POST", "http://a.test/", body=generate(NOISE), compress="gzip"),
    ]
    with Answering(default=OK) as server:
        async with Client() as client:
            kept, gone = (pickle.loads(pickle.dumps(request)) for request in requests)
            await client.send(kept.replace(url=server.url))
            with pytest.raises(BodyNotReplayable, match="body is not kept in a pickle"):
                await client.send(gone.replace(url=server.url))
    assert decode(server.asked[0], "gzip") == NOISE


# Progress


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
async def test_progress_counts_the_written_bytes_up_to_the_whole_body(
    kind: Callable[[bytes, Path], Any], tmp_path: Path
) -> None:
    seen: list[tuple[int, int | None]] = []
    with Answering(default=OK) as server:
        async with Client() as client:
            body = kind(NOISE, tmp_path / "body")
            await client.put(server.url, body=body, progress=lambda *found: seen.append(found))
    (asked,) = server.asked
    assert asked.content == NOISE
    has_length = asked["content-length"] is not None
    counts, totals = zip(*seen, strict=True)
    assert set(totals) == {len(NOISE) if has_length else None}
    assert list(counts) == sorted(set(counts))
    assert (len(counts) >= 2 or kind is KINDS["function"], counts[-1]) == (True, len(NOISE))


async def test_progress_of_a_body_of_one_block_is_one_call() -> None:
    seen: list[tuple[int, int | None]] = []
    with Answering(default=OK) as server:
        async with Client() as client:
            await client.post(server.url, json=[1], progress=lambda *found: seen.append(found))
    assert (seen, server.asked[0].content) == ([(3, 3)], b"[1]")


async def test_progress_is_reported_while_the_rest_is_not_sent_yet() -> None:
    seen: list[int] = []
    released = functools.partial(seen.__len__)

    async def body() -> AsyncIterator[bytes]:
        for number in range(3):
            assert released() == number, "a piece is reported before the next one is asked for"
            yield b"piece"

    with Answering(default=OK) as server:
        async with Client() as client:
            await client.post(server.url, body=body(), progress=lambda sent, _: seen.append(sent))
    assert seen == [5, 10, 15]


async def test_progress_begins_again_when_the_body_is_sent_again() -> None:
    seen: list[int] = []
    with Answering({"/": redirect("/there", status=308), "/there": OK}) as server:
        async with Client() as client:
            await client.post(server.url, body=b"12345", progress=lambda sent, _: seen.append(sent))
    assert seen == [5, 5]
    assert [asked.content for asked in server.asked] == [b"12345"] * 2


async def test_progress_of_a_compressed_body_counts_the_bytes_of_the_body() -> None:
    seen: list[tuple[int, int | None]] = []
    with Answering(default=OK) as server:
        async with Client() as client:
            await client.post(server.url, body=TEXT, compress="gzip", progress=lambda *found: seen.append(found))
    assert seen[-1] == (len(TEXT), len(TEXT))
    assert decode(server.asked[0], "gzip") == TEXT


async def test_the_length_of_a_caller_holds_for_a_body_with_progress() -> None:
    with Answering(default=OK) as server:
        async with Client() as client:
            with pytest.raises(ValueError, match="body ended 1 bytes before its length of 6"):
                await client.post(
                    server.url, body=generate(b"12345"), headers={"Content-Length": "6"}, progress=lambda *_: None
                )


async def test_an_error_of_progress_ends_the_request_and_its_connection() -> None:
    def fail(sent: int, total: int | None) -> None:
        raise KeyError("progress")

    with RawServer(RawConnection.wait_closed) as server:
        async with Client() as client:
            with pytest.raises(KeyError, match="progress"):
                await client.post(server.url, body=NOISE, progress=fail)
            assert client._pool.counted == 0


def test_progress_that_is_not_a_function_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a function as progress, got int"):
        Request("POST", "http://a.test/", body=b"x", progress=1)  # type: ignore[arg-type]
