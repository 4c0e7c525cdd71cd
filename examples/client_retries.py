"""Retries: the server responds 503 for a third of a second."""

import argparse
import time

import asyncclient


async def main(url: str) -> None:
    policy = asyncclient.Retry(total=6, statuses=(429, 503), backoff=0.05, jitter=0)
    async with asyncclient.Client(base_url=url, retries=policy) as client:
        response = await client.get(f"/from/{time.time() + 0.3:.3f}")
        print(response.status, response.text.strip())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
