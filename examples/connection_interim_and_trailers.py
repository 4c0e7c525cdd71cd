"""Early hints before the content, trailers after it, and timings."""

import argparse

import asyncclient


async def main(host: str, port: int | None = None) -> None:
    async with asyncclient.HTTPConnection(host, port) as connection:
        await connection.request("GET", "/early-hints")
        async with await connection.getresponse() as response:
            for interim in response.interim:
                print(interim.status, interim.reason, interim.headers["Link"])

        await connection.request("GET", "/chunked/100000")
        async with await connection.getresponse() as response:
            size = len(await response.read())
            print(size, response.trailers)  # None until all content was read
            print(response.timings.reused, response.timings)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="host or host:port")
    asyncclient.run(main(parser.parse_args().host))
