"""Socket options: those of the caller, and TCP keep-alive for connections that are silent for a long time."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Sequence
from typing import Any, Final

from ..arguments import check_type
from ..errors import clip

SocketOption = tuple[int, int, int | bytes]
"""Level, name and value for setsockopt()."""

_KINDS: Final = (int, int, int | bytes)

_LONGEST_INTERFACE: Final = 15
"""Bytes of the name of an interface: IFNAMSIZ without the NUL."""


def _list_keep_alive() -> tuple[SocketOption, ...]:
    # On macOS TCP_KEEPIDLE is named TCP_KEEPALIVE.
    names = (("TCP_KEEPIDLE", 60), ("TCP_KEEPALIVE", 60), ("TCP_KEEPINTVL", 15))
    known = [(getattr(socket, name, None), seconds) for name, seconds in names]
    timing = [(socket.IPPROTO_TCP, name, seconds) for name, seconds in known if name is not None]
    return (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), *timing


KEEP_ALIVE: Final = _list_keep_alive()
"""Probes after 60 s of silence, then every 15 s: NAT devices and load balancers drop a silent connection after some
minutes, but systems start to probe only after two hours."""


def parse_options(options: Iterable[Any]) -> tuple[SocketOption, ...]:
    """Return socket options given by a caller as tuples.

    Raises:
        TypeError: an option is not a level, a name and a value.
    """
    check_type("socket_options", options, Iterable, "a collection of (level, name, value)")
    parsed = tuple(options)
    for option in parsed:
        if not (isinstance(option, tuple | list) and len(option) == 3 and all(map(isinstance, option, _KINDS))):
            raise TypeError(f"expected (level, name, value) in socket_options, got {clip(option)}")
    return parsed


def bind_to_interface(interface: str) -> SocketOption:
    """Return the option that binds a socket to a network interface.

    Raises:
        TypeError: the name is not a str.
        ValueError: it can't be that of an interface, or the system has no such option.
    """
    check_type("interface", interface, str, "the name of a network interface")
    name = os.fsencode(interface)
    if not 0 < len(name) <= _LONGEST_INTERFACE or b"\0" in name:
        raise ValueError(f"expected a name of 1 to {_LONGEST_INTERFACE} bytes as interface, got {clip(interface)}")
    if not hasattr(socket, "SO_BINDTODEVICE"):
        raise ValueError("expected no interface on this system, which has no SO_BINDTODEVICE: use local_address")
    return socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name + b"\0"


def list_keep_alive(options: Sequence[SocketOption]) -> tuple[SocketOption, ...]:
    """Return the TCP keep-alive options that `options` do not set themselves."""
    given = {(level, name) for level, name, _ in options}
    return tuple(option for option in KEEP_ALIVE if option[:2] not in given)


def set_options(sock: socket.SocketType, options: Sequence[SocketOption]) -> None:
    """Set options on a socket that is not yet connected."""
    for level, name, value in options:
        sock.setsockopt(level, name, value)
