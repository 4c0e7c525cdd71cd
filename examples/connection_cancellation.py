"""Cancellation ends an exchange; the next request gets its own response."""

import argparse
import asyncio

import asyncclient


async def main(host: str, port: int | None = None) -> None:
    async with asyncclient.HTTPConnection(host, port) as connection:
        try:
            async with asyncio.timeout(0.1):
                await connection.request("GET", "/delay/3")
                await connection.getresponse()
        except TimeoutError:
            print(connection)  # closed, so the late response is discarded
        await connection.request("GET", "/json")  # reconnects
        response = await connection.getresponse()
        print(response.status, response.reason)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="host or host:port")
    asyncclient.run(main(parser.parse_args().host))
