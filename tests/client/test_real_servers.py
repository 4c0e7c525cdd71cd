"""A client with servers of other projects: Caddy, plain and over TLS, and an application under uvicorn."""

import asyncio
import gzip
import hashlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from asyncclient import Client, PoolLimits
from tests.client.answering import Recording, gather_chunks, is_clean
from tests.client.test_known_issues_pool import becomes_clean
from tests.connection.conversations import MEBIBYTE
from tests.servers import App, Caddy, Certificates


@pytest.fixture(params=["plain", "tls"])
def url(request: pytest.FixtureRequest, caddy: Caddy) -> str:
    """Caddy's, without and with TLS."""
    return caddy.url if request.param == "plain" else caddy.tls_url


@pytest.fixture(params=["uvicorn", "caddy", "caddy over tls"])
def application(request: pytest.FixtureRequest, app: App, caddy: Caddy) -> str:
    """The application's URL: by itself, and behind Caddy."""
    return {"uvicorn": app.url, "caddy": f"{caddy.url}/app", "caddy over tls": f"{caddy.tls_url}/app"}[request.param]


def trusting(certificates: Certificates, **options: Any) -> Client:
    return Client(ssl=certificates.client_context(), **options)


def count_opened(tracer: Recording) -> int:
    return sum(event.startswith("opened ") for event in tracer.events)


# Getting


async def test_files_over_one_connection(caddy: Caddy, tls: Certificates, url: str) -> None:
    tracer = Recording()
    async with trusting(tls, tracers=[tracer]) as client:
        for number, name in enumerate(("1k.bin", "1m.bin", "text.txt", "1k.bin")):
            response = await client.get(f"{url}/{name}")
            content = (caddy.files / name).read_bytes()
            assert (response.status, response.reason, response.version) == (200, "OK", 11)
            assert (response.content, response.timings.reused) == (content, number > 0)
        assert client.stats()[:2] == (0, 1)
    assert count_opened(tracer) == 1


async def test_a_response_has_the_parameters_of_its_tls_connection(caddy: Caddy, tls: Certificates) -> None:
    async with trusting(tls) as client, client.stream("GET", f"{caddy.tls_url}/1k.bin") as response:
        assert response.tls is not None
        assert (response.tls.version, response.tls.alpn) == ("TLSv1.3", "http/1.1")
        assert response.peer == (caddy.host, caddy.tls_port)
        assert (response.timings.tls or 0) > 0


async def test_head_and_files_that_are_not_there(tls: Certificates, url: str) -> None:
    async with trusting(tls) as client:
        response = await client.head(f"{url}/1m.bin")
        assert (response.headers["content-length"], response.content) == (str(MEBIBYTE), b"")
        assert (await client.head(f"{url}/parrot.spam")).status == 404
        missing = await client.get(f"{url}/parrot.spam")
        assert (missing.status, missing.ok, missing.reason) == (404, False, "Not Found")
        assert client.stats().idle == 1


@pytest.mark.parametrize(
    ("asked", "part"), [("10-19", slice(10, 20)), ("-5", slice(-5, None)), ("1000-", slice(1000, None))]
)
async def test_ranges(caddy: Caddy, tls: Certificates, url: str, asked: str, part: slice) -> None:
    async with trusting(tls, headers={"Range": f"bytes={asked}"}) as client:
        response = await client.get(f"{url}/1k.bin")
        assert (response.status, response.content) == (206, (caddy.files / "1k.bin").read_bytes()[part])
        beyond = await client.get(f"{url}/1k.bin", headers={"Range": "bytes=5000-"})
        assert (beyond.status, beyond.headers["content-range"]) == (416, "bytes */1024")


async def test_not_modified(tls: Certificates, url: str) -> None:
    async with trusting(tls) as client:
        tag = (await client.get(f"{url}/1k.bin")).headers["etag"]
        for _ in range(2):
            response = await client.get(f"{url}/1k.bin", headers={"If-None-Match": tag})
            assert (response.status, response.content) == (304, b"")
        assert len((await client.get(f"{url}/1k.bin")).content) == 1024
        assert client.stats().idle == 1


@pytest.mark.parametrize("coding", ["gzip", "zstd", "identity", "gzip, zstd"])
async def test_codings_are_decoded(caddy: Caddy, tls: Certificates, url: str, coding: str) -> None:
    content = (caddy.files / "text.txt").read_bytes()
    async with trusting(tls, headers={"Accept-Encoding": coding}) as client:
        response = await client.get(f"{url}/text.txt")
        assert response.headers.get("content-encoding", "identity") in coding
        assert (response.content, response.lines[0]) == (content, content.decode().splitlines()[0])
        async with client.stream("GET", f"{url}/text.txt") as streamed:
            assert b"".join(await gather_chunks(streamed, 1000)) == content
        assert client.stats().idle == 1


async def test_a_real_server_compresses_for_accept_encoding(caddy: Caddy, tls: Certificates, url: str) -> None:
    async with trusting(tls) as client:
        response = await client.get(f"{url}/text.txt")
        assert response.headers["content-encoding"] in ("gzip", "zstd")
        assert response.content == (caddy.files / "text.txt").read_bytes()


async def test_a_coding_may_be_left_as_it_is(caddy: Caddy, tls: Certificates, url: str) -> None:
    async with trusting(tls) as client:
        response = await client.get(f"{url}/text.txt", headers={"Accept-Encoding": "gzip"}, decode=False)
        assert gzip.decompress(response.content) == (caddy.files / "text.txt").read_bytes()


async def test_lines_are_given_as_they_are_received(tls: Certificates, application: str) -> None:
    async with trusting(tls) as client:
        for count in (0, 1, 300):
            async with client.stream("GET", f"{application}/stream/{count}") as response:
                assert [line async for line in response.iter_lines()] == [f"line {n}" for n in range(count)]
        assert (await client.get(f"{application}/empty")).status == 204
        assert client.stats().idle == 1


async def test_a_big_file_in_pieces_and_one_left_early(caddy: Caddy, tls: Certificates, url: str) -> None:
    size = 50 * MEBIBYTE
    path = caddy.add_file("50m.bin", size)
    async with trusting(tls) as client:
        digest, seen = hashlib.sha256(), 0
        async with client.stream("GET", url + path) as response:
            async for chunk in response.iter_chunks():
                digest.update(chunk)
                seen += len(chunk)
        assert (seen, digest.hexdigest()) == (size, hashlib.sha256(bytes(size)).hexdigest())
        assert client.stats().idle == 1
        for _ in range(3):
            async with client.stream("GET", url + path) as response:
                assert await anext(response.iter_chunks(1000)) == bytes(1000)
            assert (client.stats().idle, client._pool.counted) == (0, 0)
        assert len((await client.get(f"{url}/1k.bin")).content) == 1024


# Sending

CONTENT = random.Random(1).randbytes(3 * MEBIBYTE)


def pieces() -> Iterator[bytes]:
    for start in range(0, len(CONTENT), 100_000):
        yield CONTENT[start : start + 100_000]


async def async_pieces() -> AsyncIterator[bytes]:
    for piece in pieces():
        await asyncio.sleep(0)
        yield piece


BODIES: dict[str, Callable[[Path], Any]] = {
    "bytes": lambda path: CONTENT,
    "path": lambda path: path,
    "generator": lambda path: pieces(),
    "async generator": lambda path: async_pieces(),
    "nothing": lambda path: b"",
}


@pytest.mark.parametrize("build", BODIES.values(), ids=BODIES)
async def test_uploads_arrive_whole(
    tls: Certificates, tmp_path: Path, application: str, build: Callable[[Path], Any]
) -> None:
    path = tmp_path / "content.bin"
    path.write_bytes(CONTENT)
    body = build(path)
    expected = body if body == b"" else CONTENT
    async with trusting(tls) as client:
        found = (await client.put(f"{application}/echo", body=body, params={"a": "b c"})).json()
        assert (found["method"], found["path"], found["query"]) == ("PUT", "/echo", "a=b%20c")
        assert (found["length"], found["sha256"]) == (len(expected), hashlib.sha256(expected).hexdigest())
        assert client.stats().idle == 1


FORMS: list[tuple[dict[str, Any], str]] = [
    ({"json": {"a": "ü"}}, "application/json"),
    ({"data": {"a": "ü"}}, "application/x-www-form-urlencoded"),
    ({"data": {"a": "ü"}, "files": {"f": ("n.txt", CONTENT)}}, "multipart/form-data; boundary="),
]


async def test_forms_and_json_arrive(tls: Certificates, application: str) -> None:
    async with trusting(tls) as client:
        for options, content_type in FORMS:
            found = (await client.post(f"{application}/echo", **options)).json()
            fields = dict(found["fields"])
            assert fields["content-type"].startswith(content_type)
            assert found["length"] == int(fields["content-length"]) > 0


# Not over TLS: a reset that follows at once may take the answer with it there (docs/architecture.md).
@pytest.mark.parametrize("application", ["uvicorn", "caddy"], indirect=True)
@pytest.mark.parametrize("build", [lambda: bytes(40 * MEBIBYTE), lambda: iter([bytes(65_536)] * 640)])
async def test_a_413_to_an_upload_is_the_response(
    tls: Certificates, application: str, build: Callable[[], Any]
) -> None:
    async with trusting(tls) as client:
        response = await client.post(f"{application}/too-large", body=build())
        assert (response.status, response.content) == (413, b"too large\n")
        assert await is_clean(client)
        assert (await client.get(f"{application}/empty")).status == 204


async def test_an_expectation_is_met(tls: Certificates, application: str) -> None:
    async with trusting(tls) as client:
        response = await client.post(f"{application}/echo", body=CONTENT, expect_continue=True)
        assert response.json()["length"] == len(CONTENT)
        refused = await client.post(f"{application}/too-large", body=CONTENT, expect_continue=True)
        assert refused.status == 413


# Many at once


@pytest.mark.parametrize("places", [10, 100])
async def test_300_requests_at_once(caddy: Caddy, tls: Certificates, url: str, places: int) -> None:
    content, tracer = (caddy.files / "1m.bin").read_bytes(), Recording()

    async def get_part(number: int) -> bool:
        start = number * 1000
        response = await client.get(f"{url}/1m.bin", headers={"Range": f"bytes={start}-{start + 999}"})
        return response.content == content[start : start + 1000]

    async with trusting(tls, pool=PoolLimits(connections=places), tracers=[tracer]) as client:
        assert all(await asyncio.gather(*(get_part(number) for number in range(300))))
        assert await becomes_clean(client)
        assert client.stats().idle == count_opened(tracer) <= places
        assert all(await asyncio.gather(*(get_part(number) for number in range(300))))
    assert count_opened(tracer) <= places


async def test_concurrent_requests_of_all_kinds_get_their_own_responses(
    caddy: Caddy, app: App, tls: Certificates
) -> None:
    """Gets, uploads, streams left early and refusals, mixed: each gets its own answer."""
    path = caddy.add_file("5m.bin", 5 * MEBIBYTE)

    async def get(url: str, number: int) -> int:
        return (await client.get(f"{url}/1k.bin", params={"n": number})).status

    async def upload(url: str, number: int) -> int:
        found = (await client.post(f"{url}/app/echo", body=bytes([number]) * 10_000, params={"n": number})).json()
        assert (found["query"], found["length"]) == (f"n={number}", 10_000)
        assert found["sha256"] == hashlib.sha256(bytes([number]) * 10_000).hexdigest()
        return 200

    async def leave_early(url: str, number: int) -> int:
        async with client.stream("GET", url + path) as response:
            await anext(response.iter_chunks())
            return response.status

    async def refused(url: str, number: int) -> int:
        return (await client.post(f"{url}/app/too-large", body=bytes(MEBIBYTE))).status

    async with trusting(tls, pool=PoolLimits(connections=20)) as client:
        works = [get, upload, leave_early, refused]
        urls = [caddy.url, caddy.tls_url]
        found = await asyncio.gather(*(works[n % 4](urls[n // 4 % 2], n) for n in range(160)))
        assert Counter(found) == {200: 120, 413: 40}
        assert await becomes_clean(client)
