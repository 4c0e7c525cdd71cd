"""From host names to addresses: the system's way, or one that the user gives.

A resolver is asked for names only, in ASCII (IDNA) and as the request has them; an address stands for itself. Whatever
it raises becomes a ConnectError, and what it takes counts as connecting.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from ..arguments import check_type
from ..errors import ConnectError, clip, copy_error
from ..message.target import build_authority, encode_host
from .address import AddrInfo, parse_literal

Address = str | tuple[str, int]
"""An IPv4 or IPv6 address, or (address, port) where another port than the request's is to be connected to."""

_Value = Address | Sequence[Address]
_Host = TypeVar("_Host", str, tuple[str, int], str | tuple[str, int])


class Resolver(Protocol):
    """What finds the addresses of a host: one that caches, filters, asks elsewhere, or knows them beforehand.

    A resolver that remembers addresses can have a method `forget(host, port)`, too. It is called when no connection
    could be opened to any of the addresses, so that the next look-up may find others.
    """

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """Return the addresses in the order in which they are to be tried; any exception means that there are none.

        Called on the loop of the connection, by several tasks at once, and cancelled when time is over.
        """
        ...


class SystemResolver:
    """The resolver of the operating system: what is asked where none is given, for those that build on it."""

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """Return all addresses of a host, as getaddrinfo() has them.

        Raises:
            OSError: there are none.
        """
        return list(dict.fromkeys(str(info[4][0]) for info in await _ask_system(host, port)))


class StaticResolver:
    """Addresses that are known beforehand, as curl's --resolve and --connect-to have them.

    Args:
        addresses: from a host, or (host, port), which counts more, to an address or (address, port), or several.
        fallback: what is asked for all other hosts; by default the system.

    Raises:
        ValueError: one of the addresses is none, or a host has none.
    """

    def __init__(self, addresses: Mapping[_Host, _Value], fallback: Resolver | None = None) -> None:
        check_type("addresses", addresses, Mapping, "a mapping from hosts to addresses")
        self._known = {_fold(key): _list_addresses(key, value) for key, value in addresses.items()}
        self._fallback = fallback or SystemResolver()

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """Return the addresses of a host."""
        known = self._known.get(_fold((host, port))) or self._known.get(_fold(host))
        return known or await self._fallback.resolve(host, port)

    def forget(self, host: str, port: int) -> None:
        """Pass on to the other resolver that the addresses of a host are of no use."""
        forget(self._fallback, host, port)


def _fold(key: str | tuple[str, int]) -> tuple[str, int | None]:
    host, port = (key, None) if isinstance(key, str) else key
    return encode_host(host).lower().removesuffix("."), port


def _list_addresses(key: object, value: _Value) -> list[Address]:
    is_one = isinstance(value, str) or (len(value) == 2 and isinstance(value[1], int))
    addresses: list[Any] = [value] if is_one else list(value)
    try:
        for address in addresses:
            _to_info(address, 0)
    except (OSError, TypeError, ValueError):
        addresses = []
    if not addresses:
        raise ValueError(f"expected addresses for {clip(key)}, got {clip(value)}")
    return addresses


async def resolve(host: str, port: int, resolver: Resolver | None = None) -> list[AddrInfo]:
    """Return the addresses to connect to, at least one; None as a resolver is the system's.

    Raises:
        ConnectError: there are none; .attempts has the reason.
        InvalidURL: the host can't be one.
    """
    literal = parse_literal(host, port)
    if literal is not None:
        return [literal]
    has_zone = ":" in host
    name = host if has_zone else encode_host(host)
    try:
        if resolver is None or has_zone:
            return await _ask_system(name, port)
        return [_to_info(address, port) for address in await resolver.resolve(name, port)] or _no_address()
    except Exception as exc:  # a resolver raises what it likes
        reason = as_os_error(exc)
        raise ConnectError(f"no connection to {build_authority(host, port)}: {reason}", [reason]) from exc


def forget(resolver: Resolver | None, host: str, port: int) -> None:
    """Tell a resolver that the addresses of a host are of no use, if it has a method for that."""
    tell = getattr(resolver, "forget", None)
    if tell is not None and ":" not in host and parse_literal(host, port) is None:
        tell(encode_host(host), port)


def as_os_error(error: Exception) -> OSError:
    """Return what a resolver or a loop raised as an OSError that was never raised, to be kept."""
    return copy_error(error) if isinstance(error, OSError) else OSError(str(error) or type(error).__name__)


async def _ask_system(name: str, port: int) -> list[AddrInfo]:
    return [*await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)]


def _no_address() -> list[AddrInfo]:
    raise OSError("the resolver gave no address")


def _to_info(address: Address, port: int) -> AddrInfo:
    host, port = (address, port) if isinstance(address, str) else address
    literal = parse_literal(host, port)
    if literal is not None:
        return literal
    try:  # it may have a zone; a name is not looked up, so this never waits
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)[0]
    except (OSError, UnicodeError):
        raise OSError(f"expected an IP address from the resolver, got {clip(host)}") from None
