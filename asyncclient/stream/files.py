"""Opening a file where it blocks nobody."""

from __future__ import annotations

import asyncio
import os
from io import BufferedReader


async def open_file(path: str | os.PathLike[str]) -> BufferedReader:
    """Open a file for reading in a worker thread; the caller closes it, which blocks nobody.

    A worker can't be cancelled: one that still opens the file when its task is cancelled has it closed after that,
    where aiofiles would leave it open.
    """
    opening = asyncio.get_running_loop().run_in_executor(None, _open, path)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close)
        raise


def _open(path: str | os.PathLike[str]) -> BufferedReader:
    return open(path, "rb")


def _close(opening: asyncio.Future[BufferedReader]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
