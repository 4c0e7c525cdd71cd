"""A thousand requests at once over ten connections."""

import argparse
import asyncio

import asyncclient


async def main(url: str) -> None:
    pool = asyncclient.PoolLimits(connections=10)
    async with asyncclient.Client(base_url=url, pool=pool) as client:
        requests = [client.get(f"/bytes/{number}") for number in range(1000)]
        responses = await asyncio.gather(*requests)
        print(sum(len(response.content) for response in responses), "bytes")
        reused = sum(response.timings.reused for response in responses)
        print(reused, "on a reused connection")
        print(client.stats().idle, "idle connections")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
