"""Timeouts: seconds for the whole request, or for each phase."""

import argparse

import asyncclient


async def main(url: str) -> None:
    timeout = asyncclient.Timeout(connect=5, tls=5, read=0.3, total=30)
    async with asyncclient.Client(base_url=url, timeout=timeout) as client:
        try:
            await client.get("/delay/3")
        except asyncclient.ReadTimeout as exc:  # is a TimeoutError
            print(exc)
        try:
            await client.get("/delay/3", timeout=0.2)  # for this request, in total
        except TimeoutError as exc:
            print(exc)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
