"""Connecting a socket to one address, for asyncio loops and for the blocking calls of compat."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from .address import AddrInfo
from .options import SocketOption, set_options

_S = TypeVar("_S", bound=socket.socket)

_IN_PROGRESS: Final = (errno.EINPROGRESS, errno.EWOULDBLOCK)


async def connect_socket(
    sock: socket.socket, address: Any, wait_until_writable: Callable[[socket.socket], Awaitable[None]]
) -> None:
    """Connect a socket, which does not block from here on.

    Raises:
        OSError: the address refused or did not answer.
    """
    sock.setblocking(False)
    error = sock.connect_ex(address)
    if error in _IN_PROGRESS:
        await wait_until_writable(sock)
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, os.strerror(error))


async def open_connected(
    info: AddrInfo,
    options: Sequence[SocketOption],
    connect: Callable[[socket.socket, Any], Awaitable[None]],
    source: Any,
    kind: type[_S],
) -> _S:
    """Return a socket connected to an address by a given coroutine; the caller closes it.

    Args:
        source: the address to connect from; None leaves it to the system.
        kind: the class of the socket.
    """
    sock = make_socket(info, options, kind)
    try:
        if source:
            sock.bind(source)
        await connect(sock, info[4])
    except BaseException:
        sock.close()
        raise
    return sock


def make_socket(info: AddrInfo, options: Sequence[SocketOption], kind: type[_S]) -> _S:
    """Return a new socket for an address; the options are set before it is connected."""
    sock = kind(info[0], info[1], info[2])
    try:
        set_options(sock, options)
    except BaseException:
        sock.close()
        raise
    return sock
