"""Timeouts: seconds for everything together, or one for each phase."""

import argparse

import asyncclient


async def main(url: str) -> None:
    limits = asyncclient.Timeout(connect=5, tls=5, read=0.3, total=30)
    async with asyncclient.Client(base_url=url, timeout=limits) as client:
        try:
            await client.get("/delay/3")
        except asyncclient.ReadTimeout as exc:  # a TimeoutError, too
            print(exc)
        try:
            await client.get("/delay/3", timeout=0.2)  # for this one: everything together
        except TimeoutError as exc:
            print(exc)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
