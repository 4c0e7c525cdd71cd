"""Names that were looked up, known for a while.

The problem: each look-up takes a thread, and often milliseconds. A crawler makes thousands of them at once for the same
few names; and where a name server fails for a minute, what was known a minute ago is still good.

The rules kept:
- There is one look-up for a name at a time, and whoever comes meanwhile waits for it, too. It is nobody's own: who is
  cancelled takes it from nobody, and it ends with the last who waits.
- That there are no addresses is remembered for a shorter time, and not at all where the system says "try again".
- What has become too old serves only where a new look-up has failed.
- A host that moves answers on none of the addresses known: after a connect that failed they count as too old.
"""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..arguments import check_number
from ..bounded import BoundedDict
from ..errors import copy_error
from .resolve import Address, Resolver, SystemResolver, as_os_error, forget

_Key = tuple[str, int]


class _Known(NamedTuple):
    """What is known of a name: its addresses, or why it has none, until when that is good, and when too old for all."""

    addresses: tuple[Address, ...]
    error: OSError | None
    until: float
    stale_until: float


class _LookUp:
    """A look-up under way, and how many wait for it."""

    __slots__ = ("task", "waiting")

    def __init__(self, task: asyncio.Task[_Known]) -> None:
        self.task = task
        self.waiting = 0


class CachingResolver:
    """A resolver that remembers what another one found. It may serve any number of clients, of one thread.

    Args:
        resolver: who is asked; None is the system.
        ttl: seconds for which addresses are good: getaddrinfo() does not tell what the name server said.
        negative_ttl: seconds for which it is remembered that there are none, and until it is asked again after a
            failure that old addresses made good.
        stale: seconds beyond `ttl` for which addresses serve where asking again fails.
        most: names remembered; the one that was looked up first is forgotten.
        clock: seconds on a clock that never goes back.

    Raises:
        ValueError: a number is below 0, or `most` below 1.
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
        self._known: BoundedDict[_Key, _Known] = BoundedDict(most)
        self._under_way: dict[tuple[asyncio.AbstractEventLoop, _Key], _LookUp] = {}

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """Return the addresses of a host.

        Raises:
            OSError: it has none, or they could not be found; what the other resolver raised, or its text.
        """
        key = (host, port)
        known = self._known.get(key)
        if known is None or known.until <= self._clock():
            known = await self._wait_for(key)
        if known.error is not None:
            raise copy_error(known.error)
        return known.addresses

    def forget(self, host: str, port: int) -> None:
        """Have a host looked up anew next time, as after a connect that failed on all of its addresses.

        The addresses serve once more if that look-up fails. That a host has none stays known for `negative_ttl`. The
        other resolver is told as well if it has such a method.
        """
        known = self._known.get((host, port))
        if known is not None and known.error is None:
            self._known[host, port] = known._replace(until=-math.inf)
        forget(self._resolver, host, port)

    def clear(self) -> None:
        """Forget all names, as after the network has changed; look-ups under way go on."""
        self._known.clear()

    async def _wait_for(self, key: _Key) -> _Known:
        """Wait for the look-up of a name, with all others who need it."""
        loop = asyncio.get_running_loop()
        look_up = self._under_way.get((loop, key))
        if look_up is None:
            look_up = self._under_way[loop, key] = _LookUp(loop.create_task(self._look_up(key)))
        look_up.waiting += 1
        try:
            return await asyncio.shield(look_up.task)
        finally:
            look_up.waiting -= 1
            if not look_up.waiting:
                del self._under_way[loop, key]
                look_up.task.cancel()

    async def _look_up(self, key: _Key) -> _Known:
        try:
            addresses = tuple(await self._resolver.resolve(*key))
            if not addresses:
                raise OSError("the resolver gave no address")
        except Exception as exc:  # a resolver raises what it likes
            known = self._find_after(as_os_error(exc), key)
        else:
            until = self._clock() + self._ttl
            known = _Known(addresses, None, until, until + self._stale)
        self._known[key] = known
        return known

    def _find_after(self, error: OSError, key: _Key) -> _Known:
        """Return what is known after a failure: the addresses from before, if they are not too old for that."""
        now, before = self._clock(), self._known.get(key)
        if before is not None and before.addresses and now < before.stale_until:
            return before._replace(until=now + self._negative_ttl)
        is_passing = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
        return _Known((), error, now if is_passing else now + self._negative_ttl, now)
