"""An origin in this process: a transport that answers by target, and a client with a cache in front of it."""

import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from asyncclient import Client, LocalResponse, Response, TransportRequest
from asyncclient.cache import CacheTransport

URL = "http://a.test"

Answer = LocalResponse | Exception | Callable[[TransportRequest], LocalResponse]


def date(ago: float = 0.0) -> str:
    """The date that many seconds ago."""
    return formatdate(time.time() - ago, usegmt=True)


def answer(content: str = "content", /, ago: float = 0.0, status: int = 200, **fields: str) -> LocalResponse:
    """A response that was made that many seconds ago; `cache_control="max-age=9"` is a field."""
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    return LocalResponse(status, headers={"Date": date(ago), **headers}, content=content)


class Origin:
    """A transport whose answers are taken from a table by target, in order, the last one again and again."""

    def __init__(self, **answers: Answer | list[Answer]) -> None:
        self.answers = {f"/{name}": [*given] if isinstance(given, list) else [given] for name, given in answers.items()}
        self.requests: list[TransportRequest] = []
        self.is_closed = False

    async def send(self, request: TransportRequest) -> LocalResponse:
        self.requests.append(request)
        answers = self.answers[request.target.partition("?")[0]]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(found, Exception):
            raise found
        return found(request) if callable(found) else found.copy(content=b"" if request.method == "HEAD" else None)

    async def aclose(self) -> None:
        self.is_closed = True

    def list_fields(self, name: str) -> list[str | None]:
        """Return the values of a field in all requests."""
        return [request.headers.get(name) for request in self.requests]


class Cached(Client):
    """A client with a cache in front of an origin."""

    def __init__(self, origin: Origin, *, store: Any = None, shared: bool = False, **options: Any) -> None:
        self.cache = CacheTransport(origin, store, shared=shared, max_entry_size=options.pop("max_entry_size", 1000))
        super().__init__(base_url=URL, transport=self.cache, **options)

    async def read(self, target: str, **directives: str) -> Response:
        """GET a target, with the directives as Cache-Control."""
        headers = {name.replace("_", "-"): value for name, value in directives.items()}
        return await self.get(target, headers=headers or None)
