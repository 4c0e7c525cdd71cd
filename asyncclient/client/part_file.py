"""The file that a download is written to, beside the one that it becomes. Every call here blocks."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import stat
import sys
from contextlib import suppress
from typing import Any, Final, NamedTuple

PART: Final = ".part"
NOTE: Final = ".part.note"

_NOTE = re.compile(r"([0-9a-f]{64})\n([^\n]+)\n([0-9]{1,18})?\n")


class Note(NamedTuple):
    """What a part was taken from; it stands in a file of its own beside the part.

    Attributes:
        resource: the URL that was asked for, as a hash: URLs may hold secrets.
        validator: the strong ETag, else Last-Modified.
        total: bytes that the part will have when it is whole; None if nobody said.
    """

    resource: str
    validator: str
    total: int | None


def name_resource(url: str) -> str:
    """Return the name of a URL in a Note."""
    return hashlib.sha256(url.encode()).hexdigest()


class PartFile:
    """The part of a download to a path, which is left alone until the part is whole and takes its place.

    A link is followed, as open() does. Who has the part open has it for himself, but for file systems without locks,
    and for Windows.

    Attributes:
        size: bytes that the part has.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._given = path
        self._path = self._part = self._note = ""
        self._mode: int | None = None
        self._file: io.FileIO | None = None
        self.size = 0

    def open(self) -> Note | None:
        """Open the part, which is made if there is none, and return what it was taken from, if that is known.

        Raises:
            IsADirectoryError, FileExistsError: the path is no regular file.
            BlockingIOError: another download has the part open.
            OSError: the part can't be written.
        """
        self._path = os.path.realpath(self._given)
        self._part, self._note = self._path + PART, self._path + NOTE
        self._mode = _find_mode(self._path)
        self._file = self._open_locked()
        self.size = self._file.seek(0, os.SEEK_END)
        return _read_note(self._note)

    def _open_locked(self) -> io.FileIO:
        while True:
            file = io.FileIO(self._part, "r+", opener=self._open_descriptor)
            try:
                _lock(file, self._part)
                if _is_at(file, self._part):
                    return file
            except BaseException:
                file.close()
                raise
            file.close()  # the one who had it locked before has finished it meanwhile

    def _open_descriptor(self, name: str, flags: int) -> int:
        """Make a file with the mode that open() gives, or that the file to be replaced has; follow no link."""
        mode = 0o666 if self._mode is None else self._mode | stat.S_IRUSR | stat.S_IWUSR
        return os.open(name, flags | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), mode)

    @property
    def file(self) -> io.FileIO:
        """The open file."""
        assert self._file is not None
        return self._file

    def begin(self, note: Note | None) -> None:
        """Empty the part, and note what it is taken from; None if nobody is to go on with it later."""
        # In this order: whenever the process dies, a note that is there is true.
        with suppress(FileNotFoundError):
            os.remove(self._note)
        self.truncate(0)
        if note is not None:
            text = f"{note.resource}\n{note.validator}\n{'' if note.total is None else note.total}\n"
            with open(self._note, "w", encoding="latin-1", newline="\n", opener=self._open_descriptor) as file:
                file.write(text)

    def truncate(self, size: int) -> None:
        """Cut the part to that size, and go on there."""
        self.size = self.file.truncate(size)
        self.file.seek(size)

    def write(self, pieces: list[bytes]) -> None:
        """Add the pieces at the end."""
        data = memoryview(b"".join(pieces))
        while data:
            count = self.file.write(data)
            self.size += count
            data = data[count:]

    def update(self, digest: Any, start: int, n: int) -> int:
        """Add at most n bytes of the part to a digest of hashlib; return how many."""
        self.file.seek(start)
        data = self.file.read(n)
        digest.update(data)
        return len(data)

    def finish(self) -> None:
        """Put the part in its place, and close it."""
        if self._mode is not None:
            os.chmod(self._part, self._mode)
        if sys.platform == "win32":  # which renames no open file; elsewhere the lock is held until the end
            self.file.close()
        os.replace(self._part, self._path)
        with suppress(OSError):
            os.remove(self._note)
        self.file.close()
        self._file = None

    def close(self, *, keep: bool) -> None:
        """Close the part, and remove it with its note unless there is something to keep; after finish() do nothing."""
        if self._file is None:
            return
        if sys.platform == "win32":
            self._file.close()
        if not keep or not self.size:
            for path in (self._part, self._note):
                with suppress(OSError):  # why the download failed counts more
                    os.remove(path)
        self._file.close()
        self._file = None


def _find_mode(path: str) -> int | None:
    """Return the permissions of the file that is to be replaced, None if there is none.

    A device or a directory is none: renaming a part to /dev/null would take that away from everybody.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(mode):
        raise FileExistsError(errno.EEXIST, "expected a regular file", path)
    return mode & 0o777


def _lock(file: io.FileIO, path: str) -> None:
    if sys.platform == "win32":
        return
    import fcntl  # not on Windows

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BlockingIOError(errno.EAGAIN, "another download is writing to it", path) from None
    except OSError:
        pass  # a file system that has no locks


def _is_at(file: io.FileIO, path: str) -> bool:
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode):
        raise FileExistsError(errno.EEXIST, "expected a regular file", path)
    try:
        return os.path.samestat(found, os.stat(path))
    except FileNotFoundError:
        return False


def _read_note(path: str) -> Note | None:
    """Return what a note says; None if there is none, or it was not written whole."""
    try:
        with open(path, encoding="latin-1", newline="\n") as file:
            match = _NOTE.fullmatch(file.read(128 * 1024))
    except OSError:
        return None
    return None if match is None else Note(match[1], match[2], int(match[3]) if match[3] else None)
