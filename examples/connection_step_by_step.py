"""A request step by step: request line, fields, end of the head, body."""

import argparse

import asyncclient


async def main(host: str, port: int | None = None) -> None:
    async with asyncclient.HTTPConnection(host, port) as connection:
        connection.putrequest("POST", "/echo")
        connection.putheader("Content-Type", "text/plain")
        connection.putheader("Content-Length", 12)
        await connection.endheaders()
        await connection.send(b"Hello, ")
        await connection.send(b"world")
        response = await connection.getresponse()
        print(response.status, (await response.read()).decode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="host or host:port")
    asyncclient.run(main(parser.parse_args().host))
