"""The part file of a download, written next to the target file and renamed to it at the end. Every call here blocks.

Directories can be shared, so another user may have prepared the path of a part or its note: a FIFO that would block, a
link to a file that would be emptied, a part with other bytes and a note that vouches for them. Only regular files of
this user, or of the owner of the directory, are used; anything else raises OSError and is not changed.
"""

from __future__ import annotations

import errno
import io
import os
import re
import stat
import sys
import threading
from contextlib import suppress
from typing import Any, Final

from ...stream.files import SAFE_OPEN_FLAGS, check_owner, find_mode, lock_file, open_regular
from .resuming import Note

PART: Final = ".part"
NOTE: Final = ".part.note"

NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)

_NOTE = re.compile(r"([0-9a-f]{64})\n([^\n]*+)\n([^\n]*+)\n([^\n]*+)\n([0-9]{1,18})?\n([^\n/\\]*+)\n")


class PartFile:
    """The part of a download to a path; the file at the path is not touched until the part is complete.

    A link is followed, as by open(). If the path is a directory, the part is named after the requested URL, and
    set_name() sets the name of the final file. An open part can't be opened by another download, except on Windows and
    on file systems without locks.

    Args:
        path: a file, or a directory for the file.
        overwrite: replace an existing file in the directory.

    Attributes:
        size: bytes of the part.
        is_in_directory: True if the path is a directory.
    """

    def __init__(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        self._given = path
        self._may_replace = overwrite
        self._path = self._part = self._note = ""
        self._mode: int | None = None
        self._file: io.FileIO | None = None
        self._lock, self._is_abandoned = threading.Lock(), False
        self.size = 0
        self.is_in_directory = False

    def open(self, resource: str) -> Note | None:
        """Open or create the part, and return its note; None if there is none.

        Args:
            resource: hash of the requested URL, see Note.

        Raises:
            FileExistsError: the path, the part or its note is not a regular file, or the part has another hard link.
            FileNotFoundError: the path ends with a separator but is not a directory.
            PermissionError: the part or its note belongs to another user.
            BlockingIOError: another download has the part open.
            OSError: the part can't be written, or the note can't be read.
        """
        with self._lock:  # abandon() may be called in another thread
            if self._is_abandoned:
                return None
            self._find_path(resource)
            self._file = self._open_locked()
            self.size = self._file.seek(0, os.SEEK_END)
            try:
                return _read_note(self._note)
            except BaseException:
                self._file.close()
                self._file = None
                if not self.size:
                    with suppress(OSError):
                        os.remove(self._part)
                raise

    def _find_path(self, resource: str) -> None:
        path, given = os.path.realpath(self._given), os.fspath(self._given)
        self.is_in_directory = os.path.isdir(path)
        if self.is_in_directory:
            self._path = ""
        elif given.endswith((os.sep, os.altsep or os.sep)):
            raise FileNotFoundError(errno.ENOENT, "expected a directory", given)
        else:
            self._path = path
            self._mode = find_mode(path)
        self._part = find_part(path, resource)
        self._note = self._part.removesuffix(PART) + NOTE

    def set_name(self, name: str) -> None:
        """Set the name of the final file in the directory.

        Raises:
            FileExistsError: the file exists, and may not be overwritten or is not a regular file.
            IsADirectoryError: it is a directory.
        """
        path = os.path.join(os.path.dirname(self._part), name)
        self._mode = find_mode(path, is_followed=False)
        if self._mode is not None:
            if not self._may_replace:
                raise FileExistsError(errno.EEXIST, "expected a new file, or overwrite=True", path)
            self._change_mode(self._mode | stat.S_IRUSR | stat.S_IWUSR)
        self._path = path

    def _change_mode(self, mode: int) -> None:
        # By descriptor if the system can: the path may refer to another file by now.
        os.chmod(self._part if sys.platform == "win32" else self.file.fileno(), mode)

    def _open_locked(self) -> io.FileIO:
        while True:
            file = io.FileIO(self._part, "r+", opener=self._open_descriptor)
            try:
                lock_file(file, self._part, "another download is writing to it")
                if _is_at(file, self._part):
                    return file
            except BaseException:
                file.close()
                raise
            file.close()  # another download locked it before, and has finished and renamed it

    def _open_descriptor(self, name: str, flags: int) -> int:
        """Open the part, or create it with open()'s default mode or the mode of the file to be replaced."""
        with suppress(FileExistsError):
            return self._make(name, flags)
        with suppress(FileNotFoundError):
            return _open_own(name, flags)
        return self._make(name, flags)  # another download has finished and renamed it in between

    def _make(self, name: str, flags: int) -> int:
        mode = 0o666 if self._mode is None else self._mode | stat.S_IRUSR | stat.S_IWUSR
        return os.open(name, flags | os.O_CREAT | os.O_EXCL | NO_LINK | SAFE_OPEN_FLAGS, mode)

    @property
    def file(self) -> io.FileIO:
        """The open file."""
        assert self._file is not None
        return self._file

    def begin(self, note: Note | None) -> None:
        """Empty the part and store its note; None if the part will not be resumed later."""
        # In this order, so that an existing note is true whenever the process dies.
        with suppress(FileNotFoundError):
            os.remove(self._note)
        self.truncate(0)
        if note is not None:
            total = "" if note.total is None else note.total
            lines = (note.resource, note.etag, note.modified, note.coding, total, note.name)
            with open(self._note, "w", encoding="utf-8", newline="\n", opener=self._make) as file:
                file.write("".join(f"{line}\n" for line in lines))

    def truncate(self, size: int) -> None:
        """Cut the part to that size and continue there."""
        self.size = self.file.truncate(size)
        self.file.seek(size)

    def write(self, pieces: list[bytes]) -> None:
        """Append the pieces."""
        data = memoryview(b"".join(pieces))
        while data:
            count = self.file.write(data)
            self.size += count
            data = data[count:]

    def update(self, digest: Any, start: int, n: int) -> int:
        """Add at most n bytes of the part to a hashlib digest; return the number of bytes."""
        self.file.seek(start)
        data = self.file.read(n)
        digest.update(data)
        return len(data)

    def finish(self) -> None:
        """Rename the part to the final file, and close it.

        Raises:
            FileExistsError: another file with that name has appeared in the directory.
        """
        if self._mode is not None:
            self._change_mode(self._mode)
        if sys.platform == "win32":  # it can't rename an open file; elsewhere the lock is held until the end
            self.file.close()
        if self.is_in_directory and not self._may_replace:
            _move_to_new(self._part, self._path)
        else:
            os.replace(self._part, self._path)
        with suppress(OSError):
            os.remove(self._note)
        self.file.close()
        self._file = None

    def abandon(self, *, keep: bool) -> None:
        """Close the part after its coroutine was dropped, even if a worker is still opening it."""
        with self._lock:
            self._is_abandoned = True
            self.close(keep=keep)

    def close(self, *, keep: bool) -> None:
        """Close the part, and remove it and its note unless it is kept and not empty; no effect after finish()."""
        if self._file is None:
            return
        if sys.platform == "win32":
            self._file.close()
        if not keep or not self.size:
            for path in (self._part, self._note):
                with suppress(OSError):  # do not replace the error that ended the download
                    os.remove(path)
        self._file.close()
        self._file = None


def find_part(path: str | os.PathLike[str], resource: str) -> str:
    """Return the path of the part of a download to a path; in a directory it has the hash of the URL, see Note."""
    target = os.path.realpath(path)
    return (os.path.join(target, resource[:32]) if os.path.isdir(target) else target) + PART


def _move_to_new(source: str, path: str) -> None:
    """Rename a file unless the new name exists, which os.rename() only checks on Windows."""
    try:
        os.link(source, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        os.replace(source, path)
    else:
        os.remove(source)


def _is_at(file: io.FileIO, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _open_own(path: str, flags: int) -> int:
    """Open a regular file that belongs to this user, see check_own(); links are refused."""
    descriptor = open_regular(path, flags | NO_LINK)
    try:
        check_own(os.fstat(descriptor), path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def check_own(found: os.stat_result, path: str) -> None:
    """Raise PermissionError or FileExistsError unless a file belongs to this user and has a single name.

    With a second hard link, writing would change the file under its other name too.
    """
    check_owner(found, path)
    if found.st_nlink > 1:
        raise FileExistsError(errno.EEXIST, "expected a file without a second hard link", path)


def _read_note(path: str) -> Note | None:
    """Return a stored note; None if there is none or it is incomplete."""
    try:
        with open(path, encoding="utf-8", newline="\n", opener=_open_own) as file:
            match = _NOTE.fullmatch(file.read(128 * 1024))
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    if match is None:
        return None
    resource, etag, modified, coding, total, name = match.groups()
    return Note(resource, etag, modified, coding, int(total) if total else None, name)
