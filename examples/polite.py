"""A polite client: a rate per host, pauses that hosts ask for, and robots.txt."""

import argparse
import asyncio

from asyncclient import Client, PoolTransport, run
from asyncclient.politeness import HostResting, Polite, Robots, RobotsDisallowed, Rules


async def main(url: str) -> None:
    rules = {
        "*": Rules(rate=1, connections=1),
        "127.0.0.1": Rules(rate=50, burst=5, connections=2, max_wait=10),
    }
    transport = Polite(PoolTransport(), rules, robots=Robots(agent="examplebot"))
    fields = {"User-Agent": "examplebot/1.0"}
    async with Client(transport=transport, headers=fields) as client:
        urls = [f"{url}/bytes/{size}" for size in range(20)]
        pages = await asyncio.gather(*(fetch(client, page) for page in urls))
    print(sum(len(page) for page in pages), "bytes")


async def fetch(client: Client, url: str) -> bytes:
    try:
        return (await client.get(url)).content
    except RobotsDisallowed as error:
        print(error)
    except HostResting as error:
        print(f"{error.host} can be asked again in {error.seconds:.0f} s")
    return b""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    run(main(parser.parse_args().url))
