"""A store of a cache in an SQLite file, which several processes may share.

All calls are made in one thread of the store's own, in order: a write that was not awaited is seen by a later read, and
the event loop never waits for a disk.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, TypeVar

from ..arguments import check_number, known_arguments
from ..stream.files import make_folder
from .entry import Entry

_T = TypeVar("_T")

_log = logging.getLogger("asyncclient.cache")

VERSION: Final = 1
"""The version of the tables; a file with another version is emptied."""

EVICTED: Final = 50
"""Entries that are looked up at once to be removed."""

TABLES: Final = """
    CREATE TABLE entries (id INTEGER PRIMARY KEY AUTOINCREMENT, url TEXT NOT NULL, size INTEGER NOT NULL,
        used_at REAL NOT NULL, head TEXT NOT NULL, content BLOB NOT NULL);
    CREATE INDEX entries_by_url ON entries (url);
    CREATE INDEX entries_by_use ON entries (used_at, size);
"""


@known_arguments({})
class SQLiteStore:
    """A store in a file, which is created, readable for its owner only, if it and its folder do not exist.

    If the file can't be used, requests do not fail: nothing is stored then, and the log has one warning until the file
    can be used again.

    Args:
        path: the file; next to it are SQLite's own files, named `path` + "-wal" and "-shm".
        max_size: limit of all entries in bytes. The file is somewhat larger.
    """

    def __init__(self, path: str | os.PathLike[str], max_size: int = 1024**3) -> None:
        check_number("max_size", max_size, 0)
        self.path = os.fspath(path)
        self.max_size = max_size
        self._thread: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None
        self._is_closed = False
        self._failure = ""  # the last warning, until a call succeeds

    async def find(self, url: str) -> list[Entry]:
        """See Store; so are the other methods."""
        return await self._call(self._find, [], url)

    async def read(self, entry: Entry) -> bytes | None:
        """Return the content."""
        return await self._call(self._read, None, entry.id)

    def put(self, entry: Entry, content: bytes) -> None:
        """Store a response."""
        if entry.size <= self.max_size:
            self._submit(self._put, None, entry, content)

    def update(self, entry: Entry) -> None:
        """Replace an entry."""
        self._submit(self._update, None, entry)

    def remove(self, entry: Entry) -> None:
        """Remove an entry."""
        self._submit(self._remove, None, entry.id)

    async def aclose(self) -> None:
        """Finish all writes, and close the file."""
        if self._thread is not None:
            closing = self._submit(self._close, None)
            self._is_closed = True
            await asyncio.wrap_future(closing)
            self._thread.shutdown(wait=False)
            self._thread = None
        self._is_closed = True

    # In the thread of the event loop

    async def _call(self, function: Callable[..., _T], default: _T, *args: Any) -> _T:
        return await asyncio.wrap_future(self._submit(function, default, *args))

    def _submit(self, function: Callable[..., _T], default: _T, *args: Any) -> Future[_T]:
        """Have a function called in the thread of the store; after a failure the result is the default."""
        if self._is_closed:
            done: Future[_T] = Future()
            done.set_result(default)
            return done
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "asyncclient-cache")
        return self._thread.submit(self._guard, function, default, *args)

    def _guard(self, function: Callable[..., _T], default: _T, *args: Any) -> _T:
        try:
            result = function(*args)
        except (sqlite3.Error, OSError, ValueError, TypeError) as error:  # the latter two: an entry that is damaged
            if repr(error) != self._failure:
                _log.warning("the cache %s has failed: %r", self.path, error)
            self._failure = repr(error)
            return default
        self._failure = ""
        return result

    # In the thread of the store

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            make_folder(self.path)
            with suppress(FileExistsError):
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            connection = sqlite3.connect(self.path, timeout=5.0, isolation_level=None)
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        with _transaction(connection):
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != VERSION:
                connection.execute("DROP TABLE IF EXISTS entries")
                for statement in filter(str.strip, TABLES.split(";")):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version={VERSION}")

    def _find(self, url: str) -> list[Entry]:
        rows = self._open().execute("SELECT id, size, head FROM entries WHERE url = ?", (url,)).fetchall()
        return [_unpack(number, url, size, head) for number, size, head in rows]

    def _read(self, number: int) -> bytes | None:
        connection = self._open()
        row = connection.execute("SELECT content FROM entries WHERE id = ?", (number,)).fetchone()
        if row is None:
            return None
        connection.execute("UPDATE entries SET used_at = ? WHERE id = ?", (time.time(), number))
        return bytes(row[0])

    def _put(self, entry: Entry, content: bytes) -> None:
        connection = self._open()
        with _transaction(connection):
            for old in self._find(entry.url):
                if (old.method, old.vary) == (entry.method, entry.vary):
                    self._remove(old.id)
            row = (entry.url, entry.size, time.time(), _pack(entry), content)
            connection.execute("INSERT INTO entries (url, size, used_at, head, content) VALUES (?, ?, ?, ?, ?)", row)
            self._evict(connection)

    def _evict(self, connection: sqlite3.Connection) -> None:
        """Remove the entries that were not used for the longest time, until the others are within the limit."""
        (size,) = connection.execute("SELECT coalesce(sum(size), 0) FROM entries").fetchone()
        while size > self.max_size:
            query = f"SELECT id, size FROM entries ORDER BY used_at, id LIMIT {EVICTED}"
            for number, freed in connection.execute(query).fetchall():
                self._remove(number)
                size -= freed
                if size <= self.max_size:
                    break

    def _update(self, entry: Entry) -> None:
        changes = (entry.size, _pack(entry), entry.id)
        self._open().execute("UPDATE entries SET size = ?, head = ? WHERE id = ?", changes)

    def _remove(self, number: int) -> None:
        self._open().execute("DELETE FROM entries WHERE id = ?", (number,))

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __repr__(self) -> str:
        return f"<SQLiteStore {self.path!r}>"


class _transaction:  # noqa: N801  (used as a function)
    """A block that is committed, or rolled back after an exception."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._connection.execute("COMMIT" if kind is None else "ROLLBACK")


def _pack(entry: Entry) -> str:
    parts = (entry.method, entry.vary, entry.status, entry.reason, entry.fields, entry.trailers, entry.received_at)
    return json.dumps(parts)


def _unpack(number: int, url: str, size: int, head: str) -> Entry:
    method, vary, status, reason, fields, trailers, received_at = json.loads(head)
    return Entry(method, url, _pairs(vary), status, reason, _pairs(fields), _pairs(trailers), received_at, size, number)


def _pairs(pairs: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in pairs)
