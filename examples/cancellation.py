"""Cancel a request in the queue, an upload and a download; end a stream early."""

import argparse
import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncclient


async def cancel_in_the_queue(client: asyncclient.Client) -> None:
    slow = asyncio.create_task(client.get("/delay/9"))
    waiting = [asyncio.create_task(client.get("/json")) for _ in range(2)]
    await asyncio.sleep(0.1)  # one request has the connection, two are in the queue
    waiting[0].cancel()  # leaves the queue; the other requests do not notice
    slow.cancel()  # was sent: its connection is dropped, and the queue gets another one
    print((await waiting[1]).status, waiting[0].cancelled(), client.stats().waiting)


async def cancel_an_upload(client: asyncclient.Client) -> None:
    async def read_lines() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"a line\n"
                await asyncio.sleep(0.01)
        finally:
            print("the body is closed")

    try:
        async with asyncio.timeout(0.1):
            await client.put("/echo", body=read_lines())
    except TimeoutError:
        print("the upload was cancelled;", client.stats().active, "in use")


async def end_a_stream_early(client: asyncclient.Client) -> None:
    async with client.stream("GET", "/bytes/100000000") as response:
        async for _ in response.iter_chunks():
            break  # enough; at the end of the block the connection is dropped
    print((await client.get("/json")).status)


async def cancel_a_download(client: asyncclient.Client, path: Path) -> None:
    async def download() -> None:
        task = asyncio.current_task()
        assert task
        await client.download("/bytes/9000000", path, progress=lambda *_: task.cancel())

    await asyncio.wait([asyncio.create_task(download())])
    print("files:", [file.name for file in path.parent.iterdir()])


async def main(url: str) -> None:
    pool = asyncclient.PoolLimits(connections=1)
    async with asyncclient.Client(base_url=url, pool=pool) as client:
        await cancel_in_the_queue(client)
        await cancel_an_upload(client)
        await end_a_stream_early(client)
        with TemporaryDirectory() as folder:
            await cancel_a_download(client, Path(folder, "file"))
        print(client)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
