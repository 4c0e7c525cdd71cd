"""A middleware that sends an access token, and renews it once for all tasks."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable

from asyncclient import CallNext, Client, Request, Response, run


class Tokens:
    """Access tokens for URLs that begin with `api`; `fetch` returns the next one."""

    def __init__(self, api: str, fetch: Callable[[], Awaitable[str]]) -> None:
        self._api = api
        self._fetch = fetch
        self._token = ""
        self._lock = asyncio.Lock()

    async def __call__(self, request: Request, call_next: CallNext) -> Response:
        if not request.url.startswith(self._api):  # no other server gets a token
            return await call_next(request)
        token = self._token or await self._renew("")
        response = await call_next(request.replace(headers=self._build(token)))
        if response.status == 401:
            await response.aclose()  # after stream() it is not read yet
            token = await self._renew(token)
            response = await call_next(request.replace(headers=self._build(token)))
        return response

    async def _renew(self, refused: str) -> str:
        async with self._lock:
            if self._token == refused:  # otherwise another task has renewed it
                self._token = await self._fetch()
            return self._token

    def _build(self, token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}


async def main(url: str) -> None:
    fetched: list[str] = []

    async def fetch() -> str:  # a real one asks the authorization server
        fetched.append("expired" if not fetched else "valid")
        return fetched[-1]

    async with Client(base_url=url, middlewares=[Tokens(f"{url}/", fetch)]) as client:
        responses = await asyncio.gather(
            *(client.get("/bearer/valid") for _ in range(20))
        )
    print({response.status for response in responses}, fetched)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    run(main(parser.parse_args().url))
