"""How a request is sent next: its URL, its origin, its credentials, as one value for each sending.

The functions here have no side effects but for the functions of the caller that they ask (an auth, a proxy), so a test
can build a round and look at the next.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Final

from ..errors import HTTPException, RedirectError
from ..message.url import URL, build_url, parse_url
from .auth.schemes import Auth, AuthRequest, from_userinfo, open_auth
from .body.arguments import Unset
from .error_context import add_context
from .proxy.authentication import ProxyAuthentication
from .redirects import REDIRECTS, Redirect, decide_redirect, find_location, strip_fields
from .request import USUAL, Request, build_derived
from .site import Site, Sites

MAX_ROUNDS: Final = 1024
"""URLs whose first round a client remembers."""


@dataclass(slots=True, eq=False)
class Round:
    """How a request is sent. It is shared by all requests to a URL, so nothing in it is ever changed.

    Attributes:
        url: where the request goes.
        site: what all requests to its origin have in common.
        auth: authenticates the request; None sends no credentials, or those of the caller's own field.
        is_foreign: a redirect led here from another origin; that stays so for all further redirects.
        is_downgraded: one of the redirects led from https to http.
        is_stranger: no caller named the host together with `auth`.
        expects_continue: 100 Continue is asked for before the body is sent.
        wants_new: the connection must be a new one.
        auth_rounds: answers to challenges so far.
        answer: the fields that answer a challenge; None: `auth` is asked for fields.
        proxy_login: authenticates the request to a proxy that is asked for it; None without one.
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

    def replace(self, **changes: Any) -> Round:
        """Return a round that differs in these attributes, for the same sending."""
        return dataclasses.replace(self, **changes)

    def again(self, **changes: Any) -> Round:
        """Return the round of the next sending: what held for this sending alone is left out."""
        return dataclasses.replace(self, **{"answer": None, "wants_new": False, **changes})


class Rounds:
    """Makes the rounds of a client.

    Args:
        sites: the origins.
        auth: the client's, for requests that name none.
        secret_names: lower-case names of fields that must not leave the requested origin.

    Attributes:
        sites: see above.
        find: returns the first round of a request to a URL that names no credentials, remembered for many URLs.
    """

    __slots__ = ("_auth", "_secret_names", "find", "sites")

    def __init__(self, sites: Sites, auth: Auth | None, secret_names: frozenset[str]) -> None:
        self.sites = sites
        self._auth = auth
        self._secret_names = secret_names
        find: Callable[[str], Round] = partial(_build_first, sites, auth)
        self.find = find if sites.depend_on_url else lru_cache(maxsize=MAX_ROUNDS)(find)

    def begin(self, request: Request) -> Round:
        """Return the first round of a request.

        Raises:
            InvalidURL: the URL of the request, of its proxy, or the userinfo in it.
        """
        first = self.find(request.url)
        if request.choices is USUAL and first.auth is None and first.site.proxy is None:
            return first
        return self._adapt(first, request, expects_continue=request.choices.expect_continue)

    def _adapt(self, found: Round, request: Request, **changes: Any) -> Round:
        """Return a round for a request with credentials of its own, or behind a proxy that wants some."""
        auth, is_stranger = found.auth, found.is_stranger
        if any(name.lower() == "authorization" for name, _ in request.headers):
            auth = None
        elif not isinstance(request.choices.auth, Unset):
            is_stranger = found.is_foreign
            auth = _restrict(open_auth(request.choices.auth), is_stranger, found.is_downgraded)
        login = _open_proxy_login(request, found.url, found.site)
        return found.replace(auth=auth, is_stranger=is_stranger, proxy_login=login, **changes)

    def redirect(self, request: Request, current: Round, redirect: Redirect) -> tuple[Request, Round]:
        """Return the request to send after a redirect, and its first round; secrets stay where they belong.

        Raises: what begin() does; the error names the new request.
        """
        following = _redirect_request(request, current, redirect, self._secret_names)
        is_foreign = current.is_foreign or redirect.is_cross_origin
        is_downgraded = current.is_downgraded or redirect.is_downgrade
        try:
            found = _build(self.sites, self._auth, following.url, is_foreign, is_downgraded)
            expects = current.expects_continue and redirect.keeps_body
            return following, self._adapt(found, following, expects_continue=expects)
        except HTTPException as error:
            add_context(error, following)
            raise


def _build_first(sites: Sites, auth: Auth | None, url: str) -> Round:
    return _build(sites, auth, url, is_foreign=False, is_downgraded=False)


def _build(sites: Sites, auth: Auth | None, text: str, is_foreign: bool, is_downgraded: bool) -> Round:
    """Return a round with the credentials of a URL, else those of the client as far as they may be sent there."""
    url = parse_url(text)
    site = sites.find(url, is_foreign)
    if url.userinfo is not None and not is_foreign:
        return Round(url, site, from_userinfo(url.userinfo))
    if auth is None:
        return Round(url, site, None, is_foreign, is_downgraded)
    is_stranger = is_foreign or not sites.is_home(site.origin)
    return Round(
        url, site, _restrict(auth, is_stranger, is_downgraded), is_foreign, is_downgraded, is_stranger=is_stranger
    )


def _restrict(auth: Auth | None, is_stranger: bool, is_downgraded: bool) -> Auth | None:
    """Return the Auth, or None: an origin that no caller named with it is for an Auth that names hosts itself."""
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
    """Return a request as its Auth sees it."""
    url = current.url
    text = build_url(url._replace(fragment=None))
    body = _find_body(request)
    return AuthRequest(request.method, text, url.target, url.host, url.port, body, current.is_stranger)


def find_redirect(request: Request, response: Any) -> Redirect | None:
    """Return where a response redirects a request; None if it is no redirect that can be followed.

    Raises:
        RedirectError: its Location is no URL, or neither http nor https.
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
        choices = choices._replace(auth=current.auth)  # the new URL does not have the userinfo any more
    if payload is None:
        choices = choices._replace(trailers=None)
    headers = strip_fields(request.headers, redirect, secret_names)
    return build_derived(redirect.method, redirect.url, headers, payload, choices)
