"""Transports: an application in the same process, and a wrapper around the pool."""

import argparse
import uuid

from asyncclient import (
    Client,
    LocalResponse,
    PoolTransport,
    Routes,
    Transport,
    TransportRequest,
    TransportResponse,
    run,
)


class Greeter:
    """Answers in this process."""

    async def send(self, request: TransportRequest) -> TransportResponse:
        name = request.target.strip("/") or "nobody"
        return LocalResponse(
            headers={"Content-Type": "text/plain"}, content=f"hello, {name}"
        )

    async def aclose(self) -> None:
        pass  # nothing is open


class Numbering:
    """Adds an ID to each request, and passes it on."""

    def __init__(self, inner: Transport) -> None:
        self.inner = inner

    async def send(self, request: TransportRequest) -> TransportResponse:
        number = str(uuid.uuid4())
        changed = request.replace(headers={"X-Request-Id": number})
        response = await self.inner.send(changed)
        print(request.method, request.target, response.status)
        return response

    async def aclose(self) -> None:
        await self.inner.aclose()


async def main(url: str) -> None:
    transport = Routes({"*": Numbering(PoolTransport()), "*.internal": Greeter()})
    async with Client(transport=transport) as client:
        print((await client.get("http://greeter.internal/ada")).text)
        fields = (await client.get(f"{url}/echo")).json()["fields"]
        print("X-Request-Id" in dict(fields))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    run(main(parser.parse_args().url))
