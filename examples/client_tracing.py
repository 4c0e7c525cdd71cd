"""Tracing: a Tracer is called at the events of a client."""

import argparse

import asyncclient


class Printer(asyncclient.Tracer):
    def connection_opened(self, label: str, timings: asyncclient.Timings) -> None:
        print("connected:", timings.connect is not None)

    def request_started(self, request: asyncclient.Request) -> None:
        print("started:", request.method)

    def request_repeated(self, request: asyncclient.Request, reason: str, seconds: float) -> None:
        print(f"again: {reason} after {seconds} s")

    def response_received(self, request: asyncclient.Request, response: asyncclient.Response) -> None:
        print("received:", response.status)

    def request_failed(self, request: asyncclient.Request, error: BaseException) -> None:
        print("failed:", type(error).__name__)


async def main(url: str) -> None:
    async with asyncclient.Client(base_url=url, tracer=Printer()) as client:
        await client.get("/redirect/302/json")
        try:
            await client.get("/redirect/302/delay/3", timeout=0.3)
        except TimeoutError as exc:
            print(exc)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
