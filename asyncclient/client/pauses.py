"""The pauses of a client between two attempts of a request, which closing the client ends."""

from __future__ import annotations

import asyncio

from ..errors import ClientClosed
from ..stream.deadlines import Alarm


class Pauses:
    """The pauses of a client, and whether it is closed."""

    __slots__ = ("_ends", "is_closed")

    def __init__(self) -> None:
        self.is_closed = False
        self._ends: set[asyncio.Future[None]] = set()

    def __len__(self) -> int:
        """Return the number of requests that pause."""
        return len(self._ends)

    async def wait(self, seconds: float) -> None:
        """Wait for `seconds`.

        Raises:
            ClientClosed: the client is closed, or was closed meanwhile.
        """
        if self.is_closed:
            raise ClientClosed("the client is closed")
        end = asyncio.get_running_loop().create_future()
        self._ends.add(end)
        try:
            with Alarm(end, seconds):
                await end
        finally:
            self._ends.discard(end)

    def close(self) -> None:
        """End all pauses with ClientClosed, and allow no more."""
        self.is_closed = True
        for end in self._ends:
            if not end.done():
                end.set_exception(ClientClosed("the client was closed meanwhile"))
