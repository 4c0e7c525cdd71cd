"""Logging: a line for each request at INFO, a line for each step at DEBUG."""

import argparse
import logging
import sys

import asyncclient


async def main(url: str) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger = logging.getLogger("asyncclient")
    logger.addHandler(handler)
    async with asyncclient.Client(base_url=url) as client:
        logger.setLevel(logging.INFO)
        await client.get("/redirect/302/bytes/100", params={"token": "secret"})
        logger.setLevel(logging.DEBUG)
        await client.get("/bytes/100")
    logger.setLevel(logging.WARNING)
    logger.removeHandler(handler)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
