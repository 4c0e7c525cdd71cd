"""Authentication schemes: credentials sent with a request, or in answer to a 401 (RFC 9110 §11).

For each request an Auth is asked for fields to add, and for the answer to a challenge. It never sends anything itself;
the client decides for which origins it is asked. No error text or repr shows a user name (often an API key), a password
or a token.
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

AddedFields = list[tuple[str, str]]
"""Fields that an Auth adds to a request."""

_TOKEN = re.compile(r"[\x21-\x7e]++")


class AuthRequest(NamedTuple):
    """The request that an Auth is asked about.

    Attributes:
        method: as sent.
        url: absolute, without userinfo and fragment.
        target: path and query as sent.
        host: in lower-case ASCII, without brackets.
        port: the port of the URL, or the scheme's default.
        body: the content; b"" if there is none, None if it is not in memory.
        is_foreign: True if the caller did not name this host together with this Auth: a redirect led to another origin,
            or the origin is not that of the client's base_url. Then only an Auth with `names_hosts` is asked.
        is_proxy: True for authentication to a proxy: host and port are the proxy's, `url` is its root, `target` is the
            target sent to it. Authorization is sent as Proxy-Authorization.
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
        """Show the request without its content."""
        return f"<AuthRequest {self.method} {show(self.url)}>"


class Auth:
    """An authentication scheme. Derive from it to add your own; authorize() and answer() may be coroutine functions.

    One Auth serves many concurrent requests, so its state must allow for that.

    Attributes:
        names_hosts: True if the Auth itself knows the host of each credential, as a netrc file does. It is then also
            asked for the hosts of redirects to other origins, except after a redirect from https to http.
    """

    names_hosts: ClassVar[bool] = False

    def authorize(self, request: AuthRequest) -> AddedFields | Awaitable[AddedFields]:
        """Return the fields to add to a request, [] for none. Called before each attempt, until answer() is called."""
        return []

    def answer(
        self, request: AuthRequest, status: int, challenges: Sequence[str], attempt: int
    ) -> AddedFields | Awaitable[AddedFields | None] | None:
        """Return the fields for another attempt, which replace those of authorize(); None returns the response.

        Args:
            request: the refused request.
            status: of the response: 401, from a proxy 407.
            challenges: all WWW-Authenticate or Proxy-Authenticate values, for parse_challenges().
            attempt: 1 for the first answer for this request, 2 for the second.
        """
        return None

    def note(self, request: AuthRequest, fields: Mapping[str, str]) -> None:
        """Receive the fields of a response, by case-insensitive name, for example Authentication-Info."""

    def __repr__(self) -> str:
        """Show only the class: the attributes of a subclass may be secret."""
        return f"<{type(self).__name__}>"


class Basic(Auth):
    """User name and password in every request (RFC 7617). They are not encrypted: only https keeps them secret.

    Raises:
        TypeError, ValueError: see basic_value().
    """

    def __init__(self, username: str, password: str) -> None:
        self._field = ("Authorization", basic_value(username, password))

    def authorize(self, request: AuthRequest) -> AddedFields:
        """Return Authorization for any request."""
        return [self._field]


class Bearer(Auth):
    """A token in every request (RFC 6750 §2.1).

    Raises:
        TypeError: the token is not a str.
        ValueError: it is empty, or has a character that is not visible ASCII.
    """

    def __init__(self, token: str) -> None:
        if not isinstance(token, str):
            raise TypeError(f"expected str as token, got {type(token).__name__}")
        if _TOKEN.fullmatch(token) is None:
            raise ValueError("expected a token of visible ASCII characters")
        self._field = ("Authorization", f"Bearer {token}")

    def authorize(self, request: AuthRequest) -> AddedFields:
        """Return Authorization for any request."""
        return [self._field]


AuthFields = Mapping[str, str] | Iterable[tuple[str, str]] | str | None
"""The result of an auth function: fields, the value of Authorization, or None for nothing."""

AuthFunction = Callable[[AuthRequest], AuthFields | Awaitable[AuthFields]]


class Custom(Auth):
    """A function or coroutine function that returns the fields for each request.

    It returns a mapping or pairs, the value of Authorization as str, or None. Its exceptions reach the caller of the
    request. To answer challenges, derive from Auth instead.

    Raises:
        TypeError: it is not callable, or is a class, for example Basic instead of Basic(user, password).
    """

    def __init__(self, function: AuthFunction) -> None:
        given: Any = function
        if not callable(given) or isinstance(given, type):
            kind = f"the class {given.__name__}" if isinstance(given, type) else type(given).__name__
            raise TypeError(f"expected (user, password), an Auth or a function as auth, got {kind}")
        self._function = function

    def authorize(self, request: AuthRequest) -> AddedFields | Awaitable[AddedFields]:
        """Return the result of the function as pairs.

        Raises:
            TypeError: the result is not of type AuthFields.
        """
        found = self._function(request)
        return _await_fields(found) if inspect.isawaitable(found) else _list_fields(found)


async def _await_fields(found: Awaitable[AuthFields]) -> AddedFields:
    return _list_fields(await found)


def _list_fields(found: Any) -> AddedFields:
    if found is None:
        return []
    if isinstance(found, str):
        return [("Authorization", found)]
    try:
        pairs = list_pairs(found)
    except TypeError:
        expected = "fields, the value of Authorization, or None"
        raise TypeError(f"expected {expected} from the auth function, got {type(found).__name__}") from None
    for name, value in pairs:
        if not (isinstance(name, str) and isinstance(value, str)):
            kinds = f"{type(name).__name__} and {type(value).__name__}"
            raise TypeError(f"expected str and str as a field from the auth function, got {kinds}")
    return pairs


AuthLike = tuple[str, str] | Auth | AuthFunction
"""The argument `auth` of a client: (user, password) for Basic, an Auth, or a function as for Custom."""


def open_auth(auth: AuthLike | None) -> Auth | None:
    """Return the Auth for the argument `auth`; None for None.

    Raises:
        TypeError: the argument has another type; the text shows the type only.
        ValueError: the user or password can't be sent.
    """
    if auth is None or isinstance(auth, Auth):
        return auth
    if isinstance(auth, tuple):
        if len(auth) != 2:
            raise TypeError(f"expected (user, password) as auth, got a tuple of {len(auth)}")
        return Basic(*auth)
    return Custom(auth)  # raises TypeError for other types


def from_userinfo(userinfo: str) -> Basic:
    """Return the Basic for the userinfo of a URL, percent-encoded UTF-8; without a colon the password is "".

    Raises:
        ValueError: it is malformed or can't be sent.
    """
    username, _, password = userinfo.partition(":")
    return Basic(unquote_userinfo(username, "a URL"), unquote_userinfo(password, "a URL"))
