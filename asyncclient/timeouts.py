"""The time limits of an exchange: seconds for each phase, and the deadline of the whole."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from .arguments import keyword_only
from .errors import TotalTimeout

_INSTEAD: Final = {
    "pool_timeout": "pool=",
    "sock_connect": "connect=",
    "sock_read": "read=",
    "connect_timeout": "connect=",
    "read_timeout": "read=",
    "write_timeout": "write=",
    "timeout": "total=",
}


@keyword_only(_INSTEAD, "Timeout(total=...) for everything together, Timeout(connect=..., read=...) for single phases")
@dataclass(frozen=True, slots=True, kw_only=True)
class Timeout:
    """Seconds that each phase of an exchange may take; None sets no limit.

    Args:
        connect: resolving and connecting together; the same limit applies again to opening a tunnel through a proxy.
        tls: one TLS handshake.
        pool: the wait for a connection of a pool, until one may be opened or becomes free.
        write: each wait until the server accepts more of a request.
        read: each wait for more bytes of a response.
        total: request and response together, including opening the connection and the body; received bytes do not
            extend it. For a client it includes redirects, retries and the pauses between them.
        min_rate: minimum rate of content, in bytes per second (client only). RateTimeout is raised once the transfer is
            `rate_patience` seconds behind it.
        rate_patience: see min_rate.
        expect: the wait for `100 Continue`; after it the body is sent without.
        close: the time that an orderly close may take before the connection is aborted.
        tls_close: the wait for the server's close_notify after ours was sent; with 0 there is no wait.

    Raises:
        TypeError: a value is not a number, or an argument is positional.
        ValueError: a value is below 0, or min_rate is 0.
    """

    connect: float | None = 10.0
    tls: float | None = 10.0
    pool: float | None = None
    write: float | None = 60.0
    read: float | None = 60.0
    total: float | None = None
    min_rate: float | None = None
    rate_patience: float = 10.0
    expect: float = 1.0
    close: float = 1.0
    tls_close: float = 0.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in self.__slots__:
            seconds = getattr(self, name)
            unit = "bytes per second" if name == "min_rate" else "seconds"
            if seconds is not None and not isinstance(seconds, int | float):
                raise TypeError(f"expected {unit} for {name}, got {type(seconds).__name__}")
            if seconds is not None and not seconds >= 0:
                raise ValueError(f"expected {unit} for {name}, got {seconds!r}")
        if self.min_rate == 0:
            raise ValueError("expected a min_rate above 0, or None")

    def __hash__(self) -> int:
        """Return a hash of one field: a request with `timeout=5` is looked up by it, and most values differ there."""
        return hash(self.read)

    @staticmethod
    @lru_cache(maxsize=64)  # called twice for each new connection; the checks take a few microseconds
    def each(seconds: float | None) -> Timeout:
        """Return a Timeout with the same seconds for each single operation, as http.client means its timeout."""
        return Timeout(connect=seconds, tls=seconds, write=seconds, read=seconds)


class GlobalDefault:
    """The timeout that socket.setdefaulttimeout() has set when the connection is opened."""

    def __repr__(self) -> str:
        return "<global default timeout>"


GLOBAL_DEFAULT: Final = GlobalDefault()


@dataclass(slots=True)  # not a NamedTuple, whose attributes are slow to read; nor frozen, which is slow to make
class Deadline:
    """When an exchange as a whole must be over, and how long it was meant to take. It is never modified.

    Attributes:
        at: the time of the event loop; infinite without a limit.
        total: the seconds as they were configured (`Timeout.total`), for the error's text; None without a limit.
    """

    at: float = math.inf
    total: float | None = None

    @classmethod
    def after(cls, seconds: float | None, now: float) -> Deadline:
        """Return the deadline that many seconds after a time of the loop; None sets no limit."""
        return NEVER if seconds is None else cls(now + seconds, seconds)

    def left(self, now: float) -> float:
        """Return the seconds that are left; below 0 once the deadline has passed."""
        return self.at - now

    def error(self, doing: str) -> TotalTimeout:
        """Return the error of a deadline that has passed.

        Args:
            doing: the beginning of its text, such as "no complete response from example.com:80"; see no_response().
        """
        total = self.total or 0.0
        return TotalTimeout(f"{doing} in {total:g} s", "total", total)


NEVER: Final = Deadline()


def no_response(peer: str) -> str:
    """Return the beginning of the text of a deadline that passed between the first request byte and the last byte read.

    Args:
        peer: the server.
    """
    return f"no complete response from {peer}"
