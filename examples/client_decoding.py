"""Compressed content: decoded, left encoded, and limited in size."""

import argparse

import asyncclient


async def main(url: str) -> None:
    async with asyncclient.Client(base_url=url, max_body_size=64 * 1024) as client:
        response = await client.get("/gzip")
        print(response.headers["Content-Encoding"], response.headers["Content-Length"])
        print(len(response.content))
        response = await client.get("/gzip", decode=False)
        print(len(response.content))
        for path in ("/bytes/1000000", "/chunked/1000000"):
            # with Content-Length, and without
            try:
                await client.get(path)
            except asyncclient.ContentTooLarge as exc:
                print(exc)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
