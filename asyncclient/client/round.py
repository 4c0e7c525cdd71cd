"""Rounds: how a request is sent next (URL, origin, credentials), as one value per attempt.

The only side effects are calls of the user's functions (an auth, a proxy), so a test can build a round and inspect the
next one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, Final

from ..errors import HTTPException, RedirectError
from ..message.url import URL, build_url, parse_joined
from .auth.schemes import Auth, AuthRequest, from_userinfo, open_auth
from .body.arguments import Unset
from .error_context import add_context
from .proxy.authentication import ProxyAuthentication
from .redirects import REDIRECTS, Redirect, decide_redirect, find_location, strip_fields
from .request import Request, build_derived
from .site import Site, Sites

MAX_ROUNDS: Final = 1024
"""URLs whose first round is cached by a client."""


@dataclass(slots=True, eq=False)
class Round:
    """How a request is sent. A round may be shared by all requests to a URL, so it is never modified.

    Attributes:
        url: the URL of the request.
        site: the shared data of its origin.
        auth: authenticates the request; None for no credentials, or those in the caller's own field.
        is_foreign: True if a redirect led here from another origin; it stays True for further redirects.
        is_downgraded: True if a redirect led from https to http.
        is_stranger: True if the caller did not name the host together with `auth`.
        expects_continue: True if 100 Continue is requested before the body is sent.
        wants_new: True if the connection must be a new one.
        auth_rounds: challenges answered so far.
        answer: the fields that answer a challenge; None: `auth` is asked for fields.
        proxy_login: authenticates the request to a proxy that gets the whole URL; None without one.
        has_credentials: True with `auth` or `proxy_login`.
        shown_url: the URL without userinfo, for the response; None if the URL has no userinfo.
        target: as sent in the request line.
    """

    url: URL
    site: Site
    auth: Auth | None = None
    is_foreign: bool = False
    is_downgraded: bool = False
    is_stranger: bool = False
    expects_continue: bool = False
    wants_new: bool = False
    auth_rounds: int = 0
    answer: Sequence[tuple[str, str]] | None = None
    proxy_login: ProxyAuthentication | None = None
    has_credentials: bool = field(init=False)
    shown_url: str | None = field(init=False)
    target: str = field(init=False)

    def __post_init__(self) -> None:
        """Derive the values that each request would compute again."""
        self.has_credentials = self.auth is not None or self.proxy_login is not None
        self.target = self.site.prefix + self.url.target
        self.shown_url = None if self.url.userinfo is None else build_url(self.url)

    def replace(self, **changes: Any) -> Round:
        """Return a round with these changes, for the same attempt."""
        return dataclasses.replace(self, **changes)

    def again(self, **changes: Any) -> Round:
        """Return the round for the next attempt, without the values for the current attempt only."""
        return dataclasses.replace(self, **{"answer": None, "wants_new": False, **changes})


class Rounds:
    """Creates the rounds of a client.

    Args:
        sites: the origins.
        auth: the client's Auth, for requests without their own.
        secret_names: lower-case names of fields that must not leave the requested origin.

    Attributes:
        sites: see above.
        find: returns the first round of a request to a URL that has no credentials of its own. It is remembered for
            many URLs. Raises InvalidURL for the URL, its proxy, or the userinfo in it.
    """

    __slots__ = ("_auth", "_secret_names", "find", "sites")

    def __init__(self, sites: Sites, auth: Auth | None, secret_names: frozenset[str]) -> None:
        self.sites = sites
        self._auth = auth
        self._secret_names = secret_names
        find: Callable[[str], Round] = partial(_build, sites, auth)
        self.find = find if sites.depend_on_url else lru_cache(maxsize=MAX_ROUNDS)(find)

    def adapt(self, found: Round, request: Request, **changes: Any) -> Round:
        """Return a round for a request that has credentials of its own, or for a proxy that wants some.

        Raises:
            TypeError, ValueError: `auth` of the request can't be used.
        """
        auth, is_stranger = found.auth, found.is_stranger
        if any(name.lower() == "authorization" for name, _ in request.headers):
            auth = None
        elif not isinstance(request.choices.auth, Unset):
            is_stranger = found.is_foreign
            auth = _restrict(open_auth(request.choices.auth), is_stranger, found.is_downgraded)
        site = found.site
        if request.choices.needs_tunnel:
            site = self.sites.find_tunnelled(found.url, site, found.is_foreign)
        login = _open_proxy_login(request, found.url, site)
        return found.replace(site=site, auth=auth, is_stranger=is_stranger, proxy_login=login, **changes)

    def redirect(self, request: Request, current: Round, redirect: Redirect) -> tuple[Request, Round]:
        """Return the request after a redirect, without secrets of another origin, and its first round.

        Raises: what find() does; the error names the new request.
        """
        following = _redirect_request(request, current, redirect, self._secret_names)
        is_foreign = current.is_foreign or redirect.is_cross_origin
        is_downgraded = current.is_downgraded or redirect.is_downgrade
        try:
            found = _build(self.sites, self._auth, following.url, is_foreign, is_downgraded)
            expects = current.expects_continue and redirect.keeps_body
            return following, self.adapt(found, following, expects_continue=expects)
        except HTTPException as error:
            add_context(error, following)
            raise


def _build(sites: Sites, auth: Auth | None, text: str, is_foreign: bool = False, is_downgraded: bool = False) -> Round:
    """Return a round with the credentials of a URL, else those of the client as far as they may be sent there."""
    url = parse_joined(text)
    site = (None if is_foreign else sites.known.get(url[:3])) or sites.find(url, is_foreign)
    if url.userinfo is not None and not is_foreign:
        return Round(url, site, from_userinfo(url.userinfo))
    if auth is None:
        return Round(url, site, None, is_foreign, is_downgraded)
    is_stranger = is_foreign or not sites.is_home(site.origin)
    return Round(
        url, site, _restrict(auth, is_stranger, is_downgraded), is_foreign, is_downgraded, is_stranger=is_stranger
    )


def _restrict(auth: Auth | None, is_stranger: bool, is_downgraded: bool) -> Auth | None:
    """Return the Auth; None if the caller did not name the host with it and the Auth does not name hosts itself."""
    if auth is None or not is_stranger:
        return auth
    return auth if auth.names_hosts and not is_downgraded else None


def _open_proxy_login(request: Request, url: URL, site: Site) -> ProxyAuthentication | None:
    proxy = site.proxy
    if proxy is None or proxy.auth is None:
        return None
    return ProxyAuthentication(proxy, proxy.auth, request.method, site.prefix + url.target, _find_body(request))


def _find_body(request: Request) -> bytes | None:
    data = b"" if request.payload is None else request.payload.data
    return None if data is None else bytes(data)


def describe(request: Request, current: Round) -> AuthRequest:
    """Return the AuthRequest for a request."""
    url = current.url
    text = build_url(url._replace(fragment=None))
    body = _find_body(request)
    return AuthRequest(request.method, text, url.target, url.host, url.port, body, current.is_stranger)


def find_redirect(request: Request, response: Any) -> Redirect | None:
    """Return the redirect of a response; None if it is not a redirect that can be followed.

    Raises:
        RedirectError: the Location is not an http or https URL.
    """
    if response.status not in REDIRECTS:
        return None
    try:
        return decide_redirect(request.method, request.url, response.status, find_location(response.headers))
    except RedirectError as error:
        error.response = response
        raise


def _redirect_request(request: Request, current: Round, redirect: Redirect, secret_names: frozenset[str]) -> Request:
    choices, payload = request.choices, request.payload if redirect.keeps_body else None
    if redirect.is_cross_origin:
        may_stay = isinstance(choices.auth, Unset) or (isinstance(choices.auth, Auth) and choices.auth.names_hosts)
        choices = choices._replace(cookies=None, auth=choices.auth if may_stay else None)
    elif current.url.userinfo is not None and isinstance(choices.auth, Unset):
        choices = choices._replace(auth=current.auth)  # the new URL no longer has the userinfo
    if payload is None:
        choices = choices._replace(trailers=None)
    headers = strip_fields(request.headers, redirect, secret_names)
    return build_derived(redirect.method, redirect.url, headers, payload, choices)
