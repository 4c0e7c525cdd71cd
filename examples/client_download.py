"""Download to a file: complete and checked against its digest, or not at all."""

import argparse
from pathlib import Path

import asyncclient


async def main(url: str, path: Path) -> None:
    sizes: list[int] = []

    def show(size: int, total: int | None) -> None:
        sizes.append(size)

    # bytes per second; no limit on the total time
    timeout = asyncclient.Timeout(min_rate=1000)
    async with asyncclient.Client(base_url=url, timeout=timeout, retries=5) as client:
        large = "/bytes/10000000"
        response = await client.download(large, path, resume=True, progress=show)
    print(response.status, response.headers["Content-Type"], sizes[-1])
    print(sizes == sorted(sizes))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    parser.add_argument("path", type=Path, help="where to write")
    options = parser.parse_args()
    asyncclient.run(main(options.url, options.path))
