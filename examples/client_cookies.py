"""Cookies: kept by the client, saved to a Netscape cookie file, and loaded from it."""

import argparse
from pathlib import Path

import asyncclient


async def main(url: str, path: Path) -> None:
    cookies = {"everywhere": "yes"}
    async with asyncclient.Client(base_url=url, cookies=cookies) as client:
        await client.get("/cookies/session/s3cret")
        print((await client.get("/cookies", cookies={"once": "1"})).json())
        print(client.cookies.get("session"))
    client.cookies.save(path)

    jar = asyncclient.CookieJar()
    jar.load(path)
    async with asyncclient.Client(base_url=url, cookies=jar) as client:
        print((await client.get("/cookies")).json())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    parser.add_argument("path", type=Path, help="of the file that is written")
    options = parser.parse_args()
    asyncclient.run(main(options.url, options.path))
