"""Crawls through proxies: those of the environment, as for a client, and those that are given."""

from pathlib import Path
from typing import Any

import pytest

from asyncclient import Proxy, Transport, TransportRequest, TransportResponse
from asyncclient.crawl import Crawler
from asyncclient.politeness import Rules
from asyncclient.testing import RawServer, build_response
from tests.crawl.sites import AGENT, crawl, site, tree
from tests.crawl.test_command import crawl as run_command

PAGE = "http://a.test/0"


def answer_twice() -> RawServer:
    """Return a proxy that answers for robots.txt and for one page."""
    page = build_response(text="<p>page</p>", headers={"Content-Type": "text/html"})
    return RawServer.replying(build_response(status=404), page)


def targets_of(proxy: RawServer) -> list[str]:
    return [head.split()[1].decode() for head in proxy.requests]


class NotingProxies:
    """A transport that notes the host of the proxy of each request."""

    def __init__(self, transport: Transport) -> None:
        self.hosts: list[str | None] = []
        self._transport = transport

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def send(self, request: TransportRequest) -> TransportResponse:
        proxy = request.destination.proxy
        self.hosts.append(proxy.host if isinstance(proxy, Proxy) else None)
        return await self._transport.send(request)


async def fetch_once(**options: Any) -> list[int | None]:
    crawler = Crawler(agent=AGENT, rules=Rules(connections=1), attempts=1, **options)
    return [page.status for page in await crawl(crawler, PAGE)]


@pytest.mark.parametrize("name", ["http_proxy", "all_proxy"])
async def test_the_environment_names_the_proxy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with answer_twice() as proxy:
        monkeypatch.setenv(name, proxy.url)
        assert await fetch_once() == [200]
    assert targets_of(proxy) == ["http://a.test/robots.txt", PAGE]


async def test_a_given_proxy_takes_the_place_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answer_twice() as proxy:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        assert await fetch_once(proxy=proxy.url) == [200]
    assert targets_of(proxy) == ["http://a.test/robots.txt", PAGE]


async def test_the_environment_may_be_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answer_twice() as server:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        crawler = Crawler(agent=AGENT, rules=Rules(connections=1), attempts=1, trust_env=False)
        assert [page.status for page in await crawl(crawler, f"{server.url}/0")] == [200]
    assert targets_of(server) == ["/robots.txt", "/0"]


@pytest.mark.parametrize("reads", [True, False])
async def test_with_a_transport_the_environment_is_read_if_that_is_asked_for(
    reads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.test:3128")
    transport = NotingProxies(site(tree(1)))
    assert await fetch_once(transport=transport, **({"trust_env": True} if reads else {})) == [200]
    assert transport.hosts == ["proxy.test" if reads else None] * 2


async def test_the_command_reads_the_environment_and_takes_an_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with answer_twice() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert (await run_command(PAGE, "-q", "--rate", "1000"))[0] == 0
    async with answer_twice() as given:
        assert (await run_command(PAGE, "-q", "--rate", "1000", "-x", given.url))[0] == 0
    assert targets_of(proxy) == targets_of(given) == ["http://a.test/robots.txt", PAGE]
