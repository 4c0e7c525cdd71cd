"""Start the demo server for trying the other examples; Ctrl-C stops it."""

import argparse
import asyncio

import asyncclient
from asyncclient.testing import DemoServer


async def main(port: int) -> None:
    async with DemoServer(port=port) as server:
        print(server.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="by default, a free one")
    try:
        asyncclient.run(main(parser.parse_args().port))
    except KeyboardInterrupt:
        pass
