"""An archive of exchanges in the format WARC 1.1, and its records."""

import argparse
import tempfile

from warcio.archiveiterator import ArchiveIterator

from asyncclient import Client, PoolTransport, run
from asyncclient.crawl import WARC


async def main(url: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with (
            WARC(f"{directory}/example", info={"operator": "Example Archive"}) as warc,
            Client(transport=warc.record(PoolTransport())) as client,
        ):
            for path in ("/bytes/100", "/redirect/302/gzip", "/bytes/100"):
                await client.get(url + path)
        for name in warc.paths:
            show(name)


def show(name: str) -> None:
    with open(name, "rb") as file:
        for record in ArchiveIterator(file):
            print(
                record.rec_type, record.http_headers and record.http_headers.statusline
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    run(main(parser.parse_args().url))
