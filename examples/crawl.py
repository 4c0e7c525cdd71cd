"""Crawl a site politely, with a table of hosts on the terminal."""

import argparse
from pathlib import Path

from asyncclient import run
from asyncclient.crawl import Crawler, Progress, describe
from asyncclient.politeness import Rules

AGENT = "examplebot/1.0 (+https://example.com/bot)"
RULES = {"*": Rules(rate=1), "127.0.0.1": Rules(rate=200, burst=20, connections=4)}


async def main(url: str, frontier: Path | None = None) -> None:
    crawler = Crawler(agent=AGENT, frontier=frontier, rules=RULES, max_depth=5)
    async with crawler, Progress(crawler):
        await crawler.add(f"{url}/site/50/0")
        async for page in crawler:
            if page.ok:
                await crawler.add_links(page)
            else:
                print(page.url, page.reason)
    stats = crawler.stats()
    print(f"{stats.pages} pages, {stats.errors} errors")
    if stats.waiting:
        print(describe(stats))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    parser.add_argument(
        "--frontier",
        type=Path,
        help="a file for the URLs: the next run goes on with them",
    )
    options = parser.parse_args()
    run(main(options.url, options.frontier))
