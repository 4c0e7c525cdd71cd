"""One request on its way, from its caller to the response that he gets.

The rules are pure functions, each in a module of its own: what may be retried (retries), where a redirect leads
(redirects), what a challenge is answered with (auth). Here is the loop that applies them, and nothing else: send, look
at what came of it, and either end or change what is sent next.
"""

from __future__ import annotations

import inspect
import math
import random
import time
from asyncio import get_running_loop
from collections.abc import Awaitable, Sequence
from functools import lru_cache
from typing import Final, TypeVar

from ..errors import (
    ClientClosed,
    HTTPException,
    IncompleteRead,
    NotConnected,
    RedirectError,
    StaleConnectionError,
    TooManyRedirects,
    TotalTimeout,
)
from ..exchange.exchange import Exchange
from ..exchange.send import fits_single_write
from ..message.ranges import parse_content_range
from ..message.url import URL, build_url, parse_url
from ..pool.connection import PooledConnection
from ..pool.guard import Caller
from ..response import HTTPResponse
from ..stream.scope import TimeLimit
from ..timings import Timings
from .auth.schemes import AddedFields, Auth, AuthRequest, from_userinfo, open_auth
from .body.arguments import Payload, Unset
from .content.reader import ContentReader, Pace
from .error_context import add_context
from .heads import build_head, locate
from .proxy.authentication import ProxyAuthentication
from .proxy.proxies import Proxy
from .redirects import REDIRECTS, Redirect, decide_redirect, find_location, strip_fields
from .request import USUAL, Request, build_derived
from .response import Response
from .retries import Action, Decision, Outcome, decide_retry
from .settings import Settings, find_deadline
from .site import Site

_T = TypeVar("_T")
_E = TypeVar("_E", bound=BaseException)

AUTH_ROUNDS: Final = 2
"""Answers to challenges for one request: one, and one more for a nonce that has become stale."""

_ENDS: Final = frozenset((200, 201, 202, 204, 206, 304, 400, 403, 404, 500))
"""Statuses after which nothing follows, but by a retry policy."""


_parse_url = lru_cache(maxsize=1024)(parse_url)


class Transfer:
    """One request on its way.

    Args:
        caller: where the response is opened, if nothing else than its caller ends it.

    Attributes:
        request: as it goes out next; a redirect puts another in its place.
        history: the redirects so far.
    """

    __slots__ = (
        "_attempts",
        "_auth",
        "_auth_fields",
        "_auth_rounds",
        "_caller",
        "_expects_continue",
        "_has_answer",
        "_has_repeated",
        "_is_downgraded",
        "_is_foreign",
        "_is_stranger",
        "_proxy_login",
        "_settings",
        "_site",
        "_timeout",
        "_until",
        "_url",
        "_userinfo",
        "_wants_new",
        "history",
        "request",
    )

    def __init__(self, settings: Settings, request: Request, caller: Caller | None = None) -> None:
        self._settings = settings
        self._caller = caller
        self.request = request
        self.history: tuple[Response, ...] = ()
        choices = request.choices
        self._timeout = timeout = settings.timeout if choices is USUAL else settings.timeout_for(choices)
        self._until = math.inf if timeout.total is None else find_deadline(timeout)
        self._expects_continue = choices.expect_continue
        self._is_foreign = self._has_repeated = self._wants_new = self._has_answer = False
        self._is_stranger = self._is_downgraded = False
        self._auth_rounds = self._attempts = 0
        self._auth_fields: Sequence[tuple[str, str]] = ()
        self._proxy_login: ProxyAuthentication | None = None

    async def run(self) -> Response:
        """Send the request until there is a response for its caller, whose content is still to be read.

        Called a second time it goes on: the request is sent again as it was sent last.

        Raises: what Client.request() does.
        """
        settings, pool = self._settings, self._settings.pool
        if not self._attempts:
            self._site = self._look_up() or await self._find_site()
            if settings.budget is not None:
                settings.budget.note_request(self._site.origin, time.monotonic())
        while True:
            if self._auth is not None and not self._has_answer:
                await self._authorize(self._auth)
            self._has_answer = False
            login = self._auth_fields
            if self._site.proxy is not None:
                login = [*login, *await self._log_in_to_proxy(self._site.proxy)]
            head = build_head(
                self.request,
                self._site,
                self._url,
                settings.jar,
                login,
                expects_continue=self._expects_continue,
            )
            exchange = settings.exchange_class(head, Timings(time.monotonic()))
            self._attempts += 1
            try:
                found = None if self._wants_new else pool.take_idle(self._site.group)
                connection = found or await self._acquire()
                if self.request.payload is None:
                    connection.begin(exchange, self._timeout, self._until)
                else:
                    await self._send_payload(connection, exchange, self.request.payload)
                raw = await connection.getresponse()
            except Exception as error:
                if not await self._recovers(error, exchange):
                    raise
                continue
            try:
                response = self._receive(raw)
                if self._caller is not None:
                    connection.guard(raw, self._caller)
            except BaseException:
                raw.close()
                raise
            if raw.status in _ENDS and settings.retries is None:
                return response
            try:
                if not await self._go_on(response):
                    return response
            except BaseException as error:
                response.close()
                self._named(error, response)
                raise

    def _named(self, error: _E, response: Response | None = None) -> _E:
        """Return an error; if it is one of this package, it names its request now, and has the response before it."""
        if isinstance(error, HTTPException):
            add_context(error, self.request, response)
        return error

    async def read(self, response: Response) -> bool:
        """Read the content of a response; False if it broke off, and run() is to send the request again.

        Raises: what Response.read() does.
        """
        try:
            await response.read()
        except Exception as error:
            if not await self._may_retry(error):
                raise
            return False
        return True

    async def _may_retry(self, error: Exception) -> bool:
        """Wait until the request may go out again after content that broke off; False if it may not."""
        outcome = self._describe_attempt()._replace(error=error, bytes_received=1)
        return await self._waits(decide_retry(outcome, self._settings.retries, random.random, time.time()))

    @property
    def has_begun(self) -> bool:
        """Whether the request was sent before."""
        return self._attempts > 0

    # The way

    def _look_up(self) -> Site | None:
        """Take the request's URL apart, find who logs in there, and return its site if that is known."""
        request, settings = self.request, self._settings
        self._url = url = _parse_url(request.url)
        scheme, host, port, _, self._userinfo, _ = url
        may_login = settings.auth is not None or request.choices is not USUAL or self._userinfo is not None
        self._auth = self._find_auth(url) if may_login else None
        return None if self._is_foreign else settings.sites.known.get((scheme, host, port))

    async def _find_site(self) -> Site:
        try:
            return await self._settings.sites.find(self._url, self._is_foreign)
        except HTTPException as error:
            self._named(error)
            raise

    def _find_auth(self, url: URL) -> Auth | None:
        """Return the Auth of the request, of a user in its URL, or of the client; None where a field logs in.

        For an origin that no caller named with it, it is only one that names hosts.
        """
        request, settings = self.request, self._settings
        self._is_stranger = self._is_foreign
        if any(name.lower() == "authorization" for name, _ in request.headers):
            return None
        if not isinstance(request.choices.auth, Unset):
            auth = open_auth(request.choices.auth)
        elif url.userinfo is not None and not self._is_foreign:
            return from_userinfo(url.userinfo)
        else:
            auth = settings.auth
            self._is_stranger |= not settings.sites.is_home(url[:3])
        if auth is None or not self._is_stranger:
            return auth
        return auth if auth.names_hosts and not self._is_downgraded else None

    async def _settle(self, found: _T | Awaitable[_T]) -> _T:
        """Return what a function of the caller gave, which may have to be awaited."""
        return await self._in_time(found) if inspect.isawaitable(found) else found

    async def _in_time(self, given: Awaitable[_T]) -> _T:
        """Await what the caller gave to be awaited, within the total time limit."""
        if self._until == math.inf:
            return await given
        async with TimeLimit(self._until - get_running_loop().time(), self._build_timeout):
            return await given

    def _build_timeout(self, _: float) -> TotalTimeout:
        total = self._timeout.total or 0.0
        return TotalTimeout(f"request not sent to {self._site.group.label} in {total:g} s", "total", total)

    # The head

    async def _authorize(self, auth: Auth) -> None:
        self._auth_fields = await self._settle(auth.authorize(self._describe()))

    async def _log_in_to_proxy(self, proxy: Proxy) -> AddedFields:
        """Return the fields that log in to a proxy which is asked for this request, and not for a tunnel."""
        login = self._proxy_login
        if login is None:
            assert proxy.auth is not None
            target = self._site.prefix + self._url.target
            login = self._proxy_login = ProxyAuthentication(
                proxy, proxy.auth, self.request.method, target, self._find_body()
            )
        return await self._in_time(login.list_fields())

    def _find_body(self) -> bytes | None:
        data = b"" if self.request.payload is None else self.request.payload.data
        return None if data is None else bytes(data)

    def _describe(self) -> AuthRequest:
        request, url, body = self.request, self._url, self._find_body()
        return AuthRequest(
            request.method,
            build_url(url._replace(fragment=None)),
            url.target,
            url.host,
            url.port,
            body,
            self._is_stranger,
        )

    # Sending

    async def _acquire(self) -> PooledConnection:
        """Return a connection; after one that had gone stale a new one, for others may have, too."""
        is_new, self._wants_new = self._wants_new, False
        return await self._settings.pool.acquire(self._site.group, self._timeout, self._until, is_new=is_new)

    async def _send_payload(self, connection: PooledConnection, exchange: Exchange, payload: Payload) -> None:
        """Send the request with its body, which is opened anew unless it is at hand."""
        head, trailers, data = exchange.head, self.request.choices.trailers, payload.data
        in_chunks = head.is_chunked or trailers is not None
        try:
            if data is not None:
                head.frame(len(data), encode_chunked=in_chunks)
                if fits_single_write(head, data, trailers):
                    connection.begin(exchange, self._timeout, self._until, data)
                    return
            try:
                source = await self._in_time(payload.open())
                chunked = head.frame(source.length, encode_chunked=in_chunks)
                await connection.begin_with(
                    exchange, self._timeout, self._until, source, chunked=chunked, trailers=trailers
                )
            finally:
                await payload.aclose()
        except BaseException:
            connection.give_back()  # fit for others if nothing was sent on it
            raise

    async def _recovers(self, error: Exception, exchange: Exchange) -> bool:
        """Wait until the request may go out again after an error; False if it may not.

        It does not raise that error itself: this frame, which has it, would be in its traceback, and neither be freed.
        """
        self._named(error)
        if self._settings.pool.is_closed and isinstance(error, NotConnected):
            raise self._named(ClientClosed("the client was closed meanwhile")) from error
        answered = exchange.heads.first_at is not None or isinstance(error, IncompleteRead)
        outcome = self._describe_attempt()._replace(
            error=error, is_reused=exchange.was_kept, was_sent=exchange.was_sent, bytes_received=int(answered)
        )
        decision = decide_retry(outcome, self._settings.retries, random.random, time.time())
        if decision.action is Action.REPEAT:
            self._has_repeated = self._wants_new = True
            self._note_again("stale", 0.0)
            return True
        if decision.action is Action.STALE:
            raise self._named(self._build_stale(exchange)) from error
        return await self._waits(decision)

    def _build_stale(self, exchange: Exchange) -> StaleConnectionError:
        label = self._site.group.label
        if not exchange.was_sent:
            text = f"{label} closed the connection before the request was sent, and its body can't be sent again"
        else:
            text = f"connection to {label} was closed or reset before a response; the server may have read the request"
        return StaleConnectionError(text, was_sent=exchange.was_sent)

    def _describe_attempt(self) -> Outcome:
        payload = self.request.payload
        is_replayable = payload is None or payload.is_replayable
        return Outcome(
            self.request.method, self._attempts, is_replayable=is_replayable, has_repeated=self._has_repeated
        )

    async def _waits(self, decision: Decision) -> bool:
        """Wait as a decision says; False if it says that the request does not go out again, or time or budget do."""
        if decision.action is not Action.WAIT or not self._may_wait(decision.seconds):
            return False
        await self._wait(decision.seconds)
        return True

    def _may_wait(self, seconds: float) -> bool:
        return self._settings.may_retry(self._site.origin, seconds, self._until)

    async def _wait(self, seconds: float) -> None:
        self._note_again("retry", seconds)
        await self._settings.pool.pause(seconds)

    def _note_again(self, reason: str, seconds: float) -> None:
        if self._settings.tracer is not None:
            self._settings.tracer.request_repeated(self.request, reason, seconds)

    # What came of it

    def _receive(self, raw: HTTPResponse) -> Response:
        request, settings = self.request, self._settings
        if self._auth is not None:
            self._auth.note(self._describe(), raw.headers)
        if self._proxy_login is not None:
            self._proxy_login.note(raw.headers)
        url = request.url if self._userinfo is None else build_url(self._url)
        head = raw.head
        if (head.is_plain or head.is_simple) and settings.is_plain and request.choices is USUAL:  # as most
            return Response(request, url, raw, None, self.history, settings.default_encoding)
        self._store_cookies(raw)
        choices = request.choices
        may_decode = choices.decode and (raw.status != 206 or _is_whole(raw))
        coding = raw.headers.get("content-encoding") if may_decode else None
        pace = None if self._timeout.min_rate is None else Pace(self._site.group.label, self._timeout)
        return Response(
            request,
            url,
            raw,
            ContentReader(raw, coding, settings.max_size_for(choices), pace),
            self.history,
            settings.default_encoding,
        )

    def _store_cookies(self, raw: HTTPResponse) -> None:
        fields = raw.headers.get_all("set-cookie")
        if fields:
            self._settings.jar.store(*locate(self._url, self._site), fields)

    async def _go_on(self, response: Response) -> bool:
        """Return whether the request is to go out again, changed to what the response asks for; it is drained then."""
        if response.status == 401 and self._auth is not None and self._auth_rounds < AUTH_ROUNDS:
            return await self._answer(self._auth, response)
        if response.status == 407 and self._proxy_login is not None:
            return await self._in_time(self._proxy_login.answer(response.headers)) and await self._again(
                response, "challenge"
            )
        if response.status == 417 and self._expects_continue:
            self._expects_continue = False
            return await self._again(response, "expectation")
        if await self._follow(response):
            return True
        retries = self._settings.retries
        if retries is None or response.status not in retries.statuses:
            return False
        outcome = self._describe_attempt()._replace(
            status=response.status, retry_after=response.headers.get_single("retry-after")
        )
        decision = decide_retry(outcome, retries, random.random, time.time())
        if decision.action is not Action.WAIT or not self._may_wait(decision.seconds):
            return False
        await response.aclose()
        await self._wait(decision.seconds)
        return True

    async def _again(self, response: Response, reason: str) -> bool:
        """Go on to the next sending, which is no retry; return True."""
        await response.aclose()
        self._attempts -= 1
        self._note_again(reason, 0.0)
        return True

    async def _answer(self, auth: Auth, response: Response) -> bool:
        """Answer a challenge (RFC 9110 §11.3), if there is an answer."""
        challenges = response.headers.get_all("www-authenticate", [])
        self._auth_rounds += 1
        fields = await self._settle(auth.answer(self._describe(), response.status, challenges, self._auth_rounds))
        if fields is None:
            return False
        self._auth_fields, self._has_answer = fields, True
        return await self._again(response, "challenge")

    async def _follow(self, response: Response) -> bool:
        """Go where a redirect leads, if it is one and to be followed; what was secret stays where it belongs."""
        request, settings = self.request, self._settings
        follows = (
            settings.follow_redirects if request.choices.follow_redirects is None else request.choices.follow_redirects
        )
        if not follows or response.status not in REDIRECTS:
            return False
        try:
            redirect = decide_redirect(request.method, request.url, response.status, find_location(response.headers))
        except RedirectError as exc:
            exc.response = response
            raise
        if redirect is None:
            return False
        if len(self.history) >= settings.max_redirects:
            raise TooManyRedirects(f"more than {settings.max_redirects} redirects", response)
        self.history += (response,)
        self.request = self._redirect(redirect)
        self._is_foreign |= redirect.is_cross_origin
        self._is_downgraded |= redirect.is_downgrade
        self._expects_continue &= redirect.keeps_body
        await self._again(response, "redirect")
        self._auth_rounds, self._auth_fields, self._proxy_login = 0, (), None
        self._site = self._look_up() or await self._find_site()
        return True

    def _redirect(self, redirect: Redirect) -> Request:
        request = self.request
        choices, payload = request.choices, request.payload if redirect.keeps_body else None
        if redirect.is_cross_origin:
            may_stay = isinstance(choices.auth, Unset) or (isinstance(choices.auth, Auth) and choices.auth.names_hosts)
            choices = choices._replace(cookies=None, auth=choices.auth if may_stay else None)
        elif self._userinfo is not None and isinstance(choices.auth, Unset):
            choices = choices._replace(auth=self._auth)  # its URL does not have the user any more
        if payload is None:
            choices = choices._replace(trailers=None)
        headers = strip_fields(request.headers, redirect, self._settings.secret_names)
        return build_derived(redirect.method, redirect.url, headers, payload, choices)


def _is_whole(raw: HTTPResponse) -> bool:
    """Return whether a 206 brings all bytes; the decoder of a content coding can't begin or end in the middle."""
    found = parse_content_range(raw.headers.get_single("content-range") or "")
    return found is not None and found.is_whole
