"""A crawl whose process is killed again and again: no URL is lost, and only those in progress are repeated."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from asyncclient.crawl.keeper import MOST_UNWRITTEN
from tests.servers import ROOT

pytestmark = pytest.mark.asyncio(loop_factories=["asyncio"])

PAGES = 600
CONNECTIONS, BUFFER = 10, 10

PROGRAM = f"""
import sys, asyncclient
from asyncclient.crawl import Crawler

async def main(url, path):
    crawler = Crawler(
        agent="bot", frontier=path, rules=None, robots=False, connections={CONNECTIONS}, buffer={BUFFER}
    )
    async with crawler:
        await crawler.add(url)
        async for page in crawler:
            await crawler.add_links(page)

asyncclient.run(main(*sys.argv[1:]))
"""


class Site:
    """A server of pages in a tree, which counts the requests for each."""

    def __init__(self) -> None:
        self.requests: Counter[int] = Counter()
        self._awaited = (0, asyncio.Event())

    @property
    def repeated(self) -> int:
        """The number of requests for pages that were requested before."""
        return self.requests.total() - len(self.requests)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(int(head.split()[1][1:])))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, page: int) -> bytes:
        self.requests[page] += 1
        if self.requests.total() >= self._awaited[0]:
            self._awaited[1].set()
        links = (f"<a href=/{link}>" for link in range(3 * page + 1, 3 * page + 4) if link < PAGES)
        content = "".join(links).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n"
        return head % len(content) + content

    async def wait_for(self, more: int) -> None:
        """Wait until so many further requests were received."""
        self._awaited = (self.requests.total() + more, asyncio.Event())
        await self._awaited[1].wait()


@pytest.fixture
async def site() -> AsyncIterator[tuple[Site, str]]:
    site = Site()
    async with await asyncio.start_server(site.serve, "127.0.0.1", 0) as server:
        yield site, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"


async def start(url: str, path: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, url, str(path), cwd=ROOT)


async def test_a_killed_crawl_loses_nothing(site: tuple[Site, str], tmp_path: Path) -> None:
    server, url = site
    for more in (1, 40, 90, 130):
        repeated = server.repeated
        process = await start(url, tmp_path / "crawl.db")
        await server.wait_for(more)
        process.kill()
        await process.wait()
        assert server.repeated - repeated <= CONNECTIONS + BUFFER + 1 + 2 * MOST_UNWRITTEN
    process = await start(url, tmp_path / "crawl.db")
    assert await process.wait() == 0
    assert server.requests.keys() == set(range(PAGES))
