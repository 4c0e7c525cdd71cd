"""Tracing: the methods of a Tracer are called for the events of a request."""

import argparse

import asyncclient


class Printer(asyncclient.Tracer):
    def connection_opened(self, connection: asyncclient.ConnectionTrace) -> None:
        print("connected:", connection.timings.connect is not None)

    def attempt_started(self, trace: asyncclient.Trace) -> None:
        print("attempt", trace.attempt, trace.method)

    def request_resent(
        self, trace: asyncclient.Trace, resend: asyncclient.Resend
    ) -> None:
        print(f"again: {resend.reason} after status {resend.status}")

    def request_ended(
        self, trace: asyncclient.Trace, error: BaseException | None
    ) -> None:
        if error is None:
            print(f"ended: {trace.status}, {trace.received} bytes")
        else:
            print("failed:", type(error).__name__)


class Propagation(asyncclient.Tracer):
    """Sends the trace id of the program with each attempt (W3C Trace Context)."""

    def __init__(self, trace_id: str) -> None:
        self.trace_id = trace_id

    def attempt_started(self, trace: asyncclient.Trace) -> None:
        trace.add_header("traceparent", f"00-{self.trace_id}-{trace.number:016x}-01")


async def main(url: str) -> None:
    tracers = [Printer(), Propagation("0af7651916cd43dd8448eb211c80319c")]
    async with asyncclient.Client(base_url=url, tracers=tracers) as client:
        await client.get("/redirect/302/bytes/100")
        try:
            await client.get("/redirect/302/delay/3", timeout=0.3)
        except TimeoutError as exc:
            print(exc)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
