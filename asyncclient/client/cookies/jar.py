"""The cookie jar of RFC 6265bis: what servers set, within bounds, and what a request takes along.

Cookies lie on shelves, one for each domain, so a look-up asks for the host and for each of its parents, however many
hosts the jar knows. Nothing that has expired is ever seen: a heap has the times when cookies expire, the next one
first. An empty jar costs a request one look at a dict. What a server sets costs the same however full the jar is.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import heapify, heappop, heappush
from operator import attrgetter
from typing import TYPE_CHECKING, Any, cast

from ...arguments import check_number
from ...message.url import list_values
from .fields import Cookie, accept_cookie, check_cookie, path_matches
from .secure import SecureCookies

if TYPE_CHECKING:
    from http import cookiejar

__all__ = ["EVERY_HOST", "Cookie", "CookieJar"]

NamedCookies = Mapping[str, Any] | Iterable[tuple[str, Any]]
"""Cookies by name, with values as `params` takes them; see list_cookies()."""

EVERY_HOST = ""
"""The domain of cookies that go to every host."""

_Key = tuple[str, str, bool]


class _Entry:
    """A cookie on its shelf, with what a look-up needs of it at hand."""

    __slots__ = ("accessed", "cookie", "order", "pair")

    def __init__(self, cookie: Cookie, accessed: float) -> None:
        self.cookie = cookie
        self.accessed = accessed
        self.order = (-len(cookie.path), cookie.created)
        self.pair = f"{cookie.name}={cookie.value}" if cookie.name else cookie.value


_by_order = attrgetter("order")


def _by_access(entry: _Entry) -> tuple[float, float]:
    return entry.accessed, entry.cookie.created


def _by_worth(entry: _Entry) -> tuple[bool, float, float]:
    return entry.cookie.secure, entry.accessed, entry.cookie.created


def _key(cookie: Cookie) -> _Key:
    return cookie.name, cookie.path, cookie.host_only


class CookieJar:
    """Cookies by domain. Iterating gives each `Cookie`, the oldest first, from a copy: the jar may change meanwhile.

    Cookies for every host, as a mapping name -> value makes them, are the user's own: no server can change or remove
    them, and they don't count for the bounds. They go to **each** host that a request or a redirect leads to, over TLS
    or not: give a secret a domain, with set(). Where a cookie of the same name is kept for a host, that one goes.

    Not safe for several threads at once.

    Args:
        cookies: what to begin with, as in update().
        max_cookies: in all. Beyond it goes a tenth of them, those not sent for the longest time. The RFC asks for 3000.
        max_per_domain: beyond it goes one that is not secure, if there is, not sent for the longest time. The RFC asks
            for 50 at least; Chrome, which servers are tested against, has 180.
        max_size: bytes of name and value together; a larger cookie is ignored. The RFC says 4096.
        clock: Unix seconds now.

    Raises:
        ValueError: a bound is less than 1, or as in update().
    """

    def __init__(
        self,
        cookies: NamedCookies | Iterable[Cookie] | cookiejar.CookieJar | None = None,
        *,
        max_cookies: int = 3000,
        max_per_domain: int = 180,
        max_size: int = 4096,
        clock: Callable[[], float] = time.time,
    ) -> None:
        bounds = (("max_cookies", max_cookies), ("max_per_domain", max_per_domain), ("max_size", max_size))
        for name, bound in bounds:
            check_number(name, bound, 1)
        self.max_cookies = max_cookies
        self.max_per_domain = max_per_domain
        self.max_size = max_size
        self._clock = clock
        self._shelves: dict[str, dict[_Key, _Entry]] = {}
        self._count = 0
        self._secure = SecureCookies()
        # When, where and which; what was replaced or removed stays in it until its time, or until it is cleared out.
        self._expiries: list[tuple[float, str, _Key]] = []
        self._last_created = 0.0
        if cookies is not None:
            self.update(cookies)

    def __len__(self) -> int:
        self.expire()
        return self._count

    def __bool__(self) -> bool:
        return self._count > 0 and len(self) > 0

    def __iter__(self) -> Iterator[Cookie]:
        self.expire()
        cookies = [entry.cookie for shelf in self._shelves.values() for entry in shelf.values()]
        return iter(sorted(cookies, key=attrgetter("created")))

    def __repr__(self) -> str:
        return f"<CookieJar {len(self)} cookies for {len(self._shelves)} domains>"

    def store(self, host: str, path: str, is_secure: bool, fields: Iterable[str]) -> None:
        """Take what the Set-Cookie fields of a response say; what is wrong with one makes it ignored, never an error.

        Args:
            host: what the request went to: lower-case ASCII (IDNA encoded), or an address, IPv6 without brackets.
            path: that of the request target, without query.
            is_secure: whether it went over TLS.
            fields: their values as latin-1 text, in wire order.

        RFC 6265bis §5.6 and §5.7; SameSite is ignored.
        """
        now = self._clock()
        self._sweep(now)
        made = [accept_cookie(field, host, path, is_secure, now) for field in fields]
        cookies = [cookie for cookie in made if cookie is not None]
        for cookie in cookies if is_secure else self._spare_secure(cookies):
            self._put(cookie, now)

    def build_header(self, host: str, path: str, is_secure: bool) -> str | None:
        """Build the value of a Cookie field for a request, None if no cookie goes with it (RFC 6265bis §5.8.3).

        Arguments are as in store(). Longer paths come first, then what was created earlier. The text is latin-1, and
        without control characters other than TAB.
        """
        if not self._count:
            return None
        now = self._clock()
        self._sweep(now)
        found = self._find(host, path, is_secure)
        if not found:
            return None
        for entry in found:
            entry.accessed = now
        found.sort(key=_by_order)
        return "; ".join([entry.pair for entry in found])

    def set(
        self,
        name: str,
        value: str,
        *,
        domain: str,
        path: str = "/",
        expires: float | None = None,
        secure: bool = False,
        http_only: bool = False,
        host_only: bool = False,
    ) -> None:
        """Keep a cookie of the user's own; one that has expired removes its namesake.

        Args:
            name, value: sent as they are, latin-1.
            domain: the host that it goes to, and those below it unless `host_only`, a public suffix or an address;
                "" for every host, see CookieJar.
            path: it goes to that path and what is below it.
            expires: Unix seconds, None for the end of the session.
            secure: it goes over TLS only.

        Raises:
            TypeError: something is no str that has to be.
            ValueError: it can't be sent (a control character, a semicolon, blanks at an end), the domain is no host in
                ASCII, the path does not begin with "/", or it is larger than max_size.
        """
        cookie = check_cookie(Cookie(name, value, domain, path, expires, secure, http_only, host_only))
        if len(name) + len(value) > self.max_size:
            raise ValueError(f"expected a cookie of {self.max_size} bytes at most, got {len(name) + len(value)}")
        self._put(cookie, self._clock())

    def update(self, cookies: NamedCookies | Iterable[Cookie] | cookiejar.CookieJar) -> None:
        """Take cookies: those of a jar, this one's kind or http.cookiejar's, or names with values, for every host.

        Names with values are a mapping or pairs, see list_cookies().

        Cookies of a jar that are too large for this one are left out, and so are those of http.cookiejar that can't
        be sent. One that this jar has is replaced.

        Raises:
            TypeError, ValueError: as set() does.
        """
        standard = sys.modules.get("http.cookiejar")  # slow to import; what nobody has imported can't be here
        if standard is not None and isinstance(cookies, standard.CookieJar):  # first: requests' jar is a mapping, too
            from .files import from_cookiejar

            self.update(from_cookiejar(cast("cookiejar.CookieJar", cookies)))
            return
        if not isinstance(cookies, Iterable):
            raise TypeError(
                f"expected a mapping, pairs (name, value) or Cookies as cookies, got {type(cookies).__name__}"
            )
        given: list[Any] = [*cookies.items()] if isinstance(cookies, Mapping) else [*cast("Iterable[Any]", cookies)]
        named = list_cookies(item for item in given if _is_pair(item))
        for cookie in [check_cookie(item) for item in given if not _is_pair(item)]:  # all or none
            self._put(cookie, self._clock())
        for name, value in named.items():
            self.set(name, value, domain=EVERY_HOST)

    def remove(self, name: str, domain: str | None = None, path: str | None = None) -> int:
        """Remove the cookies of that name, of one domain or path only where given; return how many there were."""

        def stays(cookie: Cookie) -> bool:
            return cookie.name != name or domain not in (None, cookie.domain) or path not in (None, cookie.path)

        self.expire()
        return self._keep(stays)

    def clear(self) -> None:
        """Remove all cookies."""
        self._keep(lambda cookie: False)

    def clear_session(self) -> None:
        """Remove what has no expiry, as a browser does that is closed; the user's own for every host, too."""
        self._keep(lambda cookie: cookie.expires is not None)

    def expire(self) -> None:
        """Remove what has expired. Every call does so by itself; this gives memory back earlier."""
        self._sweep(self._clock())

    def _sweep(self, now: float) -> None:
        expiries = self._expiries
        while expiries and expiries[0][0] <= now:
            _, domain, key = heappop(expiries)
            entry = self._shelves.get(domain, {}).get(key)
            if entry is not None and _expiry(entry.cookie) <= now:
                self._take(entry.cookie)

    def _keep(self, stays: Callable[[Cookie], bool]) -> int:
        """Remove all but those that stay; return how many went."""
        entries = (entry for shelf in self._shelves.values() for entry in shelf.values())
        gone = [entry.cookie for entry in entries if not stays(entry.cookie)]
        for cookie in gone:
            self._take(cookie)
        return len(gone)

    def _find(self, host: str, path: str, is_secure: bool) -> list[_Entry]:
        """Return the entries that go with a request, in no order."""
        found: list[_Entry] = []
        domain = host
        while domain:
            shelf = self._shelves.get(domain)
            if shelf is not None:
                found += _select(shelf, path, is_secure, domain == host)
            domain = domain.partition(".")[2]
        own = self._shelves.get(EVERY_HOST)
        if own is not None:
            names = {entry.cookie.name for entry in found}
            found += [entry for entry in _select(own, path, is_secure, True) if entry.cookie.name not in names]
        return found

    def _spare_secure(self, cookies: list[Cookie]) -> list[Cookie]:
        """Return the cookies set without TLS but for those that would take the place of a secure one."""
        return [cookie for cookie in cookies if not self._secure.has_rival_of(cookie)]

    def _put(self, cookie: Cookie, now: float) -> None:
        """Put a cookie in place of its namesake, whose time of creation it keeps; one that has expired removes it."""
        self._sweep(now)
        if len(cookie.name) + len(cookie.value) > self.max_size:
            return
        old = self._take(cookie)
        if _expiry(cookie) <= now:
            return
        created = old.created if old is not None else cookie.created or self._next_created(now)
        cookie = cookie._replace(created=created)
        self._shelves.setdefault(cookie.domain, {})[_key(cookie)] = _Entry(cookie, now)
        self._count += 1
        if cookie.secure:
            self._secure.add(cookie)
        if cookie.expires is not None:
            self._note_expiry(cookie)
        if cookie.domain != EVERY_HOST:
            self._evict(cookie.domain)

    def _note_expiry(self, cookie: Cookie) -> None:
        expiries = self._expiries
        if len(expiries) > 2 * self._count + 100:  # most are of cookies that were replaced since
            entries = (entry.cookie for shelf in self._shelves.values() for entry in shelf.values())
            expiries[:] = [(kept.expires, kept.domain, _key(kept)) for kept in entries if kept.expires is not None]
            heapify(expiries)
        else:
            heappush(expiries, (_expiry(cookie), cookie.domain, _key(cookie)))

    def _take(self, cookie: Cookie) -> Cookie | None:
        """Remove the namesake of a cookie and return it."""
        shelf = self._shelves.get(cookie.domain, {})
        entry = shelf.pop(_key(cookie), None)
        if entry is None:
            return None
        self._count -= 1
        if entry.cookie.secure:
            self._secure.remove(entry.cookie)
        if not shelf:
            del self._shelves[cookie.domain]
        return entry.cookie

    def _next_created(self, now: float) -> float:
        """Return a time later than any before, for cookies of one response keep their order."""
        self._last_created = max(now, math.nextafter(self._last_created, math.inf))
        return self._last_created

    def _evict(self, domain: str) -> None:
        """Keep the bounds, after a cookie was put (RFC 6265bis §5.7, at its end; what has expired has gone before)."""
        shelf = self._shelves[domain]
        if len(shelf) > self.max_per_domain:
            self._take(min(shelf.values(), key=_by_worth).cookie)
        if self._count - len(self._shelves.get(EVERY_HOST, ())) > self.max_cookies:
            entries = [entry for name, shelf in self._shelves.items() if name != EVERY_HOST for entry in shelf.values()]
            # a tenth at once, for this walks over all; a server may set hundreds with each response
            for entry in sorted(entries, key=_by_access)[: 1 + self.max_cookies // 10]:
                self._take(entry.cookie)


def _is_pair(item: object) -> bool:
    return isinstance(item, tuple | list) and not isinstance(item, Cookie)


def list_cookies(given: NamedCookies) -> dict[str, str]:
    """Return the value of each cookie in a mapping or pairs (name, value), as text.

    Numbers and bytes become text, True and False `true` and `false`; None leaves the cookie out. Of several values for
    a name, a list or tuple among them, the last one counts: there is one cookie of a name.

    Raises:
        TypeError: a name is not a str, or a value none of those.
    """
    pairs = list_values(given, "cookies", "a mapping, pairs (name, value) or Cookies")
    return {name: value if isinstance(value, str) else value.decode("latin-1") for name, value in pairs}


def _expiry(cookie: Cookie) -> float:
    return math.inf if cookie.expires is None else cookie.expires


def _select(shelf: dict[_Key, _Entry], path: str, is_secure: bool, is_host: bool) -> list[_Entry]:
    """Return a shelf's entries for a path; `is_host` is whether the shelf is that of the request's host itself."""
    return [
        entry
        for entry in shelf.values()
        if (is_host or not entry.cookie.host_only)
        and (is_secure or not entry.cookie.secure)
        and (entry.cookie.path == "/" or path_matches(path, entry.cookie.path))
    ]
