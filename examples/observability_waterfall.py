"""A waterfall: the phases of requests that share connections."""

import argparse
import asyncio

import asyncclient
from asyncclient.contrib.waterfall import Waterfall, as_svg, as_text


async def main(url: str) -> None:
    waterfall = Waterfall()
    pool = asyncclient.PoolLimits(per_host=2)
    async with asyncclient.Client(
        base_url=url, pool=pool, tracers=[waterfall]
    ) as client:
        paths = ["/redirect/302/json", "/delay/0.05", "/bytes/100000", "/bytes/10"]
        await asyncio.gather(*map(client.get, paths))
    print(as_text(waterfall.bars, width=88))
    print(as_svg(waterfall.bars).startswith("<svg"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
