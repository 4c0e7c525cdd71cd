"""The SQL of a frontier in SQLite. Every method blocks, and all of them are called in one thread.

A call has few statements, each for all of its entries, which are passed and returned as JSON. While a statement runs,
Python's lock is free for the event loop; a row at a time, the thread would compete for it at each row.

An entry that is taken stays as it is in the file. Its id is put in a temporary table, which is in memory and ends with
the process, so that the entry then waits again.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from hashlib import blake2b
from itertools import chain, islice
from os import PathLike, fspath
from typing import Any

from ..stream.files import make_folder
from .entry import Counts, Entry, Outcome, State
from .frontier import FrontierError, Taken

_APPLICATION = 0x61637266
_VERSION = 1
_BATCH = 10_000
"""Entries in one statement, which bounds its memory."""

_PAGE = 500
_HIGHEST_ID = (1 << 63) - 1

_SETTINGS = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA cache_size = -32768;
PRAGMA wal_autocheckpoint = 4000;
PRAGMA journal_size_limit = 67108864;
PRAGMA temp_store = MEMORY;
CREATE TEMPORARY TABLE taken (id INTEGER PRIMARY KEY);
"""

_SCHEMA = f"""
BEGIN;
CREATE TABLE hosts (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, pages INTEGER NOT NULL DEFAULT 0);
CREATE TABLE seen (key INTEGER PRIMARY KEY);
CREATE TABLE urls (
    id INTEGER PRIMARY KEY,
    host INTEGER NOT NULL,
    url TEXT NOT NULL,
    depth INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    meta TEXT
);
CREATE INDEX queue ON urls (host, priority DESC, attempts, id) WHERE state = 0;
CREATE INDEX failures ON urls (id) WHERE state = 2;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
COMMIT;
"""

_FIND_NEW = """
SELECT json_group_array(each.key) FROM json_each(?) AS each WHERE NOT EXISTS (SELECT 1 FROM seen WHERE key = value)
"""

_ADD_KEYS = "INSERT OR IGNORE INTO seen SELECT value FROM json_each(?)"
_ADD_HOSTS = "INSERT OR IGNORE INTO hosts (name) SELECT value FROM json_each(?)"
_FIND_HOST_IDS = "SELECT json_group_object(name, hosts.id) FROM json_each(?) CROSS JOIN hosts ON name = value"

# The URL is the name, so that the value, which is parsed for each column, is short.
_ADD_URLS = """
INSERT INTO urls (url, host, depth, priority, attempts, meta)
SELECT
    key,
    json_extract(value, '$[0]'),
    json_extract(value, '$[1]'),
    json_extract(value, '$[2]'),
    json_extract(value, '$[3]'),
    json_extract(value, '$[4]')
FROM json_each(?)
"""

_TAKE = """
SELECT json_group_array(json_array(name, pages, (
    SELECT json_group_array(json_array(url, depth, priority, attempts, meta, id))
    FROM (
        SELECT url, depth, priority, attempts, meta, id FROM urls
        WHERE host = hosts.id AND state = 0 AND NOT EXISTS (SELECT 1 FROM taken WHERE taken.id = urls.id)
        ORDER BY priority DESC, attempts, id
        LIMIT ?
    )
)))
FROM json_each(?) CROSS JOIN hosts ON name = value
"""

_MARK = "INSERT OR IGNORE INTO taken SELECT value FROM json_each(?)"
_UNMARK = "DELETE FROM taken WHERE id IN (SELECT value FROM json_each(?))"

_SET_DONE = "UPDATE urls SET state = 1 WHERE state = 0 AND id IN (SELECT value FROM json_each(?))"

_SET_OTHERS = """
UPDATE urls
SET
    state = json_extract(outcome.value, '$[1]'),
    attempts = json_extract(outcome.value, '$[2]'),
    reason = json_extract(outcome.value, '$[3]')
FROM json_each(?) AS outcome
WHERE state = 0 AND urls.id = json_extract(outcome.value, '$[0]')
"""

_COUNT_PAGES = """
UPDATE hosts SET pages = pages + fetched.value FROM json_each(?) AS fetched WHERE name = fetched.key
"""

# Each step of the recursion looks up the next host in the index, whatever the number of its entries.
_FIND_HOSTS = """
WITH RECURSIVE waiting (id) AS (
    SELECT (SELECT min(host) FROM urls WHERE state = 0 AND host > ?)
    UNION ALL
    SELECT (SELECT min(host) FROM urls WHERE state = 0 AND host > waiting.id) FROM waiting WHERE waiting.id < ?
)
SELECT json_group_array(json_array(id, name))
FROM (
    SELECT hosts.id, name FROM waiting CROSS JOIN hosts ON hosts.id = waiting.id
    WHERE hosts.id <= ? AND EXISTS (
        SELECT 1 FROM urls
        WHERE host = hosts.id AND state = 0 AND NOT EXISTS (SELECT 1 FROM taken WHERE taken.id = urls.id)
    )
    LIMIT ?
)
"""

_FAILURES = """
SELECT url, depth, priority, attempts, meta, urls.id, name, reason
FROM urls JOIN hosts ON hosts.id = host WHERE state = 2 AND urls.id > ? ORDER BY urls.id LIMIT ?
"""

_RETRY_FAILED = "UPDATE urls SET state = 0, attempts = 0, reason = NULL WHERE state = 2"


class Store:
    """A file with the entries of a frontier.

    Args:
        path: the file; it and its folder are created if they do not exist.
    """

    _db: sqlite3.Connection

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = fspath(path)
        self._opened = ExitStack()
        self._last_host = 0  # where find_hosts() goes on

    def open(self) -> Counts:
        """Open the file, and return how many entries are in each state.

        Raises:
            FrontierError: the file is of another kind or version, is in use, or can't be opened.
        """
        try:
            make_folder(self._path)
            connection = sqlite3.connect(self._path, timeout=0, isolation_level=None)
            self._db = self._opened.enter_context(closing(connection))
            # The first read locks the file until it is closed; the system ends the lock of a killed process.
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._prepare()
            return self.count()
        except (sqlite3.Error, OSError) as error:
            raise FrontierError(f"expected a file for a frontier, got {self._path!r}: {_explain(error)}") from error

    def _prepare(self) -> None:
        found = self._value("PRAGMA application_id"), self._value("PRAGMA user_version")
        if found == (0, 0) and not self._value("SELECT count(*) FROM sqlite_master"):
            self._db.executescript(_SETTINGS + _SCHEMA)
        elif found == (_APPLICATION, _VERSION):
            self._db.executescript(_SETTINGS)
        elif found[0] == _APPLICATION:
            raise FrontierError(f"expected a frontier of version {_VERSION}, got {self._path!r} of version {found[1]}")
        else:
            raise FrontierError(f"expected a file for a frontier, got {self._path!r}: it is another SQLite database")

    def close(self) -> None:
        """Close the file, if it is open."""
        self._opened.close()

    def count(self) -> Counts:
        """Return how many entries are in each state."""
        waiting = self._value("SELECT count(*) FROM urls WHERE state = 0")
        failed = self._value("SELECT count(*) FROM urls WHERE state = 2")
        pages = self._value("SELECT coalesce(sum(pages), 0) FROM hosts")
        return Counts(waiting, self._last_id() - waiting - failed, failed, pages)  # no row is ever deleted

    def add(self, entries: Sequence[Entry]) -> dict[str, int]:
        """Add the entries whose URLs were never added; return how many were new, by host."""
        new = Counter[str]()
        with self._db:
            self._db.execute("BEGIN")
            for start in range(0, len(entries), _BATCH):
                new.update(self._add(entries[start : start + _BATCH]))
        return new

    def _add(self, entries: Sequence[Entry]) -> list[str]:
        """Add entries, and return the hosts of those that were new."""
        new = self._find_new(entries)
        if new:
            hosts = self._find_host_ids(sorted({entry.host for entry in new}))
            new.sort(key=lambda entry: hosts[entry.host])  # neighbours in the index are written together
            self._db.execute(_ADD_URLS, (json.dumps({entry.url: _build_row(entry, hosts) for entry in new}),))
        return [entry.host for entry in new]

    def _find_new(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return the entries whose URLs were never seen, in their order; from now on they were."""
        given: dict[int, Entry] = {}
        for entry in entries:
            given.setdefault(_find_key(entry.url), entry)
        keys = sorted(given)
        text = json.dumps(keys)
        new = {keys[position] for position in json.loads(self._value(_FIND_NEW, text))}
        if new:
            self._db.execute(_ADD_KEYS, (text,))
        return [entry for key, entry in given.items() if key in new]

    def _find_host_ids(self, names: list[str]) -> dict[str, int]:
        text = json.dumps(names)
        self._db.execute(_ADD_HOSTS, (text,))
        ids: dict[str, int] = json.loads(self._value(_FIND_HOST_IDS, text))
        return ids

    def take(self, wanted: Mapping[str, int]) -> dict[str, Taken]:
        """Take waiting entries: for each host at most as many as the number says."""
        hosts_by_limit = defaultdict(list)
        for host, number in wanted.items():
            hosts_by_limit[1 << number.bit_length()].append(host)  # more than the number, and one of few limits
        taken = dict.fromkeys(wanted, Taken([], True, 0))
        for limit, hosts in hosts_by_limit.items():
            for host, pages, rows in json.loads(self._value(_TAKE, limit, json.dumps(hosts))):
                number = wanted[host]
                taken[host] = Taken([_build_entry(host, *row) for row in rows[:number]], len(rows) <= number, pages)
        self._db.execute(_MARK, (_ids_of(taken),))
        return taken

    def give_back(self, taken: Mapping[str, Taken]) -> None:
        """Let taken entries wait again."""
        self._db.execute(_UNMARK, (_ids_of(taken),))

    def finish(self, outcomes: Sequence[Outcome]) -> None:
        """Write what became of taken entries."""
        done = [outcome.entry.id for outcome in outcomes if outcome.state is State.DONE]
        others = [
            (outcome.entry.id, outcome.state, outcome.entry.attempts, _encode(outcome.reason))
            for outcome in outcomes
            if outcome.state is not State.DONE
        ]
        fetched = Counter(outcome.entry.host for outcome in outcomes if outcome.counts)
        with self._db:
            self._db.execute("BEGIN")
            for statement, values in ((_SET_DONE, done), (_SET_OTHERS, others), (_COUNT_PAGES, fetched)):
                if values:
                    self._db.execute(statement, (json.dumps(values),))
            self._db.execute(_UNMARK, (json.dumps([outcome.entry.id for outcome in outcomes]),))

    def find_hosts(self, limit: int, known: Collection[str]) -> list[str]:
        """Return at most `limit` hosts that have entries to take and are not known; go on after those found before."""
        last = self._last_host
        hosts = chain(self._scan_hosts(last, _HIGHEST_ID), self._scan_hosts(0, last))
        found = list(islice((host for host in hosts if host[1] not in known), limit))
        if found:
            self._last_host = found[-1][0]
        return [name for _, name in found]

    def _scan_hosts(self, after: int, until: int) -> Iterator[tuple[int, str]]:
        """Yield id and name of the hosts that have entries to take, in the order of the ids."""
        while hosts := json.loads(self._value(_FIND_HOSTS, after, until, until, _PAGE)):
            yield from hosts
            after = hosts[-1][0]

    def find_failures(self, after: int) -> list[tuple[Entry, str]]:
        """Return the next failed entries, whose ids are higher than `after`, with their reasons."""
        rows = self._db.execute(_FAILURES, (after, _PAGE)).fetchall()
        return [(_build_entry(row[6], *row[:6]), row[7]) for row in rows]

    def retry_failed(self) -> int:
        """Give all failed entries again, with 0 attempts; return how many there were."""
        return self._db.execute(_RETRY_FAILED).rowcount

    def _last_id(self) -> int:
        return self._value("SELECT max(id) FROM urls") or 0

    def _value(self, statement: str, *arguments: object) -> Any:
        return self._db.execute(statement, arguments).fetchone()[0]


def _explain(error: Exception) -> str:
    is_locked = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
    return "it is in use by another process" if is_locked else str(error)


def _build_row(entry: Entry, hosts: Mapping[str, int]) -> tuple[Any, ...]:
    meta = None if entry.meta is None else json.dumps(entry.meta)
    return hosts[entry.host], entry.depth, entry.priority, entry.attempts, meta


def _build_entry(host: str, url: str, depth: int, priority: int, attempts: int, meta: str | None, number: int) -> Entry:
    value = None if meta is None else json.loads(meta)
    return Entry(url, host=host, depth=depth, priority=priority, attempts=attempts, meta=value, id=number)


def _find_key(url: str) -> int:
    """Return a hash of 64 bits: two of ten million URLs have the same with a probability of one to 350,000."""
    return int.from_bytes(blake2b(url.encode(), digest_size=8).digest(), "big", signed=True)


def _encode(text: str) -> str:
    """Return a text that SQLite can hold: without lone surrogates, for example of a file name, and without NUL."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\x00")


def _ids_of(taken: Mapping[str, Taken]) -> str:
    return json.dumps([entry.id for each in taken.values() for entry in each.entries])
