"""A server on a Unix socket; the host appears only in requests."""

import argparse

import asyncclient


async def main(path: str, target: str = "/") -> None:
    async with asyncclient.HTTPConnection("localhost", socket_path=path) as connection:
        await connection.request("GET", target)
        response = await connection.getresponse()
        print(response.status, await response.read())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", help="of the socket")
    parser.add_argument("target", nargs="?", default="/")
    options = parser.parse_args()
    asyncclient.run(main(options.path, options.target))
