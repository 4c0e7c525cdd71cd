"""Download to a file in pieces; only one piece is in memory."""

import argparse
from pathlib import Path

import aiofiles

import asyncclient


async def main(host: str, port: int | None, path: Path) -> None:
    async with asyncclient.HTTPConnection(host, port) as connection:
        await connection.request("GET", "/bytes/10000000")
        response = await connection.getresponse()
        async with aiofiles.open(path, "wb") as file:
            async for chunk in response.iter_chunks(256 * 1024):
                await file.write(chunk)
        print(response.status, response.getheader("Content-Type"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="host or host:port")
    parser.add_argument("path", type=Path, help="where to write")
    options = parser.parse_args()
    asyncclient.run(main(options.host, None, options.path))
