"""A file of lines that only grows. Every call here blocks."""

from __future__ import annotations

import io
import os
import re
import zlib
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from ...client.content.codings import GZIP, load_zlib
from ...stream.files import lock_file, make_folder, open_regular

_BLOCK: Final = 1024 * 1024


class LineFile:
    """A file to which lines are appended; a process that was killed leaves no torn line behind.

    It is opened by open(), or by the first lines, and its folder is created then. The lines of an earlier run are kept,
    but for a torn line at the end, which is removed. With the suffix `.gz` each batch is a member of gzip (RFC 1952
    §2.2), so that whole batches can be read at any time. An open file can't be opened by another LineFile, except on
    Windows and on file systems without locks.

    Args:
        path: of the file. With a maximum size a number is put before the suffixes: `pages-00000.jsonl.gz`.
        max_size: bytes after which the next file is begun; None for one file. A batch is never divided.
    """

    def __init__(self, path: str | os.PathLike[str], *, max_size: int | None = None) -> None:
        self._path = os.fspath(path)
        self._max_size = max_size
        self._number: int | None = None
        self._file: io.FileIO | None = None
        self._size = 0

    def open(self) -> None:
        """Open the file, unless it is open.

        Raises: the errors of append().
        """
        if self._file is None:
            self._file = self._open()

    def append(self, lines: Iterable[bytes]) -> None:
        """Append lines, which end with a line feed: all of them, or none if it fails.

        Raises:
            BlockingIOError: another LineFile has the file open.
            FileExistsError, IsADirectoryError: it is not a regular file.
            OSError: it can't be written.
        """
        data = b"".join(lines)
        if self._path.endswith(".gz"):
            packer = load_zlib().compressobj(6, zlib.DEFLATED, GZIP)
            data = packer.compress(data) + packer.flush()
        file = self._open_for(len(data))
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]
        except BaseException:
            with suppress(OSError):
                file.truncate(self._size)
            self.close()  # the next call opens it again, and removes a torn line
            raise
        self._size += len(data)

    def _open_for(self, size: int) -> io.FileIO:
        """Return the file to which that many bytes are appended."""
        self.open()
        assert self._file is not None
        if self._max_size is not None and self._size and self._size + size > self._max_size:
            self.close()
            self._number = (self._number or 0) + 1
            self.open()
        return self._file

    def _open(self) -> io.FileIO:
        make_folder(self._path)
        path = self._find_path()
        file = io.FileIO(path, "a+", opener=open_regular)
        try:
            lock_file(file, path, "another sink is writing to it")
            end = _find_end_of_members(file) if path.endswith(".gz") else _find_end_of_lines(file)
            self._size = file.truncate(end)
        except BaseException:
            file.close()
            raise
        return file

    def _find_path(self) -> str:
        if self._max_size is None:
            return self._path
        folder, name = os.path.split(self._path)
        suffix = ".gz" if name.endswith(".gz") else ""
        root, extension = os.path.splitext(name.removesuffix(".gz"))
        if self._number is None:
            self._number = _find_last_number(folder, root, extension + suffix)
        return os.path.join(folder, f"{root}-{self._number:05}{extension}{suffix}")

    def close(self) -> None:
        """Close the file; may be called any number of times. The next lines open it again."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _find_last_number(folder: str, root: str, suffix: str) -> int:
    pattern = re.compile(rf"{re.escape(root)}-([0-9]{{5,10}}){re.escape(suffix)}")
    matches = map(pattern.fullmatch, os.listdir(folder or "."))
    return max((int(match[1]) for match in matches if match is not None), default=0)


def _find_end_of_lines(file: io.FileIO) -> int:
    """Return the size of the file without a torn line at its end."""
    at = file.seek(0, os.SEEK_END)
    while at:
        start = max(0, at - _BLOCK)
        file.seek(start)
        end = file.read(at - start).rfind(b"\n")
        if end >= 0:
            return start + end + 1
        at = start
    return 0


def _find_end_of_members(file: io.FileIO) -> int:
    """Return the size of the file without a torn member at its end; all of it is decompressed for that."""
    file.seek(0)
    unpacker = load_zlib().decompressobj(GZIP)
    at = end = 0
    data = b""
    while data := data or file.read(_BLOCK):
        try:
            unpacker.decompress(data, _BLOCK)
        except load_zlib().error:
            break
        rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
        at += len(data) - len(rest)
        data = rest
        if unpacker.eof:
            end, unpacker = at, load_zlib().decompressobj(GZIP)
    return end
