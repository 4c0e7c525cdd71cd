"""A function of your own that passes the options of a request on."""

import argparse
from typing import Any, Unpack

from asyncclient import Client, Options, run


async def fetch_json(client: Client, url: str, **options: Unpack[Options]) -> Any:
    response = await client.get(url, **options)
    return response.raise_for_status().json()


async def main(url: str) -> None:
    async with Client(base_url=url) as client:
        print(await fetch_json(client, "/json", timeout=5))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    run(main(parser.parse_args().url))
