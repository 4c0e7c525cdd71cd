"""Which secure cookies a cookie would take the place of, found without looking at each cookie of a jar.

Without TLS a cookie may not replace a secure one, nor be sent beside it to the same place under the same name (RFC
6265bis §5.7): where the names are equal, the one domain is at or below the other, and the secure cookie's path is at or
above the other's. A server may set hundreds of cookies with one response, and thousands before, so a question costs the
same however many there are.

Domains and paths are cut to `LABELS` and `SEGMENTS`, which real ones do not reach: a hostile one of hundreds would cost
as many entries. What is cut is answered as if there were one, which loses a cookie and endangers none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .fields import Cookie, is_address

LABELS: Final = 16
SEGMENTS: Final = 64

_Paths = dict[str, int]
"""How many cookies there are for each path; a cut one ends with a slash."""


class SecureCookies:
    """The names, domains and paths of the secure cookies in a jar."""

    __slots__ = ("_at", "_below")

    def __init__(self) -> None:
        self._at: dict[tuple[str, str], _Paths] = {}  # by name and domain
        self._below: dict[tuple[str, str], _Paths] = {}  # by name and each parent of the domain

    def add(self, cookie: Cookie) -> None:
        """Take a secure cookie in."""
        path = _cut_path(cookie.path)
        for table, key in self._list_keys(cookie):
            paths = table.setdefault(key, {})
            paths[path] = paths.get(path, 0) + 1

    def remove(self, cookie: Cookie) -> None:
        """Take out a cookie that was added."""
        path = _cut_path(cookie.path)
        for table, key in self._list_keys(cookie):
            paths = table[key]
            paths[path] -= 1
            if not paths[path]:
                del paths[path]
                if not paths:
                    del table[key]

    def has_rival_of(self, cookie: Cookie) -> bool:
        """Return whether a cookie would replace one of them, or be sent beside it under its name."""
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
            if parent.count(".") < LABELS:
                yield self._below, (cookie.name, parent)


def _list_parents(domain: str) -> Iterator[str]:
    """Yield the domains that a domain lies below, the nearest first; an address lies below none."""
    if is_address(domain):
        return
    parent = domain.partition(".")[2]
    while parent:
        yield parent
        parent = parent.partition(".")[2]


def _cut_domain(domain: str) -> str:
    return domain if domain.count(".") < LABELS else ".".join(domain.rsplit(".", LABELS)[1:])


def _cut_path(path: str) -> str:
    """Return a path, or its first segments and a slash where it has more than are looked at."""
    return path if path.count("/") <= SEGMENTS else "/".join(path.split("/", SEGMENTS)[:SEGMENTS]) + "/"


def _list_prefixes(path: str) -> Iterator[str]:
    """Yield what path_matches() lets a cookie's path be for a request to this one, as cut as _cut_path() cuts it."""
    slash = 0
    for _ in range(SEGMENTS):
        yield path[: slash + 1]  # with the slash
        slash = path.find("/", slash + 1)
        if slash < 0:
            break
        yield path[:slash]
    else:
        return
    yield path
