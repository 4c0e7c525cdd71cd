"""The blocking contenders, with their defaults, one connection at a time.

Each has methods that make requests one after another and check that content was received. http.client and compat get a
new connection object where the server closes the connection, as their users would do it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import Any, Protocol
from urllib.parse import urlsplit

from benchmarks.rows import MEGABYTES_100
from benchmarks.setup import PIECE, Setup


class Client(Protocol):
    """The methods that rows name; each makes a request for each URL."""

    def get(self, urls: list[str]) -> None: ...
    def download(self, urls: list[str]) -> None: ...


class Standard:
    """http.client, or a module with its names."""

    def __init__(self, module: Any, setup: Setup) -> None:
        self._module = module
        self._context = setup.context
        self._address = urlsplit(setup.base).netloc
        self._connection = self._connect()

    def _connect(self) -> Any:
        if self._context:
            return self._module.HTTPSConnection(self._address, timeout=60, context=self._context)
        return self._module.HTTPConnection(self._address, timeout=60)

    def get(self, urls: list[str]) -> None:
        path = urlsplit(urls[0]).path
        connection = self._connection
        for _ in urls:
            if path == "/close":
                connection = self._connect()
            connection.request("GET", path)
            assert connection.getresponse().read()
            if path == "/close":
                connection.close()

    def download(self, urls: list[str]) -> None:
        for url in urls:
            self._connection.request("GET", urlsplit(url).path)
            response = self._connection.getresponse()
            received = 0
            while piece := response.read(PIECE):
                received += len(piece)
            assert received == MEGABYTES_100

    def close(self) -> None:
        self._connection.close()


def open_standard(name: str) -> Callable[[Setup], AbstractContextManager[Client]]:
    """Return a function that opens http.client, or a module with its names."""

    @contextmanager
    def opened(setup: Setup) -> Iterator[Client]:
        standard = Standard(import_module(name), setup)
        yield standard
        standard.close()

    return opened


class Ours:
    """asyncclient.blocking.Client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def get(self, urls: list[str]) -> None:
        for url in urls:
            assert self._client.get(url).content

    def download(self, urls: list[str]) -> None:
        for url in urls:
            with self._client.stream("GET", url) as response:
                received = sum(map(len, response.iter_chunks(PIECE)))
            assert received == MEGABYTES_100


@contextmanager
def open_ours(setup: Setup) -> Iterator[Client]:
    """Open asyncclient's blocking client."""
    from asyncclient.blocking import client

    with client.Client(ssl=setup.context) as opened:
        yield Ours(opened)


class Urllib3:
    """urllib3.PoolManager."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    def get(self, urls: list[str]) -> None:
        for url in urls:
            assert self._pool.request("GET", url).data

    def download(self, urls: list[str]) -> None:
        for url in urls:
            response = self._pool.request("GET", url, preload_content=False)
            received = sum(map(len, response.stream(PIECE)))
            response.release_conn()
            assert received == MEGABYTES_100


@contextmanager
def open_urllib3(setup: Setup) -> Iterator[Client]:
    """Open urllib3's client."""
    import urllib3

    with urllib3.PoolManager(ssl_context=setup.context) as pool:
        yield Urllib3(pool)


class Session:
    """requests.Session, or that of niquests."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def get(self, urls: list[str]) -> None:
        for url in urls:
            assert self._session.get(url).content

    def download(self, urls: list[str]) -> None:
        for url in urls:
            response = self._session.get(url, stream=True)
            received = sum(map(len, response.iter_content(PIECE)))
            assert received == MEGABYTES_100


def open_session(name: str) -> Callable[[Setup], AbstractContextManager[Client]]:
    """Return a function that opens the session of requests or niquests."""

    @contextmanager
    def opened(setup: Setup) -> Iterator[Client]:
        with import_module(name).Session() as session:
            session.verify = setup.cafile or True
            yield Session(session)

    return opened


CLIENTS: dict[str, Callable[[Setup], AbstractContextManager[Client]]] = {
    "http.client": open_standard("http.client"),
    "compat": open_standard("compat.client"),
    "asyncclient.blocking": open_ours,
    "urllib3": open_urllib3,
    "requests": open_session("requests"),
    "niquests": open_session("niquests"),
}
