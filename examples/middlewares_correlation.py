"""A middleware that sends the correlation ID of the present task, and logs it."""

import argparse
import asyncio
import logging
import time
from contextvars import ContextVar

from asyncclient import CallNext, Client, Request, Response, run

log = logging.getLogger("example.requests")
correlation_id: ContextVar[str] = ContextVar("correlation_id")


async def correlate(request: Request, call_next: CallNext) -> Response:
    number, started = correlation_id.get(), time.monotonic()
    response = await call_next(request.replace(headers={"X-Correlation-ID": number}))
    seconds = time.monotonic() - started
    log.info("%s %s %d %.3f s", number, request.method, response.status, seconds)
    return response


async def main(url: str) -> None:
    async with Client(base_url=url, middlewares=[correlate]) as client:
        await asyncio.gather(handle(client, "a-1"), handle(client, "a-2"))


async def handle(client: Client, number: str) -> None:
    correlation_id.set(number)
    response = await client.get("/redirect/302/echo")
    print(dict(response.json()["fields"])["X-Correlation-ID"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    run(main(parser.parse_args().url))
