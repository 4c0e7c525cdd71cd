"""SOCKS proxies: asking a proxy for a tunnel, over a socket that is already connected to it.

python-socks implements the protocol. Its mechanism for chains of proxies, `forward`, takes an object whose `connect`
returns a socket; here that is the socket which our own race has connected. python-socks reads no byte beyond the
proxy's reply, so no stray byte can be taken for the start of the target's TLS.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import socket
from typing import Any, Final, NamedTuple

from ..errors import ConnectTimeout, HTTPException, ProxyError, clip
from ..message.target import build_authority, check_host, encode_host
from ..timeouts import Timeout
from .address import parse_literal
from .aio import AioStream
from .deadlines import TimeLimit
from .resolve import Resolver, resolve

KINDS: Final = ("socks4", "socks4a", "socks5", "socks5h")
_RESOLVING_PROXIES: Final = ("socks4a", "socks5h")


class _Socks(NamedTuple):
    kind: str
    username: str | None
    password: str | None


class Socks(_Socks):
    """A SOCKS proxy's version and credentials; its repr does not show the user.

    Args:
        kind: with "socks4" and "socks5" names are resolved here, with "socks4a" and "socks5h" by the proxy.
        username: for SOCKS5 (RFC 1929) only together with a password; for SOCKS4, which has no password, the user id.
        password: see username.

    Raises:
        ImportError: python-socks is not installed.
        ValueError: the kind is unknown; or user or password are not ASCII, longer than 255, or one is missing.
    """

    __slots__ = ()

    def __new__(cls, kind: str, username: str | None = None, password: str | None = None) -> Socks:
        """Check the arguments."""
        if kind not in KINDS:
            raise ValueError(f"expected {', '.join(KINDS)} as kind of SOCKS proxy, got {clip(kind)}")
        if importlib.util.find_spec("python_socks") is None:
            raise ImportError("SOCKS needs the extra asyncclient-http[socks]")
        for text in (username or "", password or ""):
            if not text.isascii() or len(text) > 255 or "\0" in text:
                raise ValueError("expected ASCII, 255 characters at most, as user and password of a SOCKS proxy")
        if kind.startswith("socks5") and bool(username) != bool(password):
            raise ValueError("expected both user and password, or neither, for a SOCKS5 proxy (RFC 1929)")
        return super().__new__(cls, kind, username, password)

    @property
    def is_v4(self) -> bool:
        """True for SOCKS4 and 4a, which have no IPv6."""
        return self.kind.startswith("socks4")

    def __repr__(self) -> str:
        return f"<Socks {self.kind}{' with credentials' if self.username else ''}>"


async def open_socks(
    sock: socket.socket,
    socks: Socks,
    proxy: str,
    target: tuple[str, int],
    timeout: Timeout,
    resolver: Resolver | None = None,
) -> socket.socket:
    """Ask a proxy for a tunnel to a target, and return the socket, which is then the tunnel; it is closed on any error.

    Args:
        sock: non-blocking socket connected to the proxy.
        proxy: its host and port, for messages.
        target: host and port.
        timeout: its `connect` limits resolving the target and asking the proxy together.
        resolver: for a target that the proxy does not resolve.

    Raises:
        ProxyError: the proxy refused, closed, or does not use SOCKS; or SOCKS4 was asked for IPv6.
        ConnectTimeout: it took too long.
        ConnectError: the target has no address.
    """
    try:
        await _open(_Connected(sock), "python_socks.async_.asyncio", socks, proxy, target, timeout, resolver)
    except BaseException:
        sock.close()
        raise
    return sock


async def ask_on_stream(
    stream: AioStream, socks: Socks, target: tuple[str, int], timeout: Timeout, resolver: Resolver | None = None
) -> None:
    """Ask the proxy at the end of a stream for a tunnel to a target; the stream is then the tunnel.

    Raises:
        ProxyError: as for open_socks(); or the proxy sent more than its reply, which could be taken for data of the
            target.
        ConnectTimeout, ConnectError: see open_socks().
    """
    stream.timeout = Timeout.each(None)
    await _open(_Stream(stream), "python_socks.async_.asyncio.v2", socks, stream.peer, target, timeout, resolver)
    if await stream.wait_readable(0):
        raise ProxyError(f"{_describe_failure(target, stream.peer)}: the proxy sent more than its reply, or closed")
    stream.timeout = timeout


def _describe_failure(target: tuple[str, int], proxy: str) -> str:
    return f"no tunnel to {build_authority(*target)} through {proxy}"


async def _open(
    forward: object,
    module: str,
    socks: Socks,
    proxy: str,
    target: tuple[str, int],
    timeout: Timeout,
    resolver: Resolver | None,
) -> None:
    """Ask a proxy for a tunnel.

    Args:
        forward: the connection to the proxy, as the preceding proxy in the chain of python-socks.
        module: of the class in python-socks that takes such a connection.
    """
    failure = _describe_failure(target, proxy)

    def build_error(seconds: float) -> ConnectTimeout:
        return ConnectTimeout(f"{failure} in {seconds:g} s", "proxy", seconds)

    with TimeLimit(timeout.connect, build_error):
        host, port = await _choose_address(socks, target, resolver)
        if socks.is_v4 and ":" in host:
            raise ProxyError(f"{failure}: SOCKS4 knows IPv4 addresses only")
        await _ask(forward, module, socks, host, port, failure)


async def _choose_address(socks: Socks, target: tuple[str, int], resolver: Resolver | None) -> tuple[str, int]:
    """Return the name or address to send to the proxy, and the port.

    An IPv4 address is preferred: many proxies have no IPv6, and after a refusal another address can't be tried on the
    same connection.
    """
    host, port = target
    check_host(host)  # a NUL would end the name early
    name = encode_host(host)
    if parse_literal(name, port) is not None:
        return name, port
    if socks.kind in _RESOLVING_PROXIES:
        return name, port
    infos = await resolve(name, port, resolver)
    address, port, *_ = min(infos, key=lambda info: info[0] != socket.AF_INET)[4]
    return address.partition("%")[0], port


class _Connected:
    """Stands for the preceding proxy in python-socks' chain: its connection to our proxy exists already."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    async def connect(self, dest_host: str, dest_port: int, timeout: float | None = None) -> socket.socket:
        return self._sock


class _Stream:
    """Stands for the preceding proxy, and for its stream, over a stream of ours."""

    def __init__(self, stream: AioStream) -> None:
        self._stream = stream

    async def connect(self, dest_host: str, dest_port: int) -> _Stream:
        return self

    async def write(self, data: bytes) -> None:
        self._stream.write(data)

    async def read_exactly(self, n: int) -> bytes:
        return await self._stream.readexactly(n)

    async def close(self) -> None:
        """Do nothing: the caller aborts the stream."""


async def _ask(forward: object, module: str, socks: Socks, host: str, port: int, failure: str) -> None:
    # Imported on use: 20 ms, and optional.
    import python_socks

    kind = python_socks.ProxyType.SOCKS4 if socks.is_v4 else python_socks.ProxyType.SOCKS5
    proxy_class: Any = importlib.import_module(module).Proxy
    # rdns=True: python-socks must not resolve names; a name left here is for the proxy to resolve.
    client = proxy_class(kind, "", 0, socks.username, socks.password, rdns=True, forward=forward)
    try:
        # The time limit is ours: without one of its own, python-socks would have 60 s.
        await client.connect(host, port, timeout=math.inf)
    except (python_socks.ProxyError, HTTPException, OSError, ValueError) as exc:
        # ValueError: a name too long, a malformed reply. HTTPException: of our own stream.
        raise ProxyError(f"{failure}: {exc}") from exc
