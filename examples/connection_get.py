"""GET: a whole response, one read in pieces, and one with status 404."""

import argparse

import asyncclient


async def main(host: str, port: int | None = None) -> None:
    async with asyncclient.HTTPConnection(host, port) as connection:
        await connection.request("GET", "/json")
        response = await connection.getresponse()
        print(response.status, response.reason)
        print(await response.read())  # the whole content

        await connection.request("GET", "/bytes/1000")
        response = await connection.getresponse()
        while not response.closed:
            print(len(await response.read(300)), "bytes")  # 300 each, fewer at the end

        await connection.request("GET", "/parrot.spam")
        response = await connection.getresponse()
        print(response.status, response.reason)
        print(await response.read())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="host or host:port")
    asyncclient.run(main(parser.parse_args().host))
