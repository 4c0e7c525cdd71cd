"""The servers of the benchmarks serve what the rows ask for, and contenders get it."""

import asyncio
import http.client
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import trustme

from benchmarks import awaitable, blocking
from benchmarks.machine import HOST, big_file, serving
from benchmarks.origin import SMALL, chunked
from benchmarks.rows import AWAITABLE, BLOCKING, MEGABYTES_100, Row
from benchmarks.servers import Servers, find_server, started
from benchmarks.setup import Setup
from benchmarks.worker import Turn

NAMES = sorted({find_server(), "caddy", "origin"})


@pytest.fixture(params=NAMES, scope="module")
def servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("servers")
    authority = trustme.CA()
    authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    authority.cert_pem.write_to_path(folder / "authority.pem")
    with started(request.param, folder, folder / "server.pem") as found:
        yield found._replace(name=str(folder / "authority.pem"))


def fetch(url: str, context: ssl.SSLContext | None = None) -> tuple[http.client.HTTPResponse, int]:
    """Return a response and the length of its content."""
    parts = urlsplit(url)
    if context:
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(parts.netloc, timeout=20, context=context)
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    try:
        connection.request("GET", parts.path)
        response = connection.getresponse()
        length = 0
        while piece := response.read(1024 * 1024):
            length += len(piece)
        return response, length
    finally:
        connection.close()


def test_small_responses_are_alike_plain_and_over_tls(servers: Servers) -> None:
    context = ssl.create_default_context(cafile=servers.name)
    for url in (f"{servers.plain}/small", f"{servers.tls}/small"):
        response, length = fetch(url, context if url.startswith("https") else None)
        assert (response.status, length) == (200, 200)
        assert len(response.getheaders()) >= 10


def test_varied_responses_have_different_heads(servers: Servers) -> None:
    heads = [fetch(f"{servers.plain}/varied")[0].getheaders() for _ in range(2)]
    assert len(heads[0]) == len(heads[1])
    assert heads[0] != heads[1]


def test_the_connection_ends_after_close(servers: Servers) -> None:
    response, length = fetch(f"{servers.plain}/close")
    assert length == 200
    assert response.will_close


def test_a_large_file_is_served(servers: Servers) -> None:
    assert fetch(f"{servers.plain}/bytes/{MEGABYTES_100}")[1] == MEGABYTES_100


@pytest.mark.parametrize(("size", "chunk", "number"), [(10_000, 500, 20), (10_001, 500, 21), (3_000_000, 16_384, 184)])
def test_the_origin_sends_whole_chunks(size: int, chunk: int, number: int) -> None:
    content = b"".join(chunked(size, chunk)).partition(b"\r\n\r\n")[2]
    sizes = []
    while content:
        head, _, content = content.partition(b"\r\n")
        sizes.append(int(head, 16))
        content = content[sizes[-1] + 2 :]
    assert sizes.pop() == 0
    assert (sum(sizes), len(sizes), max(sizes)) == (size, number, chunk)


def test_the_origin_answers_held_requests_together() -> None:
    async def ask(port: int) -> bytes:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"GET /held/3 HTTP/1.1\r\n\r\n")
        answer = await reader.readexactly(len(SMALL))
        writer.close()
        await writer.wait_closed()
        return answer

    async def ask_all(port: int) -> None:
        first = [asyncio.create_task(ask(port)) for _ in range(2)]
        done, _ = await asyncio.wait(first, timeout=0.2)
        assert not done
        assert await asyncio.gather(ask(port), *first) == [SMALL] * 3

    with serving() as port:
        asyncio.run(ask_all(port))


def small(row: Row) -> Row:
    """Return a row with few requests."""
    return row._replace(at_once=min(row.at_once, 3), requests=6)


@pytest.mark.parametrize("name", ["asyncclient", "bare"])
def test_an_asynchronous_contender_does_the_work_of_each_row(name: str) -> None:
    async def work(setup: Setup) -> None:
        async with awaitable.CLIENTS[name](setup) as client:
            for row in AWAITABLE.rows.values():
                if name not in row.without and not row.is_tls and row.work in ("get", "post"):
                    figures = await Turn(small(row), 1.0, setup.base).spend(client)
                    assert min(figures.values()) > 0

    with serving() as port:
        asyncio.run(work(Setup(f"http://{HOST}:{port}", 3, None, "")))


@pytest.mark.parametrize("name", ["http.client", "compat", "asyncclient.blocking"])
def test_a_blocking_contender_does_the_work_of_each_row(name: str) -> None:
    with serving() as port:
        setup = Setup(f"http://{HOST}:{port}", 1, None, "")
        with blocking.CLIENTS[name](setup) as client:
            for row in BLOCKING.rows.values():
                if not row.is_tls:
                    figures = Turn(small(row)._replace(requests=2), 1.0, setup.base).spend_blocking(client)
                    assert min(figures.values()) > 0


def test_files_are_sent_and_received() -> None:
    async def work(setup: Setup) -> None:
        async with awaitable.CLIENTS["asyncclient"](setup) as client:
            await client.upload([f"{setup.base}/sink"])
            await client.download([f"{setup.base}/bytes/{MEGABYTES_100}"])

    with serving() as port, big_file(MEGABYTES_100) as file:
        asyncio.run(work(Setup(f"http://{HOST}:{port}", 1, None, str(file))))
