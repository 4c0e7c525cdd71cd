"""Waiting until many connections are gone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from ..stream.aio import AioStream

TURNS_TO_CLOSE: Final = 2
"""Turns of the loop in which it has closed a transport without unsent data, and has reported that."""


async def wait_all_closed(streams: Iterable[AioStream]) -> None:
    """Wait until connections are gone, see AioStream.wait_closed().

    Nearly all are gone after a few turns of the loop: a task for each takes longer than closing it (decision 24).
    """
    for _ in range(TURNS_TO_CLOSE):
        await asyncio.sleep(0)
    await asyncio.gather(*(stream.wait_closed() for stream in streams if not stream.is_lost))
