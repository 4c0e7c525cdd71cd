"""Timeouts: one for each phase, and one for the whole exchange."""

import argparse

import asyncclient


async def main(host: str, port: int | None = None) -> None:
    timeout = asyncclient.Timeout(connect=5, tls=5, write=10, read=0.1, total=30)
    async with asyncclient.HTTPConnection(host, port, timeout) as connection:
        try:
            await connection.request("GET", "/delay/3")
            await connection.getresponse()
        except asyncclient.ReadTimeout as exc:  # is a TimeoutError
            print(exc)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="host or host:port")
    asyncclient.run(main(parser.parse_args().host))
