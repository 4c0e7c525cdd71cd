"""Connecting to one of several addresses: they race as in RFC 8305.

It works on any loop: a socket is connected first and then given to the loop, since uvloop's create_connection knows no
happy eyeballs. One address alone needs no race.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import os
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import copy_error
from ..message.target import build_authority
from .address import AddrInfo
from .connecting import connect_socket, make_socket, open_connected
from .options import SocketOption

HAPPY_EYEBALLS_DELAY = 0.25
"""Seconds until the next address is tried beside those under way (RFC 8305 §5)."""


class Attempts:
    """The one part of a loop that the race makes use of, noting how each attempt failed."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.errors: list[OSError] = []

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Connect a socket that does not block; the error is kept."""
        try:
            await self._connect(sock, address)
        except (OSError, asyncio.CancelledError) as exc:
            self._keep(exc, address)
            raise

    async def open(self, factory: Callable[[], asyncio.BaseProtocol], address: Any) -> None:
        """Connect by the loop's own means, which give the protocol its transport; the error is kept."""
        try:
            await self._loop.create_connection(factory, address[0], address[1])
        except (OSError, asyncio.CancelledError) as exc:
            self._keep(exc, address)
            raise

    def _keep(self, error: OSError | asyncio.CancelledError, address: Any) -> None:
        """Keep how an attempt failed, with the address that it was.

        None that was raised is kept: its traceback leads back here, and only the garbage collector could free either.
        """
        where = build_authority(address[0], address[1])
        if not isinstance(error, OSError):
            self.errors.append(TimeoutError(errno.ETIMEDOUT, f"no answer from {where}"))
        elif error.errno:  # the loops add words of their own, and not the same ones
            self.errors.append(OSError(error.errno, f"{os.strerror(error.errno)}: {where}"))
        else:
            self.errors.append(copy_error(error))

    async def _connect(self, sock: socket.socket, address: Any) -> None:
        """Connect without the loop's own sock_connect(): uvloop's asks its thread pool about every address first.

        That takes longer than connecting does, and leaves threads that a forked process stumbles over when it ends.
        """
        if sys.platform == "win32":
            await self._loop.sock_connect(sock, address)  # Windows' own loop has no add_writer()
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
    """Return whether the loop can connect by itself: to one address, which has no scope (uvloop knows none)."""
    return len(infos) == 1 and not any(infos[0][4][2:])


async def race(
    attempts: Attempts, infos: list[AddrInfo], source: list[AddrInfo] | None, options: Sequence[SocketOption]
) -> socket.socket:
    """Return a socket, which does not block, connected to the address that answered first; the others are closed.

    Raises:
        OSError, RuntimeError: none answered; attempts.errors has one error for each.
    """
    if len(infos) == 1 and source is None:
        return await open_connected(infos[0], options, attempts.sock_connect)
    import aiohappyeyeballs  # only here: 3 ms that a connection to an address needs not

    loop: Any = attempts
    return await aiohappyeyeballs.start_connection(
        infos,
        local_addr_infos=source,
        happy_eyeballs_delay=HAPPY_EYEBALLS_DELAY,
        loop=loop,
        socket_factory=functools.partial(make_socket, options=options),
    )
