"""An HTTP cache in front of the connections, in memory or in a file."""

import argparse

from asyncclient import Client, PoolTransport, run
from asyncclient.cache import CacheTransport, MemoryStore


async def main(url: str) -> None:
    # A file, for several processes: SQLiteStore("cache.sqlite", max_size=1024**3).
    cache = CacheTransport(PoolTransport(), MemoryStore(max_size=16 * 1024 * 1024))
    async with Client(base_url=url, transport=cache) as client:
        first = await client.get("/cached/60")
        second = await client.get("/cached/60")  # no request is sent
        print(second.text == first.text)

        # the server has to confirm it, and answers 304
        headers = {"Cache-Control": "no-cache"}
        print((await client.get("/cached/60", headers=headers)).text == first.text)
        print(cache.stats())

        headers = {"Cache-Control": "only-if-cached"}
        print((await client.get("/cached/1", headers=headers)).status)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    run(main(parser.parse_args().url))
