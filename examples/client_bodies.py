"""Request bodies: which can be sent again, and which cannot."""

import argparse
from collections.abc import AsyncIterator

import asyncclient


async def produce() -> AsyncIterator[bytes]:
    for number in range(3):
        yield b"piece %d\n" % number


async def main(url: str) -> None:
    async with asyncclient.Client(base_url=url) as client:
        for body in (b"bytes", "text", [b"a list ", b"of bytes"], produce):
            # the body is sent again to /echo
            response = await client.put("/redirect/307/echo", body=body)
            print(response.status, response.json()["length"])
        try:
            # a generator can be read only once
            await client.put("/redirect/307/echo", body=produce())
        except asyncclient.BodyNotReplayable as exc:
            print(exc)

        blocks = (bytes(64 * 1024) for _ in range(640))  # 40 MiB; the server accepts 16
        response = await client.put("/echo", body=blocks)
        print(response.status, response.request.method)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
