"""Connecting to one of several addresses, which race as in RFC 8305 (Happy Eyeballs).

It works on any loop: the socket is connected first and then given to the loop, because uvloop's create_connection does
not race addresses. A single address needs no race.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import os
import socket
import sys
from collections.abc import Sequence
from typing import Any, TypeVar, cast

from ..errors import copy_error
from ..message.target import build_authority
from .address import AddrInfo
from .connecting import connect_socket, make_socket, open_connected
from .options import SocketOption

_S = TypeVar("_S", bound=socket.socket)

HAPPY_EYEBALLS_DELAY = 0.25
"""Seconds until the next address is tried in addition to those in progress (RFC 8305 §5)."""


class Attempts:
    """The part of a loop that the race uses; it also records how each attempt failed."""

    __slots__ = ("_loop", "errors")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.errors: list[OSError] = []

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Connect a socket, which does not block from here on; an error is recorded."""
        try:
            await self._connect(sock, address)
        except (OSError, asyncio.CancelledError) as exc:
            self.record(exc, address)
            raise

    def record(self, error: OSError | asyncio.CancelledError, address: Any) -> None:
        """Record how an attempt failed, with its address.

        Only copies are stored: the traceback of a raised error refers to this object, which would be a reference cycle.
        """
        where = build_authority(address[0], address[1])
        if not isinstance(error, OSError):
            self.errors.append(TimeoutError(errno.ETIMEDOUT, f"no answer from {where}"))
        elif error.errno:  # with one text for all loops, which add different words
            self.errors.append(OSError(error.errno, f"{os.strerror(error.errno)}: {where}"))
        else:
            self.errors.append(copy_error(error))

    async def _connect(self, sock: socket.socket, address: Any) -> None:
        """Connect without uvloop's sock_connect(), which first looks the address up in a thread pool.

        That takes longer than connecting, and its threads can make a forked process hang when it ends.
        """
        if sys.platform == "win32":
            sock.setblocking(False)
            await self._loop.sock_connect(sock, address)  # the proactor loop has no add_writer()
            return
        await connect_socket(sock, address, self._wait_until_writable)

    async def _wait_until_writable(self, sock: socket.socket) -> None:
        writable = self._loop.create_future()
        self._loop.add_writer(sock.fileno(), _resolve, writable)
        try:
            await writable
        finally:
            self._loop.remove_writer(sock.fileno())


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def may_open(infos: Sequence[AddrInfo]) -> bool:
    """Return True if the loop can connect by itself: to a single address without scope (uvloop has no scopes)."""
    return len(infos) == 1 and not any(infos[0][4][2:])


async def race(
    attempts: Attempts,
    infos: list[AddrInfo],
    source: list[AddrInfo] | None,
    options: Sequence[SocketOption],
    kind: type[_S],
) -> _S:
    """Return a non-blocking socket connected to the address that answered first; the other sockets are closed.

    Args:
        kind: the class of the sockets.

    Raises:
        OSError, RuntimeError: no address answered; attempts.errors has one error per address.
    """
    if len(infos) == 1 and source is None:
        return await open_connected(infos[0], options, attempts.sock_connect, None, kind)
    import aiohappyeyeballs  # imported on use: a single address does not need it (decision 52)

    loop: Any = attempts
    sock = await aiohappyeyeballs.start_connection(
        infos,
        local_addr_infos=source,
        happy_eyeballs_delay=HAPPY_EYEBALLS_DELAY,
        loop=loop,
        socket_factory=functools.partial(make_socket, options=options, kind=kind),
    )
    return cast("_S", sock)  # the factory made it
