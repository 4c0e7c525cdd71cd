"""A client for a server on a Unix socket, such as Docker's."""

import argparse

import asyncclient


async def main(path: str, url: str = "http://docker/version") -> None:
    async with asyncclient.Client(socket_path=path) as client:
        response = await client.get(url)
        print(response.status, response.json())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", help="of the socket")
    parser.add_argument("url", nargs="?", default="http://docker/version")
    options = parser.parse_args()
    asyncclient.run(main(options.path, options.url))
