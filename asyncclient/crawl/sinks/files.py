"""A sink that keeps the content of each page in a file."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Final, NamedTuple

from ...arguments import check_type
from ...stream.files import open_regular
from ..page import Page
from .batches import Batches
from .line_file import LineFile
from .records import build_line, build_record, call_for

_BUFFER: Final = 8 * 1024 * 1024


class _Item(NamedTuple):
    """A line of the index, and the content to store before; the digest is "" without a response."""

    line: bytes
    digest: str
    content: bytes


class Files:
    """Keeps the content of each page in a file that is named by its SHA-256, so that equal content is kept once.

    The file of a page is `directory/ab/abcd…`, with two digits of the digest as the name of its folder. A file appears
    under its name when it is complete, and is never changed. `index.jsonl` has a line for each page: the object of
    JSONLines, with the `path` of the file in the directory.

    Args:
        directory: is created if it does not exist. Only one sink may use it at a time.

    Raises:
        TypeError: it is not a path.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        check_type("directory", directory, str | os.PathLike, "a path")
        self._directory = os.fspath(directory)
        self._parts = os.path.join(self._directory, "parts")
        self._index = LineFile(os.path.join(self._directory, "index.jsonl"))
        self._is_open = False
        self._items = Batches(self._store, self._close, size=_BUFFER)

    async def open(self) -> None:
        """Create the directory, and open the index; see Sink.

        Raises:
            OSError: files can't be created there, or another sink uses it.
        """
        await self._items.open(self._open)

    async def write(self, page: Page) -> None:
        """Write a page; up to 8 MiB is kept until flush().

        Raises:
            OSError: a file can't be written.
            TypeError, ValueError: JSON can't hold the meta of the page; or the sink is closed.
            ResponseNotRead: the content was not read.
        """
        item = await call_for(page, _build_item)
        await self._items.add(item, len(item.line) + len(item.content))

    async def flush(self) -> None:
        """Write everything to files; see Sink."""
        await self._items.flush()

    async def aclose(self) -> None:
        """Flush and close; may be called any number of times."""
        await self._items.aclose()

    def __repr__(self) -> str:
        return f"<Files {self._directory!r}>"

    # In a worker thread

    def _store(self, items: list[_Item]) -> None:
        """Write the files of a batch, and then its lines, so that each line has its file."""
        self._open()
        for item in items:
            if item.digest:
                self._store_content(item.digest, item.content)
        self._index.append(item.line for item in items)

    def _open(self) -> None:
        """Create the directory, lock it by its index, and remove parts that a killed process has left, once."""
        if self._is_open:
            return
        os.makedirs(self._parts, exist_ok=True)
        self._index.open()
        for entry in os.scandir(self._parts):
            os.remove(entry)
        self._is_open = True

    def _store_content(self, digest: str, content: bytes) -> None:
        folder = os.path.join(self._directory, digest[:2])
        path = os.path.join(folder, digest)
        with suppress(FileNotFoundError):
            if os.stat(path).st_size == len(content):  # another size is left by a crash of the system
                return
        part = os.path.join(self._parts, digest)
        with open(part, "wb", opener=open_regular) as file:
            file.write(content)
        os.makedirs(folder, exist_ok=True)
        os.replace(part, path)

    def _close(self) -> None:
        self._is_open = False
        self._index.close()


def _build_item(page: Page) -> _Item:
    record = build_record(page)
    digest: str = record.get("sha256", "")
    record["path"] = f"{digest[:2]}/{digest}" if digest else None
    return _Item(build_line(record), digest, b"" if page.response is None else page.response.content)
