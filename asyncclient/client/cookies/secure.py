"""An index of a jar's secure cookies: does a cookie conflict with one of them?

A cookie received without TLS must not replace a secure cookie, nor be sent together with it under the same name (RFC
6265bis §5.7). It conflicts if the names are equal, one domain is equal to or below the other, and the secure cookie's
path is equal to or above the other's. A server may set thousands of cookies, so the cost of a lookup does not depend on
their number.

Domains and paths are cut to MAX_LABELS and MAX_SEGMENTS, which real ones do not reach; a hostile domain of hundreds of
labels would create as many entries. A cookie that is cut is treated as conflicting: a cookie may be lost, but none is
exposed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .fields import Cookie, is_address

MAX_LABELS: Final = 16
MAX_SEGMENTS: Final = 64

_Paths = dict[str, int]
"""The number of cookies for each path; a path that was cut ends with a slash."""


class SecureCookies:
    """The names, domains and paths of the secure cookies in a jar."""

    __slots__ = ("_at", "_below")

    def __init__(self) -> None:
        self._at: dict[tuple[str, str], _Paths] = {}  # by name and domain
        self._below: dict[tuple[str, str], _Paths] = {}  # by name and each parent of the domain

    def add(self, cookie: Cookie) -> None:
        """Add a secure cookie."""
        path = _cut_path(cookie.path)
        for table, key in self._list_keys(cookie):
            paths = table.setdefault(key, {})
            paths[path] = paths.get(path, 0) + 1

    def remove(self, cookie: Cookie) -> None:
        """Remove a cookie that was added."""
        path = _cut_path(cookie.path)
        for table, key in self._list_keys(cookie):
            paths = table[key]
            paths[path] -= 1
            if not paths[path]:
                del paths[path]
                if not paths:
                    del table[key]

    def has_conflict(self, cookie: Cookie) -> bool:
        """Return True if the cookie would replace a secure cookie, or be sent together with it under the same name."""
        name, domain = cookie.name, cookie.domain
        domains = (domain, *_list_parents(domain))
        found = [paths for parent in domains if (paths := self._at.get((name, parent))) is not None]
        below = self._below.get((name, _cut_domain(domain)))
        if below is not None:
            found.append(below)
        return bool(found) and any(prefix in paths for prefix in _list_prefixes(cookie.path) for paths in found)

    def _list_keys(self, cookie: Cookie) -> Iterator[tuple[dict[tuple[str, str], _Paths], tuple[str, str]]]:
        yield self._at, (cookie.name, cookie.domain)
        for parent in _list_parents(cookie.domain):
            if parent.count(".") < MAX_LABELS:
                yield self._below, (cookie.name, parent)


def _list_parents(domain: str) -> Iterator[str]:
    """Yield the parent domains of a domain, nearest first; an address has none."""
    if is_address(domain):
        return
    parent = domain.partition(".")[2]
    while parent:
        yield parent
        parent = parent.partition(".")[2]


def _cut_domain(domain: str) -> str:
    return domain if domain.count(".") < MAX_LABELS else ".".join(domain.rsplit(".", MAX_LABELS)[1:])


def _cut_path(path: str) -> str:
    """Return the path; if it has more than MAX_SEGMENTS segments, the first ones and a slash."""
    return path if path.count("/") <= MAX_SEGMENTS else "/".join(path.split("/", MAX_SEGMENTS)[:MAX_SEGMENTS]) + "/"


def _list_prefixes(path: str) -> Iterator[str]:
    """Yield the cookie paths that path_matches() accepts for a request to this path, cut as by _cut_path()."""
    slash = 0
    for _ in range(MAX_SEGMENTS):
        yield path[: slash + 1]  # with the slash
        slash = path.find("/", slash + 1)
        if slash < 0:
            break
        yield path[:slash]
    else:
        return
    yield path
