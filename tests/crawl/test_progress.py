"""The progress of a crawl on a terminal, and in a sentence."""

import io

import pytest

from asyncclient.crawl import CrawlStats, HostStats, Progress, describe
from asyncclient.crawl.progress import build_table, show_seconds, show_size
from tests.crawl.sites import page_with, site
from tests.crawl.test_crawler import crawler_of

STATS = CrawlStats(
    seconds=100.0,
    pages=12345,
    errors=6,
    retries=7,
    redirects=8,
    bytes=9_870_000,
    running=1,
    ready=2,
    waiting=3000,
    done=4,
    failed=5,
    hosts=6,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


async def draw(file: io.StringIO) -> str:
    crawler = crawler_of(site({"http://a.test/": page_with()}))
    async with crawler, Progress(crawler, file=file):
        await crawler.add("http://a.test/")
        await crawler.run()
    return file.getvalue()


async def test_a_table_is_drawn_on_a_terminal() -> None:
    assert "URLs wait" in await draw(Terminal())


async def test_no_table_is_drawn_without_a_terminal() -> None:
    assert await draw(io.StringIO()) == ""


@pytest.mark.parametrize("columns", [40, 60, 110, 200])
def test_the_table_fits_the_terminal(columns: int) -> None:
    from rich.console import Console

    console = Console(file=io.StringIO(), width=columns, force_terminal=False)
    long_name = f"{'a' * 60}.example.com"
    hosts = [HostStats(long_name, 128, 2, 1234, 5, 0.0), HostStats("b", 0, 1, 2, 3, 12.34)]
    console.print(build_table(STATS, hosts, columns))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= columns
    assert any("12.3 s" in line for line in lines)
    assert any("1,234" in line for line in lines)


def test_figures_are_described() -> None:
    assert describe(STATS) == ("12,345 pages in 1:40 (123.5/s), 9.9 MB, 6 errors, 7 retries, 3,000 URLs wait")


def test_the_number_one_is_described_in_the_singular() -> None:
    text = describe(STATS._replace(pages=1, errors=1, retries=1, waiting=1))
    assert text == "1 page in 1:40 (0.0/s), 9.9 MB, 1 error, 1 retry, 1 URL waits"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 KB"), (2.5e9, "2.5 GB"), (3e15, "3000.0 TB")],
)
def test_sizes_have_units(size: float, text: str) -> None:
    assert show_size(size) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0.0 s"), (59.9, "59.9 s"), (61, "1:01"), (3661, "1:01:01")])
def test_durations_are_short(seconds: float, text: str) -> None:
    assert show_seconds(seconds) == text
