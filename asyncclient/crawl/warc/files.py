"""The files of an archive: each is filled up to a size, then gets its final name. Used in worker threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from io import BufferedWriter
from typing import Final

from ...stream.files import make_folder
from .records import Capture, Records

OPEN: Final = ".open"
"""The end of a file's name while it is being written; a process that is killed leaves it so."""


class Files:
    """Writes the records of exchanges into one file after another.

    Args:
        prefix: the directory, and the beginning of the names.
        records: builds the records.
        suffix: the end of the final names.
        max_size: bytes of a file, which only a single exchange may exceed.
        info: fields of the user, for the first record of each file.
        opener: opens a new file, as for open().

    Attributes:
        paths: the files with their final names, in order; the last one may still be written.
    """

    def __init__(
        self,
        prefix: str,
        records: Records,
        *,
        suffix: str,
        max_size: int,
        info: Mapping[str, str],
        opener: Callable[[str, int], int] | None,
    ) -> None:
        self.paths: list[str] = []
        self._prefix = prefix
        self._records = records
        self._suffix = suffix
        self._max_size = max_size
        self._info = dict(info)
        self._opener = opener
        self._file: BufferedWriter | None = None
        # Bytes of the open file.
        self._size = 0
        self._serial = 0
        # A cancelled task leaves its thread running.
        self._lock = threading.Lock()

    def check(self) -> None:
        """Create the directory if it does not exist; raise an error unless files can be created in it.

        Raises:
            OSError: it can't be created, is not a directory, or must not be written to.
        """
        directory = os.path.dirname(self._prefix) or os.curdir
        make_folder(self._prefix)
        if not os.access(directory, os.W_OK | os.X_OK):
            raise PermissionError(13, os.strerror(13), directory)

    def write(self, captures: Sequence[Capture]) -> None:
        """Write exchanges, and pass them on to the system.

        Raises:
            OSError: they can't be written.
        """
        with self._lock:
            for capture in captures:
                self._append(self._records.build(capture))
            if self._file is not None:
                self._file.flush()

    def close(self, *, is_complete: bool) -> None:
        """Close the open file; a complete one gets its final name."""
        with self._lock:
            self._close(is_complete=is_complete)

    def _append(self, data: bytes) -> None:
        if self._file is not None and self._size + len(data) > self._max_size:
            self._close(is_complete=True)
        if self._file is None:
            self.check()
            self._file = self._open()
            self._size = self._file.write(self._records.build_info(os.path.basename(self.paths[-1]), self._info))
        self._size += self._file.write(data)

    def _open(self) -> BufferedWriter:
        """Create a file, never a used one: a killed process may have left half a record at its end."""
        while True:
            name = f"{datetime.now(UTC):%Y%m%d%H%M%S}-{self._serial:05}-{os.getpid()}"
            path = f"{self._prefix}-{name}{self._suffix}"
            self._serial += 1
            if not os.path.exists(path):
                try:
                    file = open(path + OPEN, "xb", opener=self._opener)  # noqa: SIM115  # closed by close()
                except FileExistsError:
                    continue
                self.paths.append(path)
                return file

    def _close(self, *, is_complete: bool) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()
            if is_complete:
                os.rename(self.paths[-1] + OPEN, self.paths[-1])
