"""Opening the sockets of compat: resolve and connect. Failures raise what the socket calls themselves raise."""

from __future__ import annotations

import os
import socket
from contextvars import ContextVar
from typing import Any, Final

from asyncclient.stream.address import AddrInfo, parse_literal
from asyncclient.stream.connecting import open_connected

from .loop import loop, run
from .sockets import LoopSocket

_NO_DELAY: Final = ((int(socket.IPPROTO_TCP), socket.TCP_NODELAY, 1),)

_Source = tuple[str, int] | None


_is_racing: Final = ContextVar("_is_racing", default=False)


def dial(host: str, port: int, timeout: float | None, source: _Source) -> LoopSocket:
    """Return a socket that is connected to a host; several addresses race (RFC 8305).

    Raises the error of the last address, with its errno and text, gaierror, or TimeoutError after that many seconds.
    """
    literal = parse_literal(host, port)
    infos = [literal] if literal else socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    # A log handler that makes requests is called while asyncio makes the loop of a race: there it must not race again.
    while len(infos) > 1 and (_is_local(infos[0]) or _is_racing.get()):
        try:
            return _connect(infos[0], timeout, source)
        except OSError:
            del infos[0]
    return _connect(infos[0], timeout, source) if len(infos) == 1 else _race(infos, timeout, source)


def _is_local(info: AddrInfo) -> bool:
    """Return whether an address is this machine's, which takes or refuses a connection at once: it need not race."""
    return str(info[4][0]).startswith(("127.", "::1"))


def _connect(info: AddrInfo, timeout: float | None, source: _Source) -> LoopSocket:
    async def connect(sock: socket.socket, address: Any) -> None:
        if sock.gettimeout() != timeout:
            sock.settimeout(timeout)
        sock.connect(address)  # waits in the kernel (decision 36)

    return run(open_connected(info, _NO_DELAY, connect, source, LoopSocket))


def _race(infos: list[AddrInfo], timeout: float | None, source: _Source) -> LoopSocket:
    flags = socket.AI_PASSIVE
    sources = socket.getaddrinfo(source[0] or None, source[1], 0, socket.SOCK_STREAM, 0, flags) if source else None
    token = _is_racing.set(True)
    try:
        sock = loop.run_tasks(_find_fastest(infos, timeout, sources))
    finally:
        _is_racing.reset(token)
    sock.settimeout(timeout)
    return sock


async def _find_fastest(infos: list[Any], timeout: float | None, sources: list[Any] | None) -> LoopSocket:
    import asyncio  # only here: most programs connect to one address, and start faster without these

    from asyncclient.stream.racing import Attempts, race

    attempts, limit = Attempts(asyncio.get_running_loop()), asyncio.timeout(timeout)
    try:
        async with limit:
            return await race(attempts, infos, sources, _NO_DELAY, LoopSocket)
    except (OSError, RuntimeError) as exc:
        if limit.expired():
            raise TimeoutError("timed out") from None
        number = attempts.errors[-1].errno if attempts.errors else None
        # The error of the last address as the socket call itself raises it.
        raise exc if number is None else OSError(number, os.strerror(number)) from None
