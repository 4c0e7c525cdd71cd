"""The servers of tests/servers.py as fixtures: one of each for the whole run, a CONNECT proxy per test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.servers import App, Caddy, Certificates, ConnectProxy, ProxyPy
from tests.socks_server import SECRET, PProxy


@pytest.fixture(scope="session")
def tls() -> Certificates:
    """A certificate authority: .server_context(*names), .client_context(), and bad ones to refuse."""
    return Certificates()


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An ASGI application under uvicorn: /echo, /stream/N, /empty, /too-large, /events/N."""
    with App.started(tmp_path_factory.mktemp("app")) as server:
        yield server


@pytest.fixture(scope="session")
def caddy(tmp_path_factory: pytest.TempPathFactory, tls: Certificates, app: App) -> Iterator[Caddy]:
    """Caddy, plain (.url) and over TLS (.tls_url): files, gzip, zstd, and the application behind /app/."""
    with Caddy.started(tmp_path_factory.mktemp("caddy"), tls, app) as server:
        yield server


@pytest.fixture(scope="session")
def proxy_py(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyPy]:
    """The proxy proxy.py: CONNECT, and plain HTTP by absolute-form targets."""
    with ProxyPy.started(tmp_path_factory.mktemp("proxy")) as server:
        yield server


@pytest.fixture(scope="module")
def pproxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PProxy]:
    """The proxy pproxy, for SOCKS."""
    with PProxy.started(tmp_path_factory.mktemp("pproxy")) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def strict_pproxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PProxy]:
    """The same, which demands credentials: ali and SECRET."""
    with PProxy.started(tmp_path_factory.mktemp("strict"), f"ali:{SECRET}") as proxy:
        yield proxy


@pytest.fixture
def connect_proxy() -> Iterator[Callable[..., ConnectProxy]]:
    """Start a CONNECT proxy that ends with the test: connect_proxy(tls=…, credentials=…, answer=…)."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(ConnectProxy(**options))
