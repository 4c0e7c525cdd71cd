"""An upgrade: after 101 the caller gets the connection and the bytes received."""

import argparse

import asyncclient


async def main(host: str, port: int | None = None) -> None:
    async with asyncclient.HTTPConnection(host, port) as connection:
        headers = {"Connection": "Upgrade", "Upgrade": "shout"}
        await connection.request("GET", "/", headers=headers)
        response = await connection.getresponse()
        if response.upgraded is None:
            print("no upgrade:", response.status, response.reason)
            return
        reader, writer = response.upgraded  # to be closed by the caller
        writer.write(b"hello\n")
        print(response.status, await reader.readline())
        writer.close()
        await writer.wait_closed()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="host or host:port")
    asyncclient.run(main(parser.parse_args().host))
