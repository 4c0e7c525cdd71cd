"""Opening and measuring files without blocking the loop: in worker threads, and without waiting for a peer."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import stat
import sys
from collections.abc import Callable
from functools import partial
from io import BufferedReader
from typing import Any, Final, NamedTuple, TypeVar

from ..errors import clip

_T = TypeVar("_T")

SAFE_OPEN_FLAGS: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
"""Flags for os.open() that open a FIFO or a device without waiting and without side effects."""


def open_regular(
    path: str | os.PathLike[str], flags: int = os.O_RDONLY, mode: int = 0o666, *, may_be_null: bool = False
) -> int:
    """Open a regular file without blocking, and return its descriptor; also usable as the `opener` of open().

    Other users may have prepared the path, or may change it between a check and opening: a FIFO would block until its
    other end is opened, and opening some devices has side effects.

    Args:
        path: of the file.
        flags: for os.open().
        mode: of a new file.
        may_be_null: accept the null device too, as an empty file.

    Raises:
        IsADirectoryError, FileExistsError: the path is not a regular file.
        OSError: see os.open().
    """
    try:
        descriptor = os.open(path, flags | SAFE_OPEN_FLAGS, mode)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a FIFO that is not read, or a socket
            raise FileExistsError(errno.EEXIST, "expected a regular file", os.fspath(path)) from None
        raise
    try:
        found = os.fstat(descriptor)
        if not (may_be_null and os.path.samestat(found, os.stat(os.devnull))):
            check_regular(found, path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


open_regular_or_null: Final = partial(open_regular, may_be_null=True)
"""An opener for configuration files: users pass the null device to say that there is none."""


def check_regular(found: os.stat_result, path: str | os.PathLike[str]) -> None:
    """Raise IsADirectoryError or FileExistsError unless the status is that of a regular file."""
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not stat.S_ISREG(found.st_mode):
        raise FileExistsError(errno.EEXIST, "expected a regular file", os.fspath(path))


def find_mode(path: str, *, is_followed: bool = True) -> int | None:
    """Return the permissions of the file to be replaced; None if it does not exist.

    A device or a directory is refused: renaming a new file to /dev/null would replace the device for every program.
    """
    try:
        found = os.stat(path, follow_symlinks=is_followed)
    except FileNotFoundError:
        return None
    check_regular(found, path)
    return found.st_mode & 0o777


def check_owner(found: os.stat_result, path: str) -> None:
    """Raise PermissionError unless a file belongs to this user, or to the owner of its directory.

    The owner of the directory could replace the file anyway; and file systems without owners (FAT, CIFS) report the
    same owner for both.
    """
    if sys.platform == "win32":
        return
    if found.st_uid not in (os.geteuid(), os.stat(os.path.dirname(path) or ".").st_uid):
        raise PermissionError(errno.EPERM, "expected a file of this user", path)


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make the folder of a file that will be created, and those above it, unless they exist.

    Raises:
        NotADirectoryError: the folder is a file.
        OSError: it can't be created.
    """
    if folder := os.path.dirname(path):
        try:
            os.makedirs(folder, exist_ok=True)
        except FileExistsError:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), os.fspath(folder)) from None


def lock_file(file: io.FileIO, path: str, reason: str) -> None:
    """Lock an open file until it is closed, for this and other processes; without effect where there are no locks.

    Args:
        file: the file.
        path: its path, for the error.
        reason: the text of the error.

    Raises:
        BlockingIOError: it is locked already.
    """
    if sys.platform == "win32":
        return
    import fcntl  # not on Windows

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BlockingIOError(errno.EAGAIN, reason, path) from None
    except OSError:
        pass  # the file system has no locks


async def offload(function: Callable[..., _T], *args: Any) -> _T:
    """Call a function that may block on a disk in a worker thread; return its result."""
    return await asyncio.get_running_loop().run_in_executor(None, function, *args)


class FileState(NamedTuple):
    """The identity and version of a regular file."""

    device: int
    inode: int
    size: int
    modified: int


async def measure_file(path: str | os.PathLike[str]) -> FileState | None:
    """Return the state of a readable regular file, by opening and closing it; None for a FIFO or a device.

    Raises:
        OSError: it can't be read, or is a directory.
    """
    return await offload(_measure, path)


async def open_file(
    path: str | os.PathLike[str], expected: FileState | None = None, *, must_be_regular: bool = False
) -> BufferedReader:
    """Open a file for reading in a worker thread; the caller closes it, which does not block.

    A worker can't be cancelled: if the task is cancelled while the file is being opened, the file is closed afterwards.
    aiofiles would leave it open.

    Args:
        path: of the file.
        expected: the state of the file when it was measured; None accepts any file.
        must_be_regular: refuse a FIFO or a device; otherwise opening a FIFO waits for its other end.

    Raises:
        OSError: it can't be opened, or is not a regular file although it must be or was.
        ValueError: its state differs from `expected`.
    """
    opening = asyncio.get_running_loop().run_in_executor(None, _open, path, expected, must_be_regular)
    try:
        return await asyncio.shield(opening)
    except (asyncio.CancelledError, GeneratorExit):  # GeneratorExit: the coroutine is collected
        opening.add_done_callback(_close)
        raise


def _measure(path: str | os.PathLike[str]) -> FileState | None:
    mode = os.stat(path).st_mode  # opening and closing a FIFO would end the program that writes to it
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return None
    with open(path, "rb", opener=open_regular) as file:
        return _describe(file.fileno())


def _open(path: str | os.PathLike[str], expected: FileState | None, must_be_regular: bool) -> BufferedReader:
    if expected is not None:
        return open(path, "rb", opener=partial(_open_expected, expected))
    return open(path, "rb", opener=open_regular) if must_be_regular else open(path, "rb")


def _open_expected(expected: FileState, path: str, flags: int) -> int:
    descriptor = open_regular(path, flags)
    if _describe(descriptor) != expected:
        os.close(descriptor)
        raise ValueError(f"file was changed after it was measured and before it was sent: {clip(path)}")
    return descriptor


def _describe(descriptor: int) -> FileState:
    found = os.fstat(descriptor)
    return FileState(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _close(opening: asyncio.Future[BufferedReader]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
