"""A crawl over the workers of a dask cluster: here two processes, or any others."""

import argparse
import asyncio

from dask.distributed import Client, LocalCluster

from asyncclient.contrib.dask import ClusterCrawler
from asyncclient.crawl import Page
from asyncclient.politeness import Rules


async def main(urls: list[str], scheduler: str | None) -> None:
    if scheduler is not None:
        async with Client(scheduler, asynchronous=True) as client:
            await crawl(client, urls)
        return
    async with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", asynchronous=True
        ) as cluster,
        Client(cluster, asynchronous=True) as client,
    ):
        await crawl(client, urls)


async def crawl(client: Client, urls: list[str]) -> None:
    rules = Rules(rate=20, burst=5, connections=2)
    async with ClusterCrawler(
        client,
        agent="examplebot/1.0",
        rules=rules,
        on_page=find_type,
        links=True,
        max_depth=1,
    ) as crawler:
        await crawler.add(urls)
        async for page in crawler:
            await crawler.add_links(page)
            print(page.status, page.size, page.value, page.reason or page.url)
    print(crawler.stats().pages, "pages")


def find_type(page: Page) -> str:
    """Runs on the worker, where the content is; the result travels."""
    return page.response.headers.get("content-type", "") if page.response else ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("urls", nargs="+", metavar="URL", help="where the crawl begins")
    parser.add_argument(
        "--scheduler", help="of a cluster that runs, such as tcp://10.0.0.1:8786"
    )
    options = parser.parse_args()
    asyncio.run(main(options.urls, options.scheduler))
