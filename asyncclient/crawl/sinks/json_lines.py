"""A sink that writes a JSON object for each page."""

from __future__ import annotations

import os

from ...arguments import check_number, check_type, known_arguments
from ...errors import clip
from ..page import Page
from .batches import Batches
from .line_file import LineFile
from .records import Form, build_line, build_record, call_for


@known_arguments({})
class JSONLines:
    """Writes a JSON object for each page, in a line of its own.

    It has `url`, `time` (when it was written, in UTC), `status`, `error` (why the page counts as failed), `depth`,
    `attempts` (how many times it was requested) and `meta`, null where there is none; and with a response also
    `response_url` (after redirects), `headers` as pairs, `timings` in seconds, and `size` and `sha256` of the decoded
    content.

    An existing file is continued. A line that is torn, because a process was killed, is removed; its page was not
    finished in the frontier and is written again. Headers may have secrets, such as cookies.

    Args:
        path: of the file; with the suffix `.gz` it is compressed.
        content: "text" adds the content as `text`, "base64" its bytes as `base64`; by default it is left out.
        max_size: bytes after which the next file is begun: `pages-00000.jsonl`, `pages-00001.jsonl` for the path
            `pages.jsonl`. By default there is one file.

    Raises:
        ValueError, TypeError: an argument is invalid.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, content: Form | None = None, max_size: int | None = None
    ) -> None:
        check_type("path", path, str | os.PathLike, "a path")
        if content not in (None, "text", "base64"):
            raise ValueError(f"expected 'text', 'base64' or None as content, got {clip(content)}")
        if max_size is not None:
            check_number("max_size", max_size, 1, "a number of bytes")
        self._content: Form | None = content
        self._path = path
        self._file = LineFile(path, max_size=max_size)
        self._lines = Batches(self._file.append, self._file.close)

    async def open(self) -> None:
        """Open the file, which is created with its folder; see Sink.

        Raises:
            OSError: it can't be opened, or another sink has it open.
        """
        await self._lines.open(self._file.open)

    async def write(self, page: Page) -> None:
        """Write a page; up to 1 MiB is kept until flush().

        Raises:
            OSError: the file can't be written.
            TypeError, ValueError: JSON can't hold the meta of the page; or the sink is closed.
            ResponseNotRead: the content was not read.
        """
        line = await call_for(page, self._build_line)
        await self._lines.add(line, len(line))

    def _build_line(self, page: Page) -> bytes:
        return build_line(build_record(page, self._content))

    async def flush(self) -> None:
        """Write everything to the file; see Sink."""
        await self._lines.flush()

    async def aclose(self) -> None:
        """Flush and close; may be called any number of times."""
        await self._lines.aclose()

    def __repr__(self) -> str:
        return f"<JSONLines {os.fspath(self._path)!r}>"
