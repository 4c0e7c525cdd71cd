"""Connections that are refused in tests: to any host but this one, by any library."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
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
        """Add the hook, once, and the same check to the loops of uvloop, which connect without Python's sockets."""
        if self._is_installed:
            return
        self._is_installed = True
        sys.addaudithook(self.check)
        if find_spec("uvloop") is not None:
            loop_class = import_module("uvloop").Loop
            self._wrap(loop_class, "create_connection", 1)
            self._wrap(loop_class, "getaddrinfo", 0)

    def _wrap(self, loop_class: Any, name: str, position: int) -> None:
        """Check the host, which is the argument at that position, before a method is called."""
        original = getattr(loop_class, name)

        @wraps(original)
        def guarded(loop: Any, *args: Any, **options: Any) -> Any:
            self.refuse(options.get("host", args[position] if len(args) > position else None))
            return original(loop, *args, **options)

        setattr(loop_class, name, guarded)

    def check(self, event: str, args: tuple[Any, ...]) -> None:
        """Refuse connections, datagrams and lookups that leave this machine."""
        if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
            self.refuse(args[0] if event == "socket.getaddrinfo" else _find_host(args[1]))

    def refuse(self, host: str | bytes | None) -> None:
        """Raise NetworkDisabled if the network is disabled and the host is another one; None stands for none."""
        if self.depth and host is not None and not _is_local(host):
            advice = "use a mock, or the marker enable_network"
            raise NetworkDisabled(f"connection to {host!r} refused: the network is disabled in this test; {advice}")


_GUARD: Final = _Guard()


@contextmanager
def no_network() -> Iterator[None]:
    """Refuse connections to other hosts, and lookups of names, with NetworkDisabled.

    Loopback addresses and Unix sockets are allowed. It holds in all threads, for every library that uses Python's
    sockets or uvloop's connections; other processes are not seen.
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


def _is_local(host: str | bytes) -> bool:
    name = host.decode("latin-1") if isinstance(host, bytes) else host
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return name.lower().rstrip(".") in _LOCAL_NAMES or name.lower().endswith(".localhost")
