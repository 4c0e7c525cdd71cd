"""Parallel requests: a connection serves one at a time, so there are several."""

import argparse
import asyncio
from collections.abc import Iterator

import asyncclient


async def work(host: str, port: int | None, targets: Iterator[str]) -> int:
    size = 0
    async with asyncclient.HTTPConnection(host, port) as connection:
        for target in targets:  # shared by all workers: each takes the next
            await connection.request("GET", target)
            response = await connection.getresponse()
            size += len(await response.read())
    return size


async def main(host: str, port: int | None = None) -> None:
    targets = (f"/bytes/{number}" for number in range(100))
    async with asyncio.TaskGroup() as group:
        workers = [group.create_task(work(host, port, targets)) for _ in range(4)]
    print(sum(worker.result() for worker in workers), "bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="host or host:port")
    asyncclient.run(main(parser.parse_args().host))
