"""Bodies of unknown length, and a response before the whole body was read."""

import argparse
import json
from collections.abc import AsyncIterator

import asyncclient


async def produce(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield bytes(64 * 1024)


async def main(host: str, port: int | None = None) -> None:
    async with asyncclient.HTTPConnection(host, port) as connection:
        # sent in chunks
        await connection.request("POST", "/echo", [b"a list ", b"of ", b"bytes"])
        response = await connection.getresponse()
        print(response.status, json.loads(await response.read())["length"])

        # the body must have exactly this length
        headers = {"Content-Length": 4 * 64 * 1024}
        await connection.request("POST", "/echo", produce(4), headers)
        response = await connection.getresponse()
        print(response.status, json.loads(await response.read())["length"])

        # 40 MiB; the server accepts 16
        await connection.request("POST", "/echo", produce(640))
        response = await connection.getresponse()
        print(response.status, response.reason, await response.read())
        print(response.will_close)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="host or host:port")
    asyncclient.run(main(parser.parse_args().host))
