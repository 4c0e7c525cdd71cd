"""Bodies: what can be sent twice, and what can't."""

import argparse
from collections.abc import AsyncIterator

import asyncclient


async def produce() -> AsyncIterator[bytes]:
    for number in range(3):
        yield b"piece %d\n" % number


async def main(url: str) -> None:
    async with asyncclient.Client(base_url=url) as client:
        for body in (b"bytes", "text", [b"a list ", b"of bytes"], produce):
            response = await client.put("/redirect/307/echo", body=body)  # the same body again, there
            print(response.status, response.json()["length"])
        try:
            await client.put("/redirect/307/echo", body=produce())  # begun by the first sending, and gone
        except asyncclient.BodyNotReplayable as exc:
            print(exc)

        response = await client.put("/echo", body=(bytes(64 * 1024) for _ in range(640)))  # 40 MiB; it takes 16
        print(response.status, response.request.method)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
