"""Upload of a file: the path is opened and read without blocking the event loop."""

import argparse
from pathlib import Path

import asyncclient


async def main(host: str, port: int | None, path: Path) -> None:
    async with asyncclient.HTTPConnection(host, port) as connection:
        await connection.request(
            "PUT", "/echo", path, {"Content-Type": "application/octet-stream"}
        )
        response = await connection.getresponse()
        print(response.status, (await response.read()).decode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="host or host:port")
    parser.add_argument("path", type=Path, help="what to upload")
    options = parser.parse_args()
    asyncclient.run(main(options.host, None, options.path))
