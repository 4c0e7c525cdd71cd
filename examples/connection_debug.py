"""Debug output: the sent and received lines, secrets included."""

import argparse

import asyncclient


async def main(host: str, port: int | None = None) -> None:
    async with asyncclient.HTTPConnection(host, port) as connection:
        connection.set_debuglevel(1)
        await connection.request("GET", "/status/204")
        await connection.getresponse()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="host or host:port")
    asyncclient.run(main(parser.parse_args().host))
