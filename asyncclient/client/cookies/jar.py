"""The cookie jar of RFC 6265bis: stores cookies from servers, within limits, and selects those for a request.

Cookies are stored by domain. A lookup visits the host and its parent domains, so its cost does not depend on the number
of hosts in the jar. Expired cookies are never returned: a heap holds the expiry times. The cost of storing a cookie
does not depend on the size of the jar either.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import heapify, heappop, heappush
from operator import attrgetter
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, cast

from ...arguments import check_number, known_arguments
from ...errors import clip, show_count
from ...message.url import list_values
from ...missing import answers
from .fields import Cookie, accept_cookie, check_cookie, fold_domain, path_matches
from .secure import SecureCookies

if TYPE_CHECKING:
    from http import cookiejar

__all__ = ["EVERY_HOST", "Cookie", "CookieJar"]

NamedCookies = Mapping[str, Any] | Iterable[tuple[str, Any]]
"""Cookies by name, with values as in `params`; see list_cookies()."""

EVERY_HOST = ""
"""The domain of cookies that are sent to every host."""

_Key = tuple[str, str, bool]


class _Entry:
    """A cookie in its domain's dict, with values precomputed for lookups."""

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


_ATTRIBUTES: Final = {
    **dict.fromkeys(("__delitem__", "delete", "pop"), "remove(name)"),
    **dict.fromkeys(("__getitem__", "getdict"), "get(name)"),
    **dict.fromkeys(("get_dict", "items", "keys", "values"), "{cookie.name: cookie.value for cookie in jar}"),
    **dict.fromkeys(("set_cookie", "update_cookies"), "update(cookies)"),
    "__setitem__": "set(name, value, domain=...)",
    "filter_cookies": "build_header(host, path, is_secure)",
}
"""Attributes of other libraries' jars, and what to write for them."""


@answers(_ATTRIBUTES)
@known_arguments({})
class CookieJar:
    """Cookies by domain. Iteration yields each `Cookie`, oldest first, over a copy, so the jar may change meanwhile.

    `"name" in jar` is True if a cookie of any host has that name; get() returns the value of one.

    Cookies for every host, such as those from a mapping of names to values, belong to the user: servers cannot change
    or remove them, and the limits do not count them. A client sends them to **each** host that is requested, with or
    without TLS, but to no other origin than that of its base_url, and not after a redirect to another origin: give a
    secret a domain, with set(). A stored cookie of the same name for a host takes precedence there.

    Not thread-safe.

    Args:
        cookies: initial cookies, as in update().
        max_cookies: cookies in total. Beyond it the tenth that was not sent for the longest time is removed. The RFC
            asks for at least 3000.
        max_per_domain: cookies per domain. Beyond it the cookie that was not sent for the longest time is removed, one
            that is not secure first. The RFC asks for at least 50; Chrome, which servers are tested against, allows
            180.
        max_size: bytes of name and value together; larger cookies are ignored. The RFC says 4096.
        clock: returns the current time in Unix seconds.

    Attributes:
        stored: how many cookies there are, those included that have expired since expire() was called last.

    Raises:
        ValueError: a limit is less than 1, or as in update().
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
        limits = (("max_cookies", max_cookies), ("max_per_domain", max_per_domain), ("max_size", max_size))
        for name, limit in limits:
            check_number(name, limit, 1)
        self.max_cookies = max_cookies
        self.max_per_domain = max_per_domain
        self.max_size = max_size
        self._clock = clock
        self._domains: dict[str, dict[_Key, _Entry]] = {}
        self.stored = 0
        self._secure = SecureCookies()
        # Time, domain and key. Items of replaced or removed cookies stay until they are due or the heap is rebuilt.
        self._expiries: list[tuple[float, str, _Key]] = []
        self._last_created = 0.0
        if cookies is not None:
            self.update(cookies)

    def __len__(self) -> int:
        self.expire()
        return self.stored

    def __bool__(self) -> bool:
        return self.stored > 0 and len(self) > 0

    def __iter__(self) -> Iterator[Cookie]:
        self.expire()
        cookies = [entry.cookie for entries in self._domains.values() for entry in entries.values()]
        return iter(sorted(cookies, key=attrgetter("created")))

    def __contains__(self, item: object) -> bool:
        if isinstance(item, str):
            return any(cookie.name == item for cookie in self)
        return any(cookie == item for cookie in self)

    def __repr__(self) -> str:
        return f"<CookieJar {show_count(len(self), 'cookie')} for {show_count(len(self._domains), 'domain')}>"

    def store(self, host: str, path: str, is_secure: bool, fields: Iterable[str]) -> None:
        """Store the cookies of a response's Set-Cookie fields; invalid ones are ignored, never an error.

        Args:
            host: host of the request: in lower-case ASCII (IDNA encoded), or an address, IPv6 without brackets.
            path: path of the request target, without query.
            is_secure: True if the request was sent over TLS.
            fields: the field values as latin-1 text, in wire order.

        RFC 6265bis §5.6 and §5.7; SameSite is ignored.
        """
        now = self._clock()
        self._sweep(now)
        accepted = [accept_cookie(field, host, path, is_secure, now) for field in fields]
        cookies = [cookie for cookie in accepted if cookie is not None]
        for cookie in cookies if is_secure else self._drop_conflicting(cookies):
            self._put(cookie, now)

    def build_header(self, host: str, path: str, is_secure: bool, *, any_host: bool = True) -> str | None:
        """Return the value of Cookie for a request; None if no cookie matches (RFC 6265bis §5.8.3).

        Arguments are as in store(); any_host=False leaves out the cookies for every host. Cookies with longer paths
        come first, then those created earlier. The text is latin-1 without control characters other than TAB.
        """
        if not self.stored:
            return None
        now = self._clock()
        self._sweep(now)
        found = self._find(host, path, is_secure, any_host)
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
        """Store a cookie of the user's own; an expired one removes the stored cookie of that name, domain and path.

        Args:
            name, value: sent unchanged, latin-1.
            domain: the host that receives it, and all hosts below unless `host_only`, a public suffix or an address;
                "" for every host, see CookieJar.
            path: it is sent to that path and paths below.
            expires: Unix seconds; None for the end of the session.
            secure: send it over TLS only.

        Raises:
            TypeError: name, value, domain or path is not a str.
            ValueError: it can't be sent (a control character, a semicolon, blanks at either end), the domain is not a
                host in ASCII, the path does not begin with "/", or it is larger than max_size.
        """
        cookie = check_cookie(Cookie(name, value, domain, path, expires, secure, http_only, host_only))
        if len(name) + len(value) > self.max_size:
            raise ValueError(f"expected a cookie of {self.max_size} bytes at most, got {len(name) + len(value)}")
        self._put(cookie, self._clock())

    def get(
        self, name: str, default: str | None = None, *, domain: str | None = None, path: str | None = None
    ) -> str | None:
        """Return the value of the cookie of that name, or the default if there is none.

        Args:
            name: of the cookie.
            default: see above.
            domain, path: those of the cookie, as in set(); None for any.

        Raises:
            ValueError: cookies of several domains or paths have that name and different values.
        """
        found = [cookie for cookie in self if cookie.name == name and _is_at(cookie, domain, path)]
        if len({cookie.value for cookie in found}) > 1:
            places = ", ".join(f"domain={cookie.domain!r} path={cookie.path!r}" for cookie in found[:5])
            raise ValueError(f"expected one cookie {clip(name)}, got several: give domain= or path= ({places})")
        return found[0].value if found else default

    def load(self, path: str | PathLike[str], *, missing_ok: bool = False) -> None:
        """Add the cookies of a file in the Netscape format, as save(), curl and browser exports write it.

        This reads the file at once, as a script may do before its first request; in a running program use
        `await asyncio.to_thread(jar.load, path)` before the jar has a client.

        Args:
            path: of the file.
            missing_ok: a file that does not exist has no cookies.

        Raises:
            OSError: the file can't be read.
            ValueError: no line of the file is a cookie; see read_netscape().
        """
        from .files import load_file  # imported on use, as in save(): few programs need it

        self.update(load_file(path, missing_ok=missing_ok))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the cookies to a file in the Netscape format that only its owner can read; it is replaced as a whole.

        Session cookies are written, too, so that a login outlives the program; call clear_session() before to forget
        them as a browser does. Cookies for every host are left out. This writes the file at once, see load().

        Behind a symbolic link its target is replaced. The null device takes nothing.

        Raises:
            FileExistsError: the path is a device or a FIFO, which would be replaced by a file.
            OSError: the file can't be written; it is unchanged.
        """
        from .files import save_file

        save_file(path, self)

    def update(self, cookies: NamedCookies | Iterable[Cookie] | cookiejar.CookieJar) -> None:
        """Add cookies: those of a CookieJar or an http.cookiejar, or names with values, for every host.

        Names with values are a mapping or pairs, see list_cookies().

        Cookies of a jar that are too large for this one are skipped, as are those of http.cookiejar that can't be sent.
        Equal cookies (name, domain and path) are replaced.

        Raises:
            TypeError, ValueError: see set().
        """
        standard = sys.modules.get("http.cookiejar")  # slow to import; if it is not imported, `cookies` is not one
        if standard is not None and isinstance(cookies, standard.CookieJar):  # first: requests' jar is also a mapping
            from .files import from_cookiejar

            self.update(from_cookiejar(cast("cookiejar.CookieJar", cookies)))
            return
        given = _list_given(cookies)
        named = list_cookies(item for item in given if _is_pair(item))
        for cookie in [check_cookie(item) for item in given if not _is_pair(item)]:  # check all before adding any
            self._put(cookie, self._clock())
        for name, value in named.items():
            self.set(name, value, domain=EVERY_HOST)

    def remove(self, name: str, domain: str | None = None, path: str | None = None) -> int:
        """Remove the cookies of that name, if given only of one domain or path; return how many were removed."""

        self.expire()
        return self._keep(lambda cookie: cookie.name != name or not _is_at(cookie, domain, path))

    def clear(self) -> None:
        """Remove all cookies."""
        self._keep(lambda cookie: False)

    def clear_session(self) -> None:
        """Remove cookies without expiry, as a browser does when it closes, and the user's own for every host."""
        self._keep(lambda cookie: cookie.expires is not None)

    def expire(self) -> None:
        """Remove expired cookies. Every method does so itself; calling this only frees memory earlier."""
        self._sweep(self._clock())

    def _sweep(self, now: float) -> None:
        expiries = self._expiries
        while expiries and expiries[0][0] <= now:
            _, domain, key = heappop(expiries)
            entry = self._domains.get(domain, {}).get(key)
            if entry is not None and _expiry(entry.cookie) <= now:
                self._pop(entry.cookie)

    def _keep(self, stays: Callable[[Cookie], bool]) -> int:
        """Remove all cookies for which `stays` is False; return how many were removed."""
        entries = (entry for stored in self._domains.values() for entry in stored.values())
        removed = [entry.cookie for entry in entries if not stays(entry.cookie)]
        for cookie in removed:
            self._pop(cookie)
        return len(removed)

    def _find(self, host: str, path: str, is_secure: bool, any_host: bool) -> list[_Entry]:
        """Return the entries for a request, unsorted."""
        found: list[_Entry] = []
        domain = host
        while domain:
            stored = self._domains.get(domain)
            if stored is not None:
                found += _select(stored, path, is_secure, domain == host)
            domain = domain.partition(".")[2]
        own = self._domains.get(EVERY_HOST) if any_host else None
        if own is not None:
            names = {entry.cookie.name for entry in found}
            found += [entry for entry in _select(own, path, is_secure, True) if entry.cookie.name not in names]
        return found

    def _drop_conflicting(self, cookies: list[Cookie]) -> list[Cookie]:
        """Return the cookies, received without TLS, that do not conflict with a secure cookie."""
        return [cookie for cookie in cookies if not self._secure.has_conflict(cookie)]

    def _put(self, cookie: Cookie, now: float) -> None:
        """Store a cookie, keeping the creation time of the one it replaces; an expired cookie only removes that one."""
        self._sweep(now)
        if len(cookie.name) + len(cookie.value) > self.max_size:
            return
        old = self._pop(cookie)
        if _expiry(cookie) <= now:
            return
        created = old.created if old is not None else cookie.created or self._next_created(now)
        cookie = cookie._replace(created=created)
        self._domains.setdefault(cookie.domain, {})[_key(cookie)] = _Entry(cookie, now)
        self.stored += 1
        if cookie.secure:
            self._secure.add(cookie)
        if cookie.expires is not None:
            self._push_expiry(cookie)
        if cookie.domain != EVERY_HOST:
            self._evict(cookie.domain)

    def _push_expiry(self, cookie: Cookie) -> None:
        expiries = self._expiries
        if len(expiries) > 2 * self.stored + 100:  # most items belong to replaced cookies: rebuild the heap
            entries = (entry.cookie for stored in self._domains.values() for entry in stored.values())
            expiries[:] = [(kept.expires, kept.domain, _key(kept)) for kept in entries if kept.expires is not None]
            heapify(expiries)
        else:
            heappush(expiries, (_expiry(cookie), cookie.domain, _key(cookie)))

    def _pop(self, cookie: Cookie) -> Cookie | None:
        """Remove the stored cookie with the same name, domain and path, and return it."""
        stored = self._domains.get(cookie.domain, {})
        entry = stored.pop(_key(cookie), None)
        if entry is None:
            return None
        self.stored -= 1
        if entry.cookie.secure:
            self._secure.remove(entry.cookie)
        if not stored:
            del self._domains[cookie.domain]
        return entry.cookie

    def _next_created(self, now: float) -> float:
        """Return a creation time later than all before, so that the cookies of one response keep their order."""
        self._last_created = max(now, math.nextafter(self._last_created, math.inf))
        return self._last_created

    def _evict(self, domain: str) -> None:
        """Enforce the limits after a cookie was stored (end of RFC 6265bis §5.7); expired cookies are gone already."""
        stored = self._domains[domain]
        if len(stored) > self.max_per_domain:
            self._pop(min(stored.values(), key=_by_worth).cookie)
        if self.stored - len(self._domains.get(EVERY_HOST, ())) > self.max_cookies:
            entries = [entry for name, group in self._domains.items() if name != EVERY_HOST for entry in group.values()]
            # A tenth at once: this visits all cookies, and a server may set hundreds with each response.
            for entry in sorted(entries, key=_by_access)[: 1 + self.max_cookies // 10]:
                self._pop(entry.cookie)


def _is_at(cookie: Cookie, domain: str | None, path: str | None) -> bool:
    """Return True if a cookie has that domain, as set() takes it, and path; None is any."""
    return (domain is None or fold_domain(domain) == cookie.domain) and path in (None, cookie.path)


def _list_given(cookies: Any) -> list[Any]:
    """Return the argument of update() as a list.

    Raises:
        TypeError: it is not iterable, or text.
    """
    if not isinstance(cookies, Iterable) or isinstance(cookies, str | bytes):
        hint = "; for a file: jar.load(path)" if isinstance(cookies, str | PathLike) else ""
        expected = "a mapping, pairs (name, value) or Cookies as cookies"
        raise TypeError(f"expected {expected}, got {type(cookies).__name__}{hint}")
    return [*(cookies.items() if isinstance(cookies, Mapping) else cookies)]


def _is_pair(item: object) -> bool:
    return isinstance(item, tuple | list) and not isinstance(item, Cookie)


def list_cookies(given: NamedCookies) -> dict[str, str]:
    """Return the value of each cookie in a mapping or pairs (name, value) as text.

    Numbers and bytes become text, True and False `true` and `false`; None omits the cookie. Of several values for a
    name, also in a list or tuple, the last is used.

    Raises:
        TypeError: a name is not a str, or a value has another type.
    """
    pairs = list_values(given, "cookies", "a mapping, pairs (name, value) or Cookies")
    return {name: value if isinstance(value, str) else value.decode("latin-1") for name, value in pairs}


def _expiry(cookie: Cookie) -> float:
    return math.inf if cookie.expires is None else cookie.expires


def _select(stored: dict[_Key, _Entry], path: str, is_secure: bool, is_host: bool) -> list[_Entry]:
    """Return the entries of one domain for a path; `is_host` is True if the domain is the request's host itself."""
    return [
        entry
        for entry in stored.values()
        if (is_host or not entry.cookie.host_only)
        and (is_secure or not entry.cookie.secure)
        and (entry.cookie.path == "/" or path_matches(path, entry.cookie.path))
    ]
