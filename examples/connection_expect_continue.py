"""Expect: 100-continue: the body is sent after 100 Continue, or after a second."""

import argparse

import asyncclient


async def main(host: str, port: int | None = None) -> None:
    async with asyncclient.HTTPConnection(
        host, port, asyncclient.Timeout(expect=1.0)
    ) as connection:
        await connection.request(
            "PUT", "/echo", bytes(1_000_000), {"Expect": "100-continue"}
        )
        response = await connection.getresponse()
        print([interim.status for interim in response.interim], response.status)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="host or host:port")
    asyncclient.run(main(parser.parse_args().host))
