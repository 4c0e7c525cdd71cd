"""Who sends a request: credentials that go out with it, or in answer to a 401 (RFC 9110 §11).

An Auth is asked twice at most for each sending: what to add to a request, and what to answer a challenge with. It never
sends anything. For which origins it is asked is the client's affair. No text and no repr made here shows a user, which
is often the key itself, a password or a token.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from ...message.credentials import basic_value
from ...message.fields import list_pairs
from ...message.target import show
from ...message.url import unquote_userinfo

Pairs = list[tuple[str, str]]
"""Fields to add to a request."""

_TOKEN = re.compile(r"[\x21-\x7e]++")


class AuthRequest(NamedTuple):
    """A request as an Auth sees it.

    Attributes:
        method: as it goes out.
        url: absolute, without userinfo and fragment.
        target: path and query as they go out.
        host: in lower case and ASCII, without brackets.
        port: that of the URL or its scheme.
        body: the content; b"" if there is none, None if it is not in memory.
        is_foreign: no caller named the host together with this Auth: a redirect led to another origin, or it is not
            the origin of the client's base_url. Only an Auth that names hosts is asked then.
        is_proxy: it logs in to a proxy: host and port are the proxy's, `url` is its root, `target` is what the proxy is
            asked for. Authorization is sent as Proxy-Authorization.
    """

    method: str
    url: str
    target: str
    host: str
    port: int
    body: bytes | None = b""
    is_foreign: bool = False
    is_proxy: bool = False

    def __repr__(self) -> str:
        """Show the request, but not its content."""
        return f"<AuthRequest {self.method} {show(self.url)}>"


class Auth:
    """A way to log in. Derive from it for one of your own; authorize() and answer() may be coroutine functions.

    One Auth serves any number of requests at once, so what it keeps must bear that.

    Attributes:
        names_hosts: the Auth knows by itself which host each of its credentials is for, as a netrc file does. It is
            asked for the hosts of redirects to other origins too, unless one led from https to http.
    """

    names_hosts: ClassVar[bool] = False

    def authorize(self, request: AuthRequest) -> Pairs | Awaitable[Pairs]:
        """Return the fields to add to a request, [] for none. Asked each time before it goes out, until answer() is."""
        return []

    def answer(
        self, request: AuthRequest, status: int, challenges: Sequence[str], attempt: int
    ) -> Pairs | Awaitable[Pairs | None] | None:
        """Return the fields for another try, in place of the first ones; None gives the response to the caller.

        Args:
            request: that was refused.
            status: of the response: 401, from a proxy 407.
            challenges: values of all its WWW-Authenticate or Proxy-Authenticate fields, which parse_challenges() reads.
            attempt: 1 for the first answer for this request, 2 for the second.
        """
        return None

    def note(self, request: AuthRequest, fields: Mapping[str, str]) -> None:
        """Look at the fields of a response, which are found by name in any case; for Authentication-Info."""

    def __repr__(self) -> str:
        """Show the kind alone: whatever a subclass holds may be secret."""
        return f"<{type(self).__name__}>"


class Basic(Auth):
    """User and password in every request (RFC 7617); in clear, so only https keeps them secret.

    Raises:
        TypeError, ValueError: see basic_value().
    """

    def __init__(self, username: str, password: str) -> None:
        self._field = ("Authorization", basic_value(username, password))

    def authorize(self, request: AuthRequest) -> Pairs:
        """Return Authorization, whatever the request is."""
        return [self._field]


class Bearer(Auth):
    """A token in every request (RFC 6750 §2.1).

    Raises:
        TypeError: it is no str.
        ValueError: it is empty, or has a blank or anything else but visible ASCII characters.
    """

    def __init__(self, token: str) -> None:
        if not isinstance(token, str):
            raise TypeError(f"expected str as token, got {type(token).__name__}")
        if _TOKEN.fullmatch(token) is None:
            raise ValueError("expected a token of visible ASCII characters")
        self._field = ("Authorization", f"Bearer {token}")

    def authorize(self, request: AuthRequest) -> Pairs:
        """Return Authorization, whatever the request is."""
        return [self._field]


AuthFields = Mapping[str, str] | Iterable[tuple[str, str]] | str | None
"""What a function may return for a request: fields, the value of Authorization, or None for nothing."""

AuthFunction = Callable[[AuthRequest], AuthFields | Awaitable[AuthFields]]


class Custom(Auth):
    """A function, which may be a coroutine function, that is asked for the fields of each request.

    It returns a mapping or pairs, the value of Authorization as str, or None. What it raises reaches the caller of the
    request. To answer challenges as well, derive from Auth.

    Raises:
        TypeError: it can't be called, or is a class, such as Basic where Basic(user, password) is meant.
    """

    def __init__(self, function: AuthFunction) -> None:
        given: Any = function
        if not callable(given) or isinstance(given, type):
            kind = f"the class {given.__name__}" if isinstance(given, type) else type(given).__name__
            raise TypeError(f"expected (user, password), an Auth or a function as auth, got {kind}")
        self._function = function

    def authorize(self, request: AuthRequest) -> Pairs | Awaitable[Pairs]:
        """Return what the function gives, as pairs.

        Raises:
            TypeError: it is none of what a function may return.
        """
        found = self._function(request)
        return _await_pairs(found) if inspect.isawaitable(found) else _list_fields(found)


async def _await_pairs(found: Awaitable[AuthFields]) -> Pairs:
    return _list_fields(await found)


def _list_fields(found: Any) -> Pairs:
    if found is None:
        return []
    if isinstance(found, str):
        return [("Authorization", found)]
    pairs = list_pairs(found)
    for name, value in pairs:
        if not (isinstance(name, str) and isinstance(value, str)):
            kinds = f"{type(name).__name__} and {type(value).__name__}"
            raise TypeError(f"expected str and str as a field from the auth function, got {kinds}")
    return pairs


AuthLike = tuple[str, str] | Auth | AuthFunction
"""What a client takes as `auth`: (user, password) for Basic, an Auth, or a function as Custom takes it."""


def open_auth(auth: AuthLike | None) -> Auth | None:
    """Return the Auth that a caller's value means; None for None.

    Raises:
        TypeError: it means none. The text has its type alone.
        ValueError: user or password can't be sent.
    """
    if auth is None or isinstance(auth, Auth):
        return auth
    if isinstance(auth, tuple):
        if len(auth) != 2:
            raise TypeError(f"expected (user, password) as auth, got a tuple of {len(auth)}")
        return Basic(*auth)
    return Custom(auth)  # which refuses what is none


def from_userinfo(userinfo: str) -> Basic:
    """Return the Basic of the `user:password` in a URL, percent-encoded UTF-8; without a colon the password is "".

    Raises:
        ValueError: it is not that, or can't be sent.
    """
    username, _, password = userinfo.partition(":")
    return Basic(unquote_userinfo(username, "a URL"), unquote_userinfo(password, "a URL"))
