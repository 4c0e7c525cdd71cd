"""A middleware that sends equal GETs once while the first of them is in progress."""

import argparse
import asyncio
from copy import copy

from asyncclient import CallNext, Client, Request, Response, run


class Coalescing:
    """Equal requests share one response: GETs without fields and options."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[Response]] = {}
        self._waiting: dict[asyncio.Task[Response], int] = {}

    async def __call__(self, request: Request, call_next: CallNext) -> Response:
        if (
            request.method != "GET"
            or request.headers
            or request.choices.cookies
            or request.payload
        ):
            return await call_next(request)
        task = self._tasks.get(request.url)
        if task is None:
            task = self._tasks[request.url] = asyncio.create_task(
                self._fetch(request, call_next)
            )
        self._waiting[task] = self._waiting.get(task, 0) + 1
        try:
            return copy(await asyncio.shield(task))
        finally:
            self._waiting[task] -= 1
            # the last one that waited was cancelled, or all have the response
            if not self._waiting[task]:
                del self._waiting[task]
                task.cancel()

    async def _fetch(self, request: Request, call_next: CallNext) -> Response:
        try:
            response = await call_next(request)
            await response.read()
            return response
        finally:
            del self._tasks[request.url]


async def main(url: str) -> None:
    async with Client(base_url=url, middlewares=[Coalescing()]) as client:
        responses = await asyncio.gather(
            *(client.get("/delay/0.1") for _ in range(100))
        )
        print(len(responses), {response.text for response in responses})
        print(client.stats().idle, "connection")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    run(main(parser.parse_args().url))
