"""Connections that are refused in tests: to any host but this one, by any library."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_LOCAL_NAMES: Final = ("localhost", "")


class NetworkDisabled(RuntimeError):
    """A connection, or the lookup of a name, while the network is disabled."""


class _Guard:
    """The audit hook: hooks can't be removed, so there is one, which can be switched off."""

    def __init__(self) -> None:
        self.depth = 0
        self._is_installed = False

    def install(self) -> None:
        """Add the hook, once."""
        if not self._is_installed:
            self._is_installed = True
            sys.addaudithook(self.check)

    def check(self, event: str, args: tuple[Any, ...]) -> None:
        """Refuse connections, datagrams and lookups that leave this machine."""
        if self.depth and event in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
            host = args[0] if event == "socket.getaddrinfo" else _find_host(args[1])
            if host is not None and not _is_local(host):
                raise NetworkDisabled(f"network is disabled in this test, expected no connection to {host!r}")


_GUARD: Final = _Guard()


@contextmanager
def no_network() -> Iterator[None]:
    """Refuse connections to other hosts, and lookups of names, with NetworkDisabled.

    Loopback addresses and Unix sockets are allowed. It holds for every library that uses Python's sockets, in all
    threads; connections that uvloop opens for itself, and other processes, are not seen.
    """
    _GUARD.install()
    _GUARD.depth += 1
    try:
        yield
    finally:
        _GUARD.depth -= 1


def _find_host(address: Any) -> str | None:
    """Return the host of an address; None for a Unix socket."""
    return address[0] if isinstance(address, tuple) and address and isinstance(address[0], str) else None


def _is_local(host: str | bytes | None) -> bool:
    name = host.decode("latin-1") if isinstance(host, bytes) else host or ""
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return name.lower().rstrip(".") in _LOCAL_NAMES or name.lower().endswith(".localhost")
