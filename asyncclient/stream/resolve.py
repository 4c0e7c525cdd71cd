"""Resolving host names to addresses, by the system or by a resolver of the user.

A resolver is asked only for names, in ASCII (IDNA) and with the case of the request; IP addresses need no lookup. Any
exception of a resolver becomes a ConnectError, and its time counts as connecting.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from ..arguments import check_type
from ..errors import ConnectError, clip, copy_error
from ..message.target import PORTS, build_authority, encode_host, parse_port
from .address import AddrInfo, parse_literal

Address = str | tuple[str, int]
"""An IPv4 or IPv6 address, or (address, port) to connect to another port than the request's."""

_Value = Address | Sequence[Address]
_Host = TypeVar("_Host", str, tuple[str, int], str | tuple[str, int])


class Resolver(Protocol):
    """The interface of a resolver, which may cache, filter, use another service or have fixed addresses.

    A resolver that caches addresses may also have a method `forget(host, port)`. It is called when connecting to all of
    the addresses failed, so that the next lookup can find others.
    """

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """Return the addresses in the order in which to try them; any exception means that the lookup failed.

        Called on the loop of the connection, by several tasks at once, and cancelled by a timeout.
        """
        ...


class SystemResolver:
    """The resolver of the operating system, which is the default; for resolvers that build on it."""

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """Return all addresses of a host from getaddrinfo().

        Raises:
            OSError: there are none.
        """
        return list(dict.fromkeys(str(info[4][0]) for info in await _ask_system(host, port)))


class StaticResolver:
    """A resolver with fixed addresses, like curl's --resolve and --connect-to.

    Args:
        addresses: maps a host, or (host, port), which takes precedence, to an address, (address, port), or several.
        fallback: the resolver for all other hosts; by default the system's.

    Raises:
        ValueError: an address or a port is invalid, or a host has no address.
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
        """Call the fallback's forget()."""
        forget(self._fallback, host, port)


def _fold(key: str | tuple[str, int]) -> tuple[str, int | None]:
    host, port = (key, None) if isinstance(key, str) else key
    return encode_host(host).lower().removesuffix("."), port


def _list_addresses(key: str | tuple[str, int], value: _Value) -> list[Address]:
    if not isinstance(key, str):
        parse_port(key[1])
    is_single = isinstance(value, str) or (len(value) == 2 and isinstance(value[1], int))
    addresses: list[Any] = [value] if is_single else list(value)
    try:
        for address in addresses:
            _to_info(address, 1)
    except (OSError, TypeError, ValueError):
        addresses = []
    if not addresses:
        raise ValueError(f"expected addresses for {clip(key)}, got {clip(value)}")
    return addresses


async def resolve(host: str, port: int, resolver: Resolver | None = None) -> list[AddrInfo]:
    """Return the addresses to connect to, at least one; without a resolver, the system is asked.

    Raises:
        ConnectError: the lookup failed; .attempts has the reason.
        InvalidURL: the host is invalid.
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
    except Exception as exc:  # resolvers may raise anything
        reason = as_os_error(exc)
        raise ConnectError(f"no connection to {build_authority(host, port)}: {reason}", [reason]) from exc


def forget(resolver: Resolver | None, host: str, port: int) -> None:
    """Call a resolver's method forget(), if it has one, because connecting to all addresses of a host failed."""
    method = getattr(resolver, "forget", None)
    if method is not None and ":" not in host and parse_literal(host, port) is None:
        method(encode_host(host), port)


def as_os_error(error: Exception) -> OSError:
    """Return an error of a resolver or a loop as an OSError without traceback, safe to store."""
    return copy_error(error) if isinstance(error, OSError) else OSError(str(error) or type(error).__name__)


async def _ask_system(name: str, port: int) -> list[AddrInfo]:
    return [*await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)]


def _no_address() -> list[AddrInfo]:
    raise OSError("the resolver gave no address")


def _to_info(address: Address, port: int) -> AddrInfo:
    if not isinstance(address, str):
        host, port = address
        if not 0 < port <= 65535:  # uvloop would reduce it modulo 65536
            raise OSError(f"expected {PORTS} from the resolver, got {clip(port)}")
    else:
        host = address
    literal = parse_literal(host, port)
    if literal is not None:
        return literal
    try:  # the address may have a zone; with AI_NUMERICHOST no name is looked up, so this never waits
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)[0]
    except (OSError, UnicodeError):
        raise OSError(f"expected an IP address from the resolver, got {clip(host)}") from None
