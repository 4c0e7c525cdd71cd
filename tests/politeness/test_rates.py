"""Rate, burst, delay and connections: when requests to a host start, by a clock that the test sets."""

import asyncio
import pickle

import pytest

from asyncclient import LocalResponse
from asyncclient.politeness import Rules
from tests.politeness.hosts import Crawl


async def test_a_rate_of_two_per_second_starts_a_request_each_half_second() -> None:
    async with Crawl(Rules(rate=2, connections=10)) as crawl:
        await crawl.finish(crawl.get(*["http://a.test/"] * 5))
    assert crawl.hosts.times() == [0, 0.5, 1, 1.5, 2]


async def test_a_burst_is_sent_at_once_and_refills_at_the_rate() -> None:
    async with Crawl(Rules(rate=2, burst=3, connections=10)) as crawl:
        await crawl.finish(crawl.get(*["http://a.test/"] * 5))
        await crawl.advance(0.75)  # one and a half tokens
        await crawl.finish(crawl.get(*["http://a.test/"] * 2))
    assert crawl.hosts.times() == [0, 0, 0, 0.5, 1, 1.75, 2]


async def test_a_delay_is_kept_between_two_starts() -> None:
    async with Crawl(Rules(delay=1.5, connections=10)) as crawl:
        await crawl.finish(crawl.get(*["http://a.test/"] * 3))
        await crawl.advance(1)
        await crawl.finish(crawl.get("http://a.test/"))
    assert crawl.hosts.times() == [0, 1.5, 3, 4.5]


async def test_rate_and_delay_both_hold() -> None:
    async with Crawl(Rules(rate=1, burst=3, delay=0.25, connections=10)) as crawl:
        await crawl.finish(crawl.get(*["http://a.test/"] * 5))
    assert crawl.hosts.times() == [0, 0.25, 0.5, 1, 2]


async def test_no_more_connections_than_allowed_are_in_use_until_the_content_is_read() -> None:
    async with Crawl(Rules(connections=2)) as crawl:
        tasks = crawl.get(*[f"http://a.test/held/{n}" for n in range(3)])
        await crawl.advance()
        assert [*crawl.hosts.held] == ["/held/0", "/held/1"]
        crawl.hosts.release("/held/0")
        await crawl.advance()
        assert [*crawl.hosts.held] == ["/held/1", "/held/2"]
        for target in [*crawl.hosts.held]:
            crawl.hosts.release(target)
        await crawl.finish(tasks)


async def test_a_stream_uses_a_connection_until_its_end() -> None:
    async with Crawl(Rules(connections=1)) as crawl, crawl.client.stream("GET", "http://a.test/") as response:
        (task,) = crawl.get("http://a.test/")
        await crawl.advance()
        assert crawl.polite.host("a.test") == (1, 1, 1, 0, 0, False)
        assert await response.read() == b"ok"
        await crawl.advance()
        assert task.done()


@pytest.mark.parametrize("ending", ["close", "drop"])
async def test_a_stream_that_is_closed_or_dropped_frees_its_connection(ending: str) -> None:
    async with Crawl(Rules(connections=1)) as crawl:
        response = await crawl.client.stream("GET", "http://a.test/").__aenter__()
        (task,) = crawl.get("http://a.test/")
        await crawl.advance()
        assert not task.done()
        if ending == "close":
            response.close()
        del response
        await crawl.advance()
        assert task.done()


async def test_hosts_do_not_wait_for_each_other() -> None:
    async with Crawl({"slow.test": Rules(rate=0.01), "*": Rules(rate=1)}) as crawl:
        slow = crawl.get(*["http://slow.test/"] * 50)
        await crawl.finish(crawl.get(*[f"http://h{n}.test/" for n in range(50)]))
        assert crawl.clock.now() == 0
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
    assert len(crawl.hosts.starts) == 51


async def test_ports_and_schemes_of_a_host_share_its_rules() -> None:
    urls = ["http://a.test/", "https://a.test/", "http://a.test:8080/", "http://A.test./"]
    async with Crawl(Rules(rate=1)) as crawl:
        await crawl.finish(crawl.get(*urls))
    assert crawl.hosts.times() == [0, 1, 2, 3]


async def test_hosts_of_a_group_share_its_rules() -> None:
    def group(host: str) -> str:
        return host.partition(".")[2]

    async with Crawl({"example.test": Rules(rate=1)}, group_by=group) as crawl:
        await crawl.finish(crawl.get("http://a.example.test/", "http://b.example.test/", "http://c.other.test/"))
        assert crawl.polite.host("other.test").connections == 2
    assert crawl.hosts.times() == [0, 0, 1]


async def test_redirects_count_at_the_host_they_lead_to() -> None:
    def answer(target: str) -> LocalResponse:
        return LocalResponse(302, headers={"Location": "http://b.test/"}) if target == "/to-b" else LocalResponse()

    async with Crawl(Rules(rate=1), answer) as crawl:
        await crawl.finish(crawl.get("http://b.test/", "http://a.test/to-b", "http://a.test/"))
    assert [(start.at, start.host, start.target) for start in crawl.hosts.starts] == [
        (0, "b.test", "/"),
        (0, "a.test", "/to-b"),
        (1, "b.test", "/"),
        (1, "a.test", "/"),
    ]


async def test_requests_of_a_host_start_in_their_order() -> None:
    async with Crawl(Rules(rate=1)) as crawl:
        await crawl.finish(crawl.get(*[f"http://a.test/{n}" for n in range(5)]))
    assert [start.target for start in crawl.hosts.starts] == [f"/{n}" for n in range(5)]


async def test_a_response_is_a_usual_one_also_in_a_pickle() -> None:
    answer = LocalResponse(headers={"Content-Type": "text/plain", "X-A": "1"}, content="ok", trailers={"T": "2"})
    async with Crawl(Rules(), lambda _: answer) as crawl:
        (response,) = await crawl.finish(crawl.get("http://a.test/"))
        copied = pickle.loads(pickle.dumps(response))
    for each in (response, copied):
        assert (each.status, each.text, each.headers["x-a"], dict(each.trailers)) == (200, "ok", "1", {"T": "2"})
