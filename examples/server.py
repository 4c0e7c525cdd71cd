"""Start the demo server for trying the other examples; Ctrl-C stops it."""

import asyncio

import asyncclient
from asyncclient.testing import DemoServer


async def main() -> None:
    async with DemoServer() as server:
        print(server.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncclient.run(main())
    except KeyboardInterrupt:
        pass
