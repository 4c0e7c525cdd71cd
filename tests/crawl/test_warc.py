"""Archives in WARC 1.1: read back by warcio, they have the bytes that a server received and sent."""

import asyncio
import gzip
import hashlib
import os
import signal
import subprocess
import sys
import threading
import zlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest

from asyncclient import (
    Client,
    HTTPResponse,
    PoolLimits,
    PoolTransport,
    Timeout,
    Transport,
    TransportRequest,
    TransportResponse,
)
from asyncclient.crawl import WARC, WARCError
from asyncclient.errors import HTTPException
from asyncclient.politeness import Polite, Robots, Rules
from asyncclient.testing import MockTransport, RawConnection, RawServer
from tests.crawl.archives import Record, exchanges_in, is_valid, records_in, responses_in
from tests.pool.hosts import let_loop_turn, wait_until
from tests.pool.witness import Witness, reply, stale_once
from tests.servers import ROOT, Certificates, ConnectProxy

CHUNKED = b"HTTP/1.1 200 OK\r\nX:  two blanks \r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
TEXT = b"hello world, " * 200

REPLIES = {
    "/length": reply(b"by length"),
    "/empty": reply(b""),
    "/chunked": CHUNKED + b"5;ext=1\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
    "/close": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end",
    "/old": b"HTTP/1.0 200\r\nFolded: a\r\n b\r\nConnection: close\r\n\r\nold",
    "/204": b"HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n",
    "/304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    "/gzip": reply(gzip.compress(TEXT), b"Content-Encoding: gzip"),
    "/moved": reply(b"moved", b"Location: /length", status=b"302 Found"),
    "/latin": reply(b"latin", b"X: caf\xe9"),
    "/long": reply(bytes(range(256)) * 4096),
}
PATHS = [path for path in REPLIES if path != "/moved"]


def archive(tmp_path: Path, **options: Any) -> WARC:
    return WARC(tmp_path / "a", **options)


def client_of(warc: WARC, **options: Any) -> Client:
    return Client(transport=warc.record(PoolTransport(**options)))


@pytest.mark.parametrize("is_compressed", [True, False], ids=["gzip", "no gzip"])
@pytest.mark.parametrize("is_secure", [False, True], ids=["plain", "tls"])
async def test_exchanges_are_read_back_byte_for_byte(
    tmp_path: Path, tls: Certificates, is_secure: bool, is_compressed: bool
) -> None:
    with Witness(REPLIES, tls=tls.server_context() if is_secure else None) as server:
        async with (
            archive(tmp_path, gzip=is_compressed, max_digests=0) as warc,
            client_of(warc, ssl=tls.client_context()) as client,
        ):
            for path in [*PATHS, *PATHS]:
                await client.get(server.url + path)
            await client.head(server.url + "/empty")
    (path,) = warc.paths
    assert path.endswith(".warc.gz" if is_compressed else ".warc")
    assert os.listdir(tmp_path) == [os.path.basename(path)]
    assert exchanges_in(path) == server.seen
    assert is_valid(path)


async def test_a_record_has_the_fields_of_the_standard(tmp_path: Path) -> None:
    with Witness(REPLIES) as server:
        async with archive(tmp_path) as warc, client_of(warc) as client:
            await client.get(server.url + "/gzip")
    info, response, request = records_in(warc.paths[0])
    assert info.kind == "warcinfo"
    assert info.fields["WARC-Filename"] == os.path.basename(warc.paths[0])
    assert response.fields.pop("WARC-Record-ID") != request.fields.pop("WARC-Record-ID")
    assert response.fields.pop("WARC-Date") == request.fields.pop("WARC-Date")
    assert response.content == TEXT
    common = {"WARC-Target-URI": server.url + "/gzip", "WARC-IP-Address": server.host}
    seen = server.seen[0]
    assert response.fields == {
        **common,
        "WARC-Type": "response",
        "WARC-Block-Digest": f"sha256:{hashlib.sha256(seen.response).hexdigest()}",
        "WARC-Payload-Digest": f"sha256:{hashlib.sha256(seen.response.partition(bytes([13, 10] * 2))[2]).hexdigest()}",
        "Content-Type": "application/http; msgtype=response",
        "Content-Length": str(len(seen.response)),
    }
    assert request.fields.pop("WARC-Concurrent-To")
    assert request.fields == {
        **common,
        "WARC-Type": "request",
        "WARC-Block-Digest": f"sha256:{hashlib.sha256(seen.request).hexdigest()}",
        "Content-Type": "application/http; msgtype=request",
        "Content-Length": str(len(seen.request)),
    }


async def chunks() -> AsyncIterator[bytes]:
    for part in (b"a", bytes(100_000), b"b"):
        yield part


async def test_request_bodies_are_in_the_archive(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(TEXT * 100)
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    with Witness({"/": reply(b"hello"), "/continue": [interim, reply(b"go on")]}) as server:
        async with archive(tmp_path, max_digests=0) as warc, client_of(warc) as client:
            await client.post(server.url, body=b"short")
            await client.post(server.url, body=file)
            await client.post(server.url, body=chunks(), trailers={"X-Sum": "1"})
            await client.post(server.url + "/continue", body=b"short", headers={"Expect": "100-continue"})
    assert exchanges_in(*warc.paths) == server.seen
    assert is_valid(*warc.paths)


async def test_redirects_and_robots_txt_are_in_the_archive(tmp_path: Path) -> None:
    with Witness({**REPLIES, "/robots.txt": reply(b"User-agent: *\nDisallow: /private")}) as server:
        async with archive(tmp_path) as warc:
            polite = Polite(warc.record(PoolTransport()), Rules(), robots=Robots(agent="bot"))
            async with Client(transport=polite) as client:
                assert (await client.get(server.url + "/moved")).content == b"by length"
    assert exchanges_in(*warc.paths) == server.seen
    urls = [record.fields["WARC-Target-URI"] for record in responses_in(*warc.paths)]
    assert urls == [server.url + path for path in ("/robots.txt", "/moved", "/length")]


async def test_a_resend_after_a_stale_connection_is_in_the_archive_once(tmp_path: Path) -> None:
    with stale_once() as server:
        async with archive(tmp_path) as warc, client_of(warc) as client:
            await client.get(server.url)
            await client.get(server.url)
    assert [record.block for record in responses_in(*warc.paths)] == [reply(b"one"), reply(b"two")]


async def test_the_address_behind_a_proxy_is_unknown(tmp_path: Path, tls: Certificates) -> None:
    with (
        Witness(REPLIES) as forward,
        ConnectProxy() as connect,
        Witness(REPLIES, tls=tls.server_context()) as server,
    ):
        async with archive(tmp_path) as warc:
            transport = warc.record(PoolTransport(ssl=tls.client_context()))
            proxies = {"http": forward.url, "https": connect.url}
            async with Client(transport=transport, proxy=proxies) as client:
                await client.get("http://a.test/length")
                await client.get(server.url + "/chunked")
    assert exchanges_in(*warc.paths) == [*forward.seen, *server.seen]
    found = responses_in(*warc.paths)
    assert [record.fields["WARC-Target-URI"] for record in found] == ["http://a.test/length", server.url + "/chunked"]
    assert not any("WARC-IP-Address" in record.fields for record in found)


def cut(connection: RawConnection) -> None:
    connection.send(reply(b"hello world")[:-6])


def stall(connection: RawConnection) -> None:
    cut(connection)
    connection.hold()


@pytest.mark.parametrize(("answer", "reason"), [(cut, "disconnect"), (stall, "time")])
async def test_a_response_that_breaks_off_is_marked_as_truncated(
    tmp_path: Path, answer: Callable[[RawConnection], None], reason: str
) -> None:
    with Witness({"/": answer}) as server:
        async with archive(tmp_path) as warc, client_of(warc) as client:
            with pytest.raises((HTTPException, TimeoutError)):
                await client.get(server.url, timeout=Timeout(read=0.05))
    (record,) = responses_in(*warc.paths)
    assert (record.block, record.fields["WARC-Truncated"]) == (reply(b"hello world")[:-6], reason)
    assert is_valid(*warc.paths)


async def test_long_messages_are_cut_off_and_marked_as_truncated(tmp_path: Path) -> None:
    with Witness({"/": reply(TEXT)}) as server:
        async with archive(tmp_path, max_message=1000) as warc, client_of(warc) as client:
            for _ in range(2):
                assert (await client.post(server.url, body=TEXT)).content == TEXT
    assert exchanges_in(*warc.paths) == [(seen.request[:1000], seen.response[:1000]) for seen in server.seen]
    found = [record for record in records_in(*warc.paths) if record.kind != "warcinfo"]
    assert [(record.kind, record.fields["WARC-Truncated"]) for record in found] == [
        ("response", "length"),
        ("request", "length"),
    ] * 2
    assert is_valid(*warc.paths)


async def test_an_exchange_without_a_response_is_not_in_the_archive(tmp_path: Path) -> None:
    with RawServer(RawConnection.read_head) as server:
        async with archive(tmp_path) as warc, client_of(warc) as client:
            with pytest.raises(HTTPException):
                await client.get(server.url)
    assert (warc.paths, os.listdir(tmp_path)) == ([], [])


# Repeated payloads


async def revisits(tmp_path: Path, replies: dict[str, bytes], *paths: str, **options: Any) -> list[Record]:
    with Witness(replies) as server:
        async with archive(tmp_path, **options) as warc, client_of(warc) as client:
            for path in paths:
                await client.get(server.url + path)
    assert is_valid(*warc.paths)
    return responses_in(*warc.paths)


async def test_a_repeated_payload_is_not_written_again(tmp_path: Path) -> None:
    replies = {"/a": reply(TEXT, b"X: a"), "/b": reply(TEXT, b"X: b")}
    first, second, third = await revisits(tmp_path, replies, "/a", "/b", "/a")
    assert [first.kind, second.kind, third.kind] == ["response", "revisit", "revisit"]
    assert (second.block, third.block) == (replies["/b"][: -len(TEXT)], replies["/a"][: -len(TEXT)])
    expected = {
        "WARC-Profile": "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest",
        "WARC-Refers-To": first.id,
        "WARC-Refers-To-Target-URI": first.fields["WARC-Target-URI"],
        "WARC-Refers-To-Date": first.fields["WARC-Date"],
        "WARC-Payload-Digest": first.fields["WARC-Payload-Digest"],
        "WARC-Truncated": "length",
    }
    assert expected.items() <= second.fields.items()
    assert expected.items() <= third.fields.items()


async def test_empty_payloads_are_not_repeated_ones(tmp_path: Path) -> None:
    found = await revisits(tmp_path, REPLIES, "/empty", "/empty", "/204", "/204")
    assert [record.kind for record in found] == ["response"] * 4
    assert not any("WARC-Payload-Digest" in record.fields for record in found)


async def test_the_least_recently_used_payload_is_forgotten(tmp_path: Path) -> None:
    replies = {f"/{name}": reply(name.encode()) for name in "abc"}
    found = await revisits(tmp_path, replies, "/a", "/b", "/a", "/c", "/a", "/b", max_digests=2)
    kinds = ["response", "response", "revisit", "response", "revisit", "response"]
    assert [record.kind for record in found] == kinds


async def test_sha1_is_written_in_base_32(tmp_path: Path) -> None:
    (found,) = await revisits(tmp_path, {"/": reply(b"hello")}, "/", digest="sha1")
    assert found.fields["WARC-Payload-Digest"] == "sha1:VL2MMHO4YXUKFWV63YHTWSBM3GXKSQ2N"


# Files


async def test_files_are_rotated_by_size(tmp_path: Path) -> None:
    with Witness({"/": reply(os.urandom(1000)), "/long": reply(os.urandom(10_000))}) as server:
        async with archive(tmp_path, gzip=False, max_size=5000, max_digests=0) as warc, client_of(warc) as client:
            for path in ["/"] * 5 + ["/long"] + ["/"] * 2:
                await client.get(server.url + path)
            await warc.flush()
            *finished, last = warc.paths
            assert sorted(os.listdir(tmp_path)) == sorted(map(os.path.basename, [*finished, last + ".open"]))
    assert sorted(os.listdir(tmp_path)) == sorted(map(os.path.basename, warc.paths))
    assert len(set(warc.paths)) == 5
    assert sorted(map(os.path.getsize, warc.paths))[-2] <= 5000
    assert exchanges_in(*warc.paths) == server.seen
    assert all(records_in(path)[0].kind == "warcinfo" for path in warc.paths)
    assert is_valid(*warc.paths)


async def test_a_used_name_is_never_used_again(tmp_path: Path) -> None:
    used: list[Path] = []

    def open_used(path: str, flags: int) -> int:
        if not used:  # the first name is being written by another process, which has finished the second one
            used.extend((Path(path), Path(path.replace("-00000-", "-00001-").removesuffix(".open"))))
            for each in used:
                each.write_text("of another process")
        return os.open(path, flags, 0o600)

    with Witness(REPLIES) as server:
        async with archive(tmp_path, opener=open_used) as warc, client_of(warc) as client:
            await client.get(server.url + "/length")
    assert [path.read_text() for path in used] == ["of another process"] * 2
    assert exchanges_in(*warc.paths) == server.seen
    assert os.stat(warc.paths[0]).st_mode & 0o777 == 0o600


async def test_the_first_record_has_the_fields_of_the_user(tmp_path: Path) -> None:
    info = {"operator": "Jos\xe9", "description": "a test"}
    with Witness(REPLIES) as server:
        async with archive(tmp_path, info=info, mask=["Cookie"]) as warc, client_of(warc) as client:
            await client.get(server.url + "/length")
    lines = records_in(warc.paths[0])[0].block.decode().splitlines()
    assert {"operator: Jos\xe9", "description: a test", "masked-http-fields: Cookie"} <= set(lines)
    assert any(line.startswith("software: asyncclient/") for line in lines)


async def test_fields_can_be_masked(tmp_path: Path) -> None:
    secret = reply(b"secret", b"Set-Cookie: secret", b"set-cookie :secret", b"X-Set-Cookie: kept", b"A: 1")
    folded = reply(b"other", b"Set-Cookie: a=1;", b" secret", b"X: kept")
    with Witness({"/": secret, "/folded": folded}) as server:
        async with (
            archive(tmp_path, mask=["Set-Cookie", "authorization"]) as warc,
            Client(transport=warc.record(PoolTransport(lenient=True)), auth=("user", "secret")) as client,
        ):
            await client.get(server.url)
            await client.get(server.url + "/folded")
    first, second = exchanges_in(*warc.paths)
    assert first.response == reply(
        b"secret", b"Set-Cookie: masked", b"set-cookie: masked", b"X-Set-Cookie: kept", b"A: 1"
    )
    assert second.response == reply(b"other", b"Set-Cookie: masked", b"X: kept")
    assert b"\r\nAuthorization: masked\r\n" in first.request
    assert is_valid(*warc.paths)


async def test_a_directory_that_does_not_exist_is_created_at_the_start(tmp_path: Path) -> None:
    async with WARC(tmp_path / "new" / "archive" / "a"):
        assert (tmp_path / "new" / "archive").is_dir()


async def test_a_file_in_place_of_the_directory_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        async with WARC(tmp_path / "file" / "a"):
            pytest.fail("entered")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"digest": "md5"}, "expected 'sha1' or 'sha256' as digest, got 'md5'"),
        ({"max_size": 0}, "expected max_size of at least 1, got 0"),
        ({"mask": ["a b"]}, "expected names of fields as mask, got 'a b'"),
        ({"info": {"a b": "c"}}, "expected names of fields in info, got 'a b'"),
        ({"info": {"a": "b\nc"}}, r"expected a value in one line for 'a' in info, got 'b\\nc'"),
    ],
)
def test_invalid_arguments_are_refused(tmp_path: Path, options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}$"):
        archive(tmp_path, **options)


# The disk


class SlowDisk:
    """An opener whose file is a pipe, so that writing blocks until it is opened for reading."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        self.data = bytearray()

    def open(self, path: str, flags: int) -> int:
        Path(path).touch()
        return self.write_end

    def start(self) -> None:
        """Begin to take the data, in a thread."""
        self.thread = threading.Thread(target=self._take, name="server of a pipe")
        self.thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if not hasattr(self, "thread"):  # the test has failed, and the archive is about to be closed
            self.start()

    def _take(self) -> None:
        with open(self.read_end, "rb", buffering=0) as file:
            while data := file.read(65536):
                self.data += data

    def write_to(self, path: Path) -> Path:
        self.thread.join()
        path.write_bytes(self.data)
        return path


LARGE = 100_000


async def test_a_slow_disk_makes_requests_wait_and_bounds_the_memory(tmp_path: Path) -> None:
    disk, limit, connections = SlowDisk(), 500_000, 3
    with Witness({"/": reply(bytes(LARGE))}) as server:
        warc = archive(tmp_path, gzip=False, max_pending=limit, max_digests=0, opener=disk.open)
        pool = PoolTransport(pool=PoolLimits(connections=connections))
        async with warc, Client(transport=warc.record(pool)) as client:
            with disk:
                tasks = [asyncio.create_task(client.get(server.url)) for _ in range(30)]
                await wait_until(lambda: warc.is_full and pool.pool.stats().active == 0)
                await let_loop_turn(20)
                assert limit <= warc.pending < limit + connections * (LARGE + 1000)
                assert len(server.seen) == sum(task.done() for task in tasks) < 10
                disk.start()
                await asyncio.gather(*tasks)
                await warc.flush()
                assert warc.pending == 0
    assert exchanges_in(disk.write_to(tmp_path / "copy.warc")) == server.seen
    assert len(server.seen) == 30


async def test_the_wait_for_the_disk_moves_the_deadline_of_a_request(tmp_path: Path) -> None:
    class Noting(PoolTransport):
        async def send(self, request: TransportRequest) -> HTTPResponse:
            deadlines.append(request.deadline.at)
            return await super().send(request)

    deadlines: list[float] = []
    disk, loop = SlowDisk(), asyncio.get_running_loop()
    with Witness({"/": reply(bytes(LARGE))}) as server:
        warc = archive(tmp_path, gzip=False, max_pending=1, opener=disk.open)
        async with warc, Client(transport=warc.record(Noting())) as client:
            with disk:
                await client.get(server.url)
                before = loop.time()
                task = asyncio.create_task(client.get(server.url, timeout=Timeout(total=60)))
                await let_loop_turn(5)
                after = loop.time()
                await wait_until(lambda: loop.time() > 2 * after - before)
                disk.start()
                await task
    disk.thread.join()
    assert deadlines[1] > after + 60


async def test_a_request_that_waits_for_the_disk_can_be_cancelled(tmp_path: Path) -> None:
    disk = SlowDisk()
    with Witness({"/": reply(bytes(LARGE))}) as server:
        warc = archive(tmp_path, gzip=False, max_pending=1, opener=disk.open)
        async with warc, client_of(warc) as client:
            with disk:
                await client.get(server.url)
                first, second = (asyncio.create_task(client.get(server.url)) for _ in range(2))
                await let_loop_turn(5)
                first.cancel()
                await asyncio.wait([first])
                assert len(server.seen) == 1
                disk.start()
                assert (await second).status == 200
    disk.thread.join()
    assert len(server.seen) == 2


async def test_a_disk_that_fails_ends_the_requests(tmp_path: Path) -> None:
    def refuse(path: str, flags: int) -> int:
        raise OSError(28, "No space left on device", path)

    with Witness({"/": reply(b"hello")}) as server:
        warc = archive(tmp_path, opener=refuse)
        async with client_of(warc) as client:
            assert (await client.get(server.url)).content == b"hello"
            with pytest.raises(WARCError, match="No space left on device") as failure:
                await warc.flush()
            assert isinstance(failure.value.__cause__, OSError)
            with pytest.raises(WARCError):
                await client.get(server.url)
        for _ in range(2):
            with pytest.raises(WARCError):
                await warc.aclose()
    assert len(server.seen) == 1


async def test_a_closed_archive_refuses_requests_and_records_nothing(tmp_path: Path) -> None:
    with Witness(REPLIES) as server:
        warc = archive(tmp_path)
        async with client_of(warc) as client:
            await client.get(server.url + "/length")
            async with client.stream("GET", server.url + "/chunked") as response:
                await warc.aclose()
                await warc.aclose()
                await response.read()
            with pytest.raises(WARCError, match="archive is closed"):
                await client.get(server.url + "/length")
            with pytest.raises(WARCError, match="archive is closed"):
                await warc.flush()
    assert exchanges_in(*warc.paths)[:1] == server.seen[:1]
    assert repr(warc) == f"<WARC {len(exchanges_in(*warc.paths))} exchanges, closed>"


async def test_the_functions_of_transports_above_are_called(tmp_path: Path) -> None:
    calls: list[str] = []

    class Above:
        def __init__(self, inner: Transport) -> None:
            self.inner = inner

        async def send(self, request: TransportRequest) -> TransportResponse:
            return await self.inner.send(request.replace(on_start=lambda: calls.append("start")))

        async def aclose(self) -> None:
            await self.inner.aclose()

    with Witness(REPLIES) as server:
        async with archive(tmp_path) as warc, Client(transport=Above(warc.record(PoolTransport()))) as client:
            await client.get(server.url + "/length")
    assert calls == ["start"]
    assert exchanges_in(*warc.paths) == server.seen


async def test_nothing_is_recorded_of_a_transport_without_connections(tmp_path: Path) -> None:
    async with archive(tmp_path) as warc:
        mock = MockTransport()
        mock.get("http://a.test/")
        async with Client(transport=warc.record(mock)) as client:
            assert (await client.get("http://a.test/")).status == 200
    assert warc.paths == []


async def test_many_exchanges_at_once_are_each_recorded_once(tmp_path: Path) -> None:
    with Witness({f"/{number}": reply(b"%d " % number * number) for number in range(200)}) as server:
        async with archive(tmp_path) as warc, client_of(warc) as client:
            await asyncio.gather(*(client.get(f"{server.url}/{number}") for number in range(200)))
            await warc.flush()
            assert sorted(exchanges_in(warc.paths[-1] + ".open")) == sorted(server.seen)
    assert is_valid(*warc.paths)


KILLED = """
import asyncio, sys
from asyncclient import Client, PoolTransport
from asyncclient.crawl import WARC

async def main(prefix, url):
    async with WARC(prefix) as warc, Client(transport=warc.record(PoolTransport())) as client:
        for number in range(20):
            await client.get(f"{url}/{number}")
        await warc.flush()
        print("flushed", flush=True)
        while True:
            await client.get(f"{url}/0")

asyncio.run(main(*sys.argv[1:]))
"""


def test_flushed_exchanges_survive_the_death_of_the_process(tmp_path: Path) -> None:
    with Witness({f"/{number}": reply(os.urandom(50_000)) for number in range(20)}) as server:
        command = [sys.executable, "-c", KILLED, str(tmp_path / "a"), server.url]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"flushed\n"
            process.send_signal(signal.SIGKILL)
    (path,) = tmp_path.iterdir()
    assert path.name.endswith(".warc.gz.open")
    found = finished_in(path)
    assert [record.block for record in found if record.kind == "response"][:20] == [
        seen.response for seen in server.seen[:20]
    ]


def finished_in(path: Path) -> list[Record]:
    """Return the records whose gzip members are whole."""
    data = rest = path.read_bytes()
    while rest:
        member = zlib.decompressobj(31)
        member.decompress(rest)
        if not member.eof:
            break
        rest = member.unused_data
    part = path.with_name("whole.warc.gz")
    part.write_bytes(data[: len(data) - len(rest)])
    assert is_valid(part)
    return records_in(part)


def test_warcio_check_accepts_the_files(tmp_path: Path) -> None:
    async def main(url: str) -> list[str]:
        async with archive(tmp_path) as warc, client_of(warc) as client:
            for path in [*PATHS, *PATHS]:
                await client.get(url + path)
        return warc.paths

    with Witness(REPLIES) as server:
        paths = asyncio.run(main(server.url))
    check = subprocess.run(
        [sys.executable, "-m", "warcio.cli", "check", "-v", *paths], capture_output=True, check=False
    )
    assert check.returncode == 0, check.stdout
    assert b"digest pass" in check.stdout


def test_a_recording_transport_needs_a_transport(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="expected an object with send"):
        archive(tmp_path).record(partial(print))  # type: ignore[arg-type]
