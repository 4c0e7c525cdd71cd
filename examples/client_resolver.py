"""Host names resolved by your own code, and a cache of addresses."""

import argparse
from urllib.parse import urlsplit

import asyncclient


async def main(url: str) -> None:
    parts = urlsplit(url)
    others = asyncclient.CachingResolver(ttl=60)
    known = {"demo.test": parts.hostname or ""}
    resolver = asyncclient.StaticResolver(known, fallback=others)
    base = f"http://demo.test:{parts.port}"
    async with asyncclient.Client(base_url=base, resolver=resolver) as client:
        response = await client.get("/echo")
        print(dict(response.json()["fields"])["Host"].partition(":")[0])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
