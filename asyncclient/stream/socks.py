"""SOCKS proxies: asking one, over a socket that is connected to it, for a way to the target.

python-socks speaks the protocol. Its way to chain proxies, `forward`, takes what has a `connect` that returns a socket:
here that is the socket which our own race has connected. It reads no byte beyond the proxy's answer, so that nothing
is left over which could pass for the beginning of a target's TLS.
"""

from __future__ import annotations

import importlib.util
import socket
from typing import Any, Final, NamedTuple

from ..errors import ConnectTimeout, ProxyError, clip
from ..message.target import build_authority, check_host, encode_host
from ..timeouts import Timeout
from .address import parse_literal
from .resolve import Resolver, resolve
from .scope import TimeLimit

KINDS: Final = ("socks4", "socks4a", "socks5", "socks5h")
_RESOLVING_PROXIES: Final = ("socks4a", "socks5h")

_FOREVER: Final = 24 * 3600.0
"""Seconds for python-socks' own clock, out of the way of ours: it would stop after 60 s."""


class _Socks(NamedTuple):
    kind: str
    username: str | None
    password: str | None


class Socks(_Socks):
    """How a SOCKS proxy is asked; its repr does not show who asks.

    Args:
        kind: "socks4" and "socks5" have a name resolved here, "socks4a" and "socks5h" by the proxy.
        username: for SOCKS5 (RFC 1929) never without a password; for SOCKS4, which knows no password, the user's id.
        password: see username.

    Raises:
        ImportError: python-socks is not installed.
        ValueError: it is another kind; or user and password are not in ASCII, longer than 255, one without the other.
    """

    __slots__ = ()

    def __new__(cls, kind: str, username: str | None = None, password: str | None = None) -> Socks:
        """Check what is given."""
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
        """Whether it is SOCKS4 or 4a, which know no IPv6."""
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
    """Ask a proxy for the way to a target, and return the socket, which leads there then; it is closed on any error.

    Args:
        sock: connected to the proxy; it does not block.
        proxy: its host and port, for messages.
        target: host and port.
        timeout: its `connect` holds for resolving the target and asking the proxy together.
        resolver: for the target, where the proxy does not resolve it.

    Raises:
        ProxyError: the proxy refused, closed, or does not speak SOCKS; or SOCKS4 is asked for IPv6.
        ConnectTimeout: it took too long.
        ConnectError: the target has no address.
    """
    failure = f"no tunnel to {build_authority(*target)} through {proxy}"

    def build_error(seconds: float) -> ConnectTimeout:
        return ConnectTimeout(f"{failure} in {seconds:g} s", "proxy", seconds)

    try:
        async with TimeLimit(timeout.connect, build_error):
            host, port = await _choose_address(socks, target, resolver)
            if socks.is_v4 and ":" in host:
                raise ProxyError(f"{failure}: SOCKS4 knows IPv4 addresses only")
            return await _ask(sock, socks, host, port, failure)
    except BaseException:
        sock.close()
        raise


async def _choose_address(socks: Socks, target: tuple[str, int], resolver: Resolver | None) -> tuple[str, int]:
    """Return what the proxy is told: a name or an address, and a port.

    Of several addresses it is an IPv4 one, if there is any: a proxy without IPv6 is common, and after a refusal there
    is no second try on the same connection.
    """
    host, port = target
    check_host(host)  # a NUL would end a name early
    name = encode_host(host)
    if parse_literal(name, port) is not None:
        return name, port
    if socks.kind in _RESOLVING_PROXIES:
        return name, port
    infos = await resolve(name, port, resolver)
    address, port, *_ = min(infos, key=lambda info: info[0] != socket.AF_INET)[4]
    return address.partition("%")[0], port


class _Connected:
    """The proxy before ours in python-socks' chain: the way to ours is there already."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    async def connect(self, dest_host: str, dest_port: int, timeout: float | None = None) -> socket.socket:
        return self._sock


async def _ask(sock: socket.socket, socks: Socks, host: str, port: int, failure: str) -> socket.socket:
    # Only here: 20 ms, and an extra.
    import python_socks
    from python_socks.async_.asyncio import Proxy

    kind = python_socks.ProxyType.SOCKS4 if socks.is_v4 else python_socks.ProxyType.SOCKS5
    forward: Any = _Connected(sock)
    # rdns: it must resolve nothing itself, what is a name by now is for the proxy to resolve.
    asked = Proxy(kind, "", 0, socks.username, socks.password, rdns=True, forward=forward)
    try:
        return await asked.connect(host, port, timeout=_FOREVER)
    except (python_socks.ProxyError, OSError, ValueError) as exc:  # ValueError: a name too long, an answer garbled
        raise ProxyError(f"{failure}: {exc}") from exc
