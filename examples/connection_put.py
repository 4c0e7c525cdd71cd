"""PUT: a body as bytes, or as a str, which is sent in ISO-8859-1."""

import argparse

import asyncclient


async def main(host: str, port: int | None = None) -> None:
    async with asyncclient.HTTPConnection(host, port) as connection:
        await connection.request("PUT", "/echo", "***filecontents***")
        response = await connection.getresponse()
        print(response.status, response.reason)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="host or host:port")
    asyncclient.run(main(parser.parse_args().host))
