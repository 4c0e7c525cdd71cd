"""The scope of a crawl: which URLs belong to it. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from ..arguments import check_number, check_type, keyword_only, list_collection
from ..errors import clip
from ..message.url import percent_encode
from ..routes import parse_host_pattern
from .urls import find_host

_INSTEAD: Final = {"allow": "include=", "deny": "exclude=", "allowed_domains": "hosts=", "domains": "hosts="}

_ORIGIN: Final = re.compile(r"https?+://[^/]*+", re.IGNORECASE)
_ILLEGAL: Final = re.compile(r"[^\x21-\x7e]++")


@keyword_only(_INSTEAD, "Scope(hosts=..., include=..., exclude=...)")
@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which URLs belong to a crawl: by default all of the hosts with which the crawl began.

    In the patterns of `include` and `exclude` a "*" stands for any characters, and all others for themselves. A pattern
    matches the whole URL. One that begins with a slash matches path and query on any host: "/blog/*", "*.pdf",
    "https://example.com/blog/*", "*?page=*". For regular expressions use `accept`.

    >>> scope = Scope(hosts=["example.com"], exclude=["/private/*"])
    >>> scope.allows("https://example.com/a"), scope.allows("https://example.com/private/b")
    (True, False)

    Args:
        hosts: "example.com", "*.example.com" for all names below it, "*" for any. None: those of the URLs that were
            added to the crawl by the caller. A host with "www." before it is equal to the one without.
        subdomains: names below these hosts belong to the crawl, too.
        include: if there are any, a URL must match one of them. A pattern with a host is not limited to `hosts`.
        exclude: a URL that matches one of them does not belong to the crawl.
        accept: a function that gets the URL and says if it belongs to the crawl, asked last. It must not block.
        max_length: characters of the longest URL.
        max_segments: segments of the longest path. Wrong relative links make paths that become longer without end.
        max_repeats: how many times a segment may be in a path, for the same reason.

    Raises:
        TypeError: an argument has another type, or is positional.
        ValueError: a pattern or a number is invalid.
    """

    hosts: Collection[str] | None = None
    subdomains: bool = False
    include: Collection[str] = ()
    exclude: Collection[str] = ()
    accept: Callable[[str], Any] | None = None
    max_length: int = 2048
    max_segments: int = 32
    max_repeats: int = 3

    _names: frozenset[str] | None = field(init=False, repr=False, compare=False)
    _parents: frozenset[str] = field(init=False, repr=False, compare=False)
    _included: re.Pattern[str] | None = field(init=False, repr=False, compare=False)
    _included_anywhere: re.Pattern[str] | None = field(init=False, repr=False, compare=False)
    _excluded: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the arguments, and compile the patterns."""
        for name in ("max_length", "max_segments", "max_repeats"):
            check_type(name, getattr(self, name), int, "a whole number")
            check_number(name, getattr(self, name), 1)
        if self.accept is not None and not callable(self.accept):
            raise TypeError(f"expected a function as accept, got {type(self.accept).__name__}")
        self._set_hosts()
        included = _list_patterns("include", self.include)
        anywhere = [pattern for pattern in included if _ORIGIN.match(pattern)]
        self._set("include", tuple(included))
        self._set("_included_anywhere", _compile(anywhere))
        self._set("_included", _compile([pattern for pattern in included if pattern not in anywhere]))
        self._set("exclude", tuple(_list_patterns("exclude", self.exclude)))
        self._set("_excluded", _compile(self.exclude))

    def _set_hosts(self) -> None:
        given = None
        if self.hosts is not None:
            given = [parse_host_pattern(host) for host in list_collection("hosts", self.hosts, str, "names of hosts")]
        names = None if given is None else frozenset(name for name in given if not name.startswith("*."))
        self._set("hosts", None if given is None else tuple(given))
        self._set("_names", names)
        self._set("_parents", frozenset(name[2:] for name in given or () if name.startswith("*.")))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    @staticmethod
    def of(value: Scope | Callable[[str], Any] | Iterable[str] | None) -> Scope:
        """Return a value as scope: a Scope; the default for None; from a function, or from patterns to include.

        A function decides alone, on any host, within the limits.

        Raises:
            TypeError: it is something else.
            ValueError: a pattern is invalid.
        """
        if isinstance(value, Scope):
            return value
        if value is None:
            return Scope()
        if callable(value):
            return Scope(hosts=["*"], accept=value)
        return Scope(include=list_collection("scope", value, str, "a Scope, a function or patterns"))

    def allows(self, url: str, *, host: str | None = None, seeds: Collection[str] = ()) -> bool:
        """Return True if a URL belongs to the crawl.

        Args:
            url: normalised.
            host: its host, if it is known already, see find_host().
            seeds: the hosts of the URLs that the caller has added; used if the scope has no hosts of its own.
        """
        if len(url) > self.max_length or (self._excluded is not None and self._excluded.match(url)):
            return False
        if not self._has_sound_path(url):
            return False
        if self._included_anywhere is None or self._included_anywhere.match(url) is None:
            if not self._has_host(find_host(url) if host is None else host, seeds):
                return False
            if self.include and (self._included is None or self._included.match(url) is None):
                return False
        return self.accept is None or bool(self.accept(url))

    def _has_host(self, host: str, seeds: Collection[str]) -> bool:
        names = seeds if self._names is None else self._names
        if host in names or "*" in names:
            return True
        if (host[4:] if host.startswith("www.") else f"www.{host}") in names:
            return True
        return bool(self._parents or self.subdomains) and self._has_parent(host, names)

    def _has_parent(self, host: str, names: Collection[str]) -> bool:
        at = host.find(".")
        while at >= 0:
            parent = host[at + 1 :]
            if parent in self._parents or (self.subdomains and parent in names):
                return True
            at = host.find(".", at + 1)
        return False

    def _has_sound_path(self, url: str) -> bool:
        segments = url.partition("?")[0].split("/")[3:]
        if len(segments) > self.max_segments:
            return False
        if len(segments) - len(set(segments)) < self.max_repeats:  # most paths: they need no counting
            return True
        return max(Counter(segments).values()) <= self.max_repeats


def _list_patterns(name: str, given: Any) -> list[str]:
    return [_normalize(pattern) for pattern in list_collection(name, given, str, "patterns of URLs")]


def _normalize(pattern: str) -> str:
    """Return a pattern as URLs are normalised: an origin in lower case, and other characters than ASCII escaped."""
    match = _ORIGIN.match(pattern)
    at = 0 if match is None else match.end()
    if not (match or pattern.startswith(("/", "*"))) or not pattern[:at].isascii():
        wanted = "a pattern of URLs that begins with http://, https://, / or *, and whose host is in ASCII"
        raise ValueError(f"expected {wanted}, got {clip(pattern)}")
    return pattern[:at].lower() + _ILLEGAL.sub(lambda found: percent_encode(found[0].encode()), pattern[at:])


def _compile(patterns: Collection[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(_translate, patterns))) if patterns else None


def _translate(pattern: str) -> str:
    """Return a regular expression that looks for the parts between the asterisks from left to right.

    Each part is taken where it is first found, once and for all, so that a long URL takes no quadratic time.
    """
    first, *others = map(re.escape, pattern.split("*"))
    start = r"https?+://[^/]*+" if pattern.startswith("/") else ""
    if not others:
        return rf"{start}{first}\Z"
    middle = "".join(f"(?>.*?{part})" for part in others[:-1] if part)
    return rf"{start}{first}{middle}.*{others[-1]}\Z"
