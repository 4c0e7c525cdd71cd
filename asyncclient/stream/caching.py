"""A resolver that caches addresses for a limited time.

The problem: each lookup takes a thread and often milliseconds. A crawler makes thousands of lookups at once for the
same few names; and if a name server fails for a minute, the addresses of a minute ago are still good.

The rules kept:
- There is one lookup per name at a time; further callers wait for it. A lookup belongs to no single waiter: cancelling
  one leaves it running; it is cancelled when the last waiter leaves.
- A negative result is cached for a shorter time, and not at all if the system says "try again".
- Expired addresses are used only after a new lookup has failed.
- A host that has moved answers on none of its cached addresses: after a failed connect they count as expired.
"""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from ..arguments import check_number, known_arguments
from ..bounded import BoundedDict
from ..errors import copy_error
from .resolve import Address, Resolver, SystemResolver, as_os_error, forget

_Key = tuple[str, int]


class _Cached(NamedTuple):
    """The cached result for a name: addresses or an error, its expiry, and how long it serves after a failure."""

    addresses: tuple[Address, ...]
    error: OSError | None
    until: float
    stale_until: float


class _Lookup:
    """A lookup in progress and the number of its waiters."""

    __slots__ = ("task", "waiters")

    def __init__(self, task: asyncio.Task[_Cached]) -> None:
        self.task = task
        self.waiters = 0


_INSTEAD: Final = {"max_size": "most=", "maxsize": "most=", "ttl_dns_cache": "ttl="}
"""What to write for the words of other libraries."""


@known_arguments(_INSTEAD)
class CachingResolver:
    """A resolver that caches the results of another one. It may serve any number of clients in one thread.

    Args:
        resolver: the resolver to ask; None is the system's.
        ttl: seconds for which addresses are good; getaddrinfo() does not return the name server's value.
        negative_ttl: seconds for which a negative result is cached, and after which a name is looked up again if old
            addresses were used because of a failure.
        stale: seconds beyond `ttl` for which addresses are used if a new lookup fails.
        most: names in the cache; the one that was looked up first is dropped.
        clock: returns monotonic seconds.

    Raises:
        ValueError: a number is below 0, or `most` is below 1.
    """

    def __init__(
        self,
        resolver: Resolver | None = None,
        *,
        ttl: float = 60.0,
        negative_ttl: float = 5.0,
        stale: float = 600.0,
        most: int = 1024,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, seconds in (("ttl", ttl), ("negative_ttl", negative_ttl), ("stale", stale)):
            check_number(name, seconds, 0, "seconds")
        check_number("most", most, 1)
        self._resolver = resolver or SystemResolver()
        self._ttl, self._negative_ttl, self._stale = ttl, negative_ttl, stale
        self._clock = clock
        self._cache: BoundedDict[_Key, _Cached] = BoundedDict(most)
        self._lookups: dict[tuple[asyncio.AbstractEventLoop, _Key], _Lookup] = {}

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """Return the addresses of a host.

        Raises:
            OSError: the host has no addresses, or the lookup failed; a copy of the other resolver's error.
        """
        key = (host, port)
        cached = self._cache.get(key)
        if cached is None or cached.until <= self._clock():
            cached = await self._wait_for(key)
        if cached.error is not None:
            raise copy_error(cached.error)
        return cached.addresses

    def forget(self, host: str, port: int) -> None:
        """Look a host up again next time, because connecting failed on all of its addresses.

        The addresses are still used if that lookup fails. A negative result stays cached for `negative_ttl`. The other
        resolver's forget() is called too, if it has that method.
        """
        cached = self._cache.get((host, port))
        if cached is not None and cached.error is None:
            self._cache[host, port] = cached._replace(until=-math.inf)
        forget(self._resolver, host, port)

    def clear(self) -> None:
        """Drop all names, for example after a change of network; lookups in progress continue."""
        self._cache.clear()

    async def _wait_for(self, key: _Key) -> _Cached:
        """Wait for the lookup of a name, shared with all other waiters."""
        loop = asyncio.get_running_loop()
        lookup = self._lookups.get((loop, key))
        if lookup is None:
            lookup = self._lookups[loop, key] = _Lookup(loop.create_task(self._look_up(key)))
        lookup.waiters += 1
        try:
            return await asyncio.shield(lookup.task)
        finally:
            lookup.waiters -= 1
            if not lookup.waiters:
                del self._lookups[loop, key]
                lookup.task.cancel()

    async def _look_up(self, key: _Key) -> _Cached:
        try:
            addresses = tuple(await self._resolver.resolve(*key))
            if not addresses:
                raise OSError("the resolver gave no address")
        except Exception as exc:  # resolvers may raise anything
            result = self._after_failure(as_os_error(exc), key)
        else:
            until = self._clock() + self._ttl
            result = _Cached(addresses, None, until, until + self._stale)
        self._cache[key] = result
        return result

    def _after_failure(self, error: OSError, key: _Key) -> _Cached:
        """Return the result after a failed lookup: the previous addresses if they may still be used, else the error."""
        now, previous = self._clock(), self._cache.get(key)
        if previous is not None and previous.addresses and now < previous.stale_until:
            return previous._replace(until=now + self._negative_ttl)
        is_temporary = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
        return _Cached((), error, now if is_temporary else now + self._negative_ttl, now)
