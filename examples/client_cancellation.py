"""Cancelling one of several requests: the others continue, nothing is mixed up."""

import argparse
import asyncio

import asyncclient


async def main(url: str) -> None:
    async with asyncclient.Client(base_url=url) as client:
        slow = asyncio.create_task(client.get("/delay/3"))
        fast = asyncio.create_task(client.get("/delay/0.1"))
        print((await fast).text.strip())
        print(client)
        slow.cancel()
        await asyncio.wait([slow])
        print(slow.cancelled(), client)
        print((await client.get("/json")).status)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
