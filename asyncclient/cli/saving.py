"""Files for content: complete or not there, and named safely."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

from ..client.download.part_file import PartFile, find_part
from ..client.request import Progress
from ..client.response import Response


async def save(response: Response, path: str, *, force: bool, progress: Progress) -> str:
    """Write the content to a file, or into a directory by the name of the response; return the path.

    The content is in a part file until it is complete; after a failure or Ctrl-C there is none.

    Raises:
        FileExistsError: the file exists in the directory, and is not to be replaced.
        OSError: it can't be written.
        Others: the errors of Response.read().
    """
    if _is_device(path):
        return await _copy(response, path, progress)
    part = PartFile(path, overwrite=force)
    part.open(hashlib.sha256(response.url.encode()).hexdigest())
    try:
        if part.is_in_directory:
            part.set_name(response.filename)
        part.begin(None)
        total = response.length
        async for chunk in response.iter_chunks():
            part.write([chunk])
            progress(part.size, total)
        part.finish()
    finally:
        part.close(keep=False)
    return os.path.join(path, response.filename) if part.is_in_directory else path


def describe_interruption(downloads: Iterable[tuple[str, str]], *, is_received: bool, addition: str = "") -> str:
    """Return a line about the parts that interrupted downloads have left.

    Args:
        downloads: the path and the URL of each.
        is_received: content was received.
        addition: what the command needs to continue, such as ` with --option`.
    """
    parts = [find_part(path, hashlib.sha256(url.encode()).hexdigest()) for path, url in downloads]
    size = sum(os.path.getsize(part) for part in parts if os.path.exists(part))
    if size:
        return f"interrupted: {size:,} bytes kept; run the same command again{addition} to continue"
    reason = "; the server does not identify the content" if is_received else ""
    return f"interrupted: nothing is kept{reason}"


def _is_device(path: str) -> bool:
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


async def _copy(response: Response, path: str, progress: Progress) -> str:
    """Write to a device or a pipe, such as /dev/null."""
    size, total = 0, response.length
    with open(path, "wb", buffering=0) as file:  # noqa: ASYNC230  (one transfer, which waits for its device)
        async for chunk in response.iter_chunks():
            file.write(chunk)
            size += len(chunk)
            progress(size, total)
    return path
