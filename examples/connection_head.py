"""HEAD: the fields of a response without its content."""

import argparse

import asyncclient


async def main(host: str, port: int | None = None) -> None:
    async with asyncclient.HTTPConnection(host, port) as connection:
        await connection.request("HEAD", "/bytes/1000")
        response = await connection.getresponse()
        print(response.status, response.reason, response.getheader("Content-Length"))
        print(await response.read() == b"")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="host or host:port")
    asyncclient.run(main(parser.parse_args().host))
