"""The rules of RFC 9111, by the states of the library hishel, for requests and entries of this package.

hishel decides: may a stored response be used, must it be confirmed, may a response be stored, which entries end. It
sees copies of the fields; those that are stored and returned are ours, as received. Its copy of a stored response has a
Date that includes the Age of other caches and is never missing, because it measures the age by that alone.

Decided here, because hishel leaves it open: the directives of a request (no-store, max-age, min-fresh, max-stale,
only-if-cached), stale-while-revalidate and stale-if-error (RFC 5861), and that no response to a request with
Authorization is stored without permission (§3.5), also by a cache that is not shared.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from email.utils import formatdate, parsedate_to_datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final

from ..message.fields import Fields
from ..transport import TransportRequest
from .entry import Entry, Pairs, measure

if TYPE_CHECKING:
    import hishel

CONDITIONS: Final = ("if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range")
"""Fields of requests that are passed on unchanged: their callers want the answer of the server."""

PERMISSIONS: Final = frozenset(("public", "must-revalidate", "s-maxage"))
"""Directives of a response that allow storing it although the request has Authorization (RFC 9111 §3.5)."""

LIFETIMES: Final = frozenset(("max-age", "s-maxage"))

VALIDATORS: Final = ("etag", "last-modified", "expires")
"""Fields of a response, one of which makes it usable later if it has no lifetime."""

CONNECTION_FIELDS: Final = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade")
)

CONTENT_FIELDS: Final = frozenset(("content-encoding", "content-length", "content-range", "content-type"))
"""Fields that a confirmation does not change, as the stored content would not fit them."""

_DIRECTIVE: Final = re.compile(r'([!#$%&\'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,;"]*)))?')
_SECONDS: Final = re.compile(r"[0-9]{1,10}")


def parse_directives(fields: Fields) -> dict[str, str]:
    """Return the directives of Cache-Control by lower-case name; those without a value have ""."""
    found = _DIRECTIVE.findall(fields.get("cache-control", ""))
    return {name.lower(): quoted or plain for name, quoted, plain in found}


def find_seconds(directives: dict[str, str], name: str) -> int | None:
    """Return the seconds of a directive; None if it is missing, 0 if it is malformed."""
    value = directives.get(name)
    return None if value is None else parse_seconds(value)


def parse_seconds(value: str) -> int:
    """Return a number of seconds; 0 if it is malformed."""
    return int(value) if _SECONDS.fullmatch(value) else 0


class CacheRequest:
    """A request as the rules see it.

    Attributes:
        method, url, headers: of the request.
        directives: those of its Cache-Control.
    """

    def __init__(self, request: TransportRequest) -> None:
        self.method = request.method
        self.url = request.url
        self.headers = request.headers
        self.directives = parse_directives(request.headers)

    @property
    def is_unsafe(self) -> bool:
        """True if the method may change the resource (RFC 9110 §9.2.1)."""
        return self.method not in ("GET", "HEAD", "OPTIONS", "TRACE")

    @property
    def is_passed_on(self) -> bool:
        """True if the request is not answered from the cache, and its response not stored."""
        if self.method not in ("GET", "HEAD") or "no-store" in self.directives:
            return True
        return "upgrade" in self.headers or any(name in self.headers for name in CONDITIONS)

    @cached_property
    def view(self) -> hishel.Request:
        """The request for hishel."""
        import hishel

        return hishel.Request(self.method, self.url, view_fields(self.headers.pairs()))

    def demand_confirmation(self) -> hishel.Request:
        """Return the request for hishel, as if it had the directive no-cache."""
        import hishel

        pairs = [*self.headers.pairs(), ("cache-control", "no-cache")]
        return hishel.Request(self.method, self.url, view_fields(pairs))


def view_fields(pairs: Iterable[tuple[str, str]]) -> hishel.Headers:
    """Return fields for hishel."""
    import hishel

    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        lists.setdefault(name.lower(), []).append(value)
    return hishel.Headers(lists)


def view_entry(entry: Entry, grace: float = 0.0) -> hishel.Entry:
    """Return an entry for hishel, younger by `grace` seconds than it is.

    Its request has no fields: Entry.is_for() has compared those that Vary names, and Vary is removed.
    """
    import hishel

    fields = Fields(entry.fields)
    date = parse_date(fields.get("date")) or entry.received_at
    made_at = find_start(fields, entry.received_at) + grace
    changed = {"date": format_date(made_at)}
    expires = parse_date(fields.get("expires"))
    if expires is not None:
        changed["expires"] = format_date(expires + made_at - date)
    pairs = [(name, value) for name, value in entry.fields if name.lower() not in (*changed, "vary")]
    headers = view_fields([*pairs, *changed.items()])
    response = hishel.Response(entry.status, headers)
    return hishel.Entry(uuid.UUID(int=entry.id), hishel.Request(entry.method, entry.url), response)


def find_start(fields: Fields, received_at: float) -> float:
    """Return when a response was made, in Unix seconds, by its Date and its Age (RFC 9111 §4.2.3)."""
    date = parse_date(fields.get("date")) or received_at
    return min(received_at, date, received_at - parse_seconds(fields.get("age", "")))


def view_response(status: int, fields: Fields) -> hishel.Response:
    """Return a response for hishel."""
    import hishel

    return hishel.Response(status, view_fields(fields.pairs()))


def is_fresh(state: Any) -> bool:
    """Return True if hishel's state is that a stored response may be used."""
    import hishel

    return isinstance(state, hishel.FromCache)


def find_entry(entries: Sequence[Entry], state: Any) -> Entry:
    """Return the entry that hishel's state names."""
    return next(entry for entry in entries if entry.id == state.entry.id.int)


@lru_cache(maxsize=1024)
def parse_date(value: str | None) -> float | None:
    """Return an HTTP date in Unix seconds; None if it is missing or malformed."""
    if value is None:
        return None
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None


def format_date(seconds: float) -> str:
    """Return Unix seconds as an HTTP date."""
    return formatdate(max(seconds, 0.0), usegmt=True)


class Rules:
    """The rules for one cache.

    Args:
        is_shared: the cache serves several users (RFC 9111 §1).
    """

    def __init__(self, *, is_shared: bool) -> None:
        self._options: Any = {"shared": is_shared, "allow_stale": False, "supported_methods": ["GET", "HEAD"]}

    def begin(self, request: CacheRequest, entries: Sequence[Entry], grace: float = 0.0) -> Any:
        """Return hishel's first state for a request: FromCache, NeedRevalidation or CacheMiss.

        Args:
            grace: seconds by which the entries count as younger.
        """
        import hishel

        directives = request.directives
        grace += (find_seconds(directives, "max-stale") or 0) if self._may_be_stale(entries) else 0
        grace -= find_seconds(directives, "min-fresh") or 0
        state = hishel.IdleClient(self._options).next(request.view, [view_entry(entry, grace) for entry in entries])
        limit = find_seconds(directives, "max-age")
        if limit is not None and is_fresh(state) and (not limit or find_age(find_entry(entries, state)) > limit):
            return self.demand(request, entries)  # also with max-age=0 within the first second: that means a reload
        return state

    def demand(self, request: CacheRequest, entries: Sequence[Entry]) -> Any:
        """Return hishel's state for a request whose entries must be confirmed."""
        import hishel

        views = [view_entry(entry) for entry in entries]
        return hishel.IdleClient(self._options).next(request.demand_confirmation(), views)

    def _may_be_stale(self, entries: Sequence[Entry]) -> bool:
        return not any("must-revalidate" in parse_directives(Fields(entry.fields)) for entry in entries)

    def is_within(self, directive: str, request: CacheRequest, entries: Sequence[Entry]) -> bool:
        """Return True if an entry may be used though it is stale: stale-while-revalidate, stale-if-error (RFC 5861)."""
        import hishel

        if not self._may_be_stale(entries) or "no-cache" in request.directives or "max-age" in request.directives:
            return False
        seconds = [find_seconds(parse_directives(Fields(entry.fields)), directive) or 0 for entry in entries]
        return any(
            grace and isinstance(self.begin(request, [entry], grace), hishel.FromCache)
            for entry, grace in zip(entries, seconds, strict=True)
        )

    def may_store(self, request: CacheRequest, status: int, fields: Fields, state: Any) -> bool:
        """Return True if a response may be stored; `state` is hishel's after it."""
        import hishel

        if not isinstance(state, hishel.StoreAndUse) or status < 200:
            return False
        if "set-cookie" in fields:  # it is for one moment: an old cookie must not replace a new one
            return False
        directives = parse_directives(fields)
        if LIFETIMES.isdisjoint(directives) and not any(
            name in fields for name in VALIDATORS
        ):  # it could never be used
            return False
        return "authorization" not in request.headers or not PERMISSIONS.isdisjoint(directives)


def find_age(entry: Entry) -> int:
    """Return the present age of an entry in seconds (RFC 9111 §4.2.3)."""
    return max(0, int(time.time() - find_start(Fields(entry.fields), entry.received_at)))


def keep_fields(pairs: Iterable[tuple[str, str]], view: hishel.Headers) -> Pairs:
    """Return the fields to store, as received: without those that hishel has removed, or that Connection names."""
    pairs = list(pairs)
    named = {part.strip().lower() for name, value in pairs if name.lower() == "connection" for part in value.split(",")}
    dropped = named | CONNECTION_FIELDS
    return tuple(pair for pair in pairs if pair[0].lower() in view and pair[0].lower() not in dropped)


def confirm(entry: Entry, fields: Fields, received_at: float) -> Entry:
    """Return an entry that a response with status 304 has confirmed, with the fields of that (RFC 9111 §3.2)."""
    new = keep_fields(fields.pairs(), view_fields(fields.pairs()))
    new = tuple(pair for pair in new if pair[0].lower() not in CONTENT_FIELDS and pair[0].lower() != "set-cookie")
    names = {name.lower() for name, _ in new} | {"age"}
    kept = tuple(pair for pair in entry.fields if pair[0].lower() not in names)
    content = entry.size - measure(0, entry.fields, entry.trailers)
    return replace(entry, fields=kept + new, received_at=received_at, size=measure(content, kept + new, entry.trailers))
