"""The rows of the table: which requests are made, of which server, by which contenders."""

from __future__ import annotations

from typing import NamedTuple

BODY = {"name": "item", "tags": ["a", "b"], "price": 9.5, "count": 3}
"""Sent as JSON."""

MEGABYTES_100 = 100_000_000


class Row(NamedTuple):
    """Requests to be made, `at_once` at any time.

    Args:
        goal: what is wanted of the project's first client: its CPU per request as a multiple of the base's.
        path: asked of the server; `/close` ends the connection.
        requests: made in one turn.
        work: the method of a contender.
        is_tls: made over TLS.
        is_unique: each has a URL of its own.
        is_real: made of the real server; otherwise of the project's own, for responses that only that one has.
        without: contenders that cannot do it, or not in sensible time.
    """

    title: str
    path: str
    at_once: int
    requests: int
    goal: float
    work: str = "get"
    is_tls: bool = False
    is_unique: bool = False
    is_real: bool = True
    without: tuple[str, ...] = ()

    def urls(self, base: str, task: int, number: int) -> list[str]:
        """Return the URLs of one of the tasks."""
        url = base + self.path
        return [f"{url}?{task}-{count}" for count in range(number)] if self.is_unique else [url] * number


class Contender(NamedTuple):
    """A client.

    Args:
        environment: of its own, or shared with others: `bench` or `niquests`.
        share: of the requests of a row that it makes, because it is slow.
    """

    title: str
    environment: str = "bench"
    share: float = 1.0


class Suite(NamedTuple):
    """Rows in which the same contenders are compared with one of them, the base."""

    title: str
    base: str
    ours: tuple[str, ...]
    rows: dict[str, Row]
    contenders: dict[str, Contender]

    def contenders_of(self, row: str) -> list[str]:
        """Return the names of the contenders in a row, the base included."""
        return [name for name in self.contenders if name not in self.rows[row].without]


AWAITABLE = Suite(
    "Asynchronous clients",
    "aiohttp",
    ("asyncclient",),
    {
        "single": Row("small GET, one at a time", "/small", 1, 4000, 0.38),
        "hundred": Row("small GET, 100 at once", "/small", 100, 12_000, 0.30),
        "thousand": Row("small GET, 1000 at once", "/small", 1000, 12_000, 0.26, without=("httpx",)),
        "unique": Row("every URL new, 100 at once", "/small", 100, 12_000, 0.36, is_unique=True),
        "varied": Row("every response head new, 100 at once", "/varied", 100, 12_000, 0.36),
        "gzip": Row("JSON in gzip, 100 at once", "/json", 100, 8000, 0.45, is_real=False, without=("bare",)),
        "post": Row("POST of JSON, 100 at once", "/sink", 100, 8000, 0.36, "post", is_real=False),
        "chunked": Row("10 kB in 20 chunks, 100 at once", "/chunked/10000/500", 100, 6000, 0.40, is_real=False),
        "new": Row("new connection each, 50 at once", "/close", 50, 3000, 0.38),
        "new-tls": Row("new TLS connection each, 10 at once", "/close", 10, 600, 0.80, is_tls=True),
        "tls": Row("TLS, 100 at once", "/small", 100, 8000, 0.38, is_tls=True),
        "download": Row("download of 100 MB", f"/bytes/{MEGABYTES_100}", 1, 3, 0.50, "download"),
        "upload": Row("upload of a file of 100 MB", "/sink", 1, 3, 0.40, "upload", is_real=False, without=("bare",)),
    },
    {
        "bare": Contender("bare streams"),
        "asyncclient": Contender("asyncclient"),
        "pyreqwest": Contender("pyreqwest"),
        "aiohttp": Contender("aiohttp"),
        "httpx": Contender("httpx", share=0.05),
    },
)

BLOCKING = Suite(
    "Blocking clients",
    "http.client",
    ("compat", "asyncclient.blocking"),
    {
        "kept": Row("small GET on one connection", "/small", 1, 4000, 0.50),
        "opened": Row("new connection each", "/close", 1, 1500, 0.53),
        "kept-tls": Row("TLS, small GET on one connection", "/small", 1, 4000, 0.55, is_tls=True),
        "pieces": Row("10 kB in 20 chunks", "/chunked/10000/500", 1, 2000, 0.60, is_real=False),
        "reads": Row("100 MB in reads of 64 KiB", f"/bytes/{MEGABYTES_100}", 1, 3, 1.00, "download"),
    },
    {
        "http.client": Contender("http.client"),
        "compat": Contender("compat"),
        "asyncclient.blocking": Contender("asyncclient.blocking"),
        "urllib3": Contender("urllib3"),
        "requests": Contender("requests", share=0.5),
        "niquests": Contender("niquests", "niquests", share=0.5),
    },
)

SUITES = (AWAITABLE, BLOCKING)
ROWS = {name: row for suite in SUITES for name, row in suite.rows.items()}


def suite_of(row: str) -> Suite:
    """Return the suite of a row."""
    return next(suite for suite in SUITES if row in suite.rows)
