"""Lower limits for a server that is not trusted."""

import argparse

import asyncclient

LIMITS = asyncclient.Limits(line=1024, head=4096, fields=3, interim=2)


async def main(host: str, port: int | None = None) -> None:
    async with asyncclient.HTTPConnection(host, port, limits=LIMITS) as connection:
        try:
            await connection.request("GET", "/json")
            await connection.getresponse()
        except asyncclient.ProtocolError as exc:
            print(exc)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="host or host:port")
    asyncclient.run(main(parser.parse_args().host))
