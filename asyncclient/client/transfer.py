"""One request, from its caller to the response that the caller gets: the loop that applies the rules.

```text
   Request ──► Rounds.find ───► Round ──► build_head ──► Transport.send ─────────────┐
                                  ▲          (auth, cookies)     │ error             │ response
                                  │                              ▼                   ▼
                                  │                        _after_error        _after_response
                                  │      stale, retry            │                   │ 401, 407: answer
                                  └──────────────────────────────┤                   │ 417: without Expect
                                  ▲                              ▼                   │ 3xx: redirect
                                  │                          the error               │ retry
                                  └──────────────────────────────────────────────────┤
                                                                                     ▼
                                                                                 Response
```

Example: a GET of http://a/ with auth=Digest(...). `find` returns the round for http://a/ with that Auth, which has no
fields to add yet; the head is built and sent. The response is a 401: `_after_response` asks the Auth for an answer and
returns the same round with its fields. Now the response is a 302 to http://b/: the next round is foreign, has another
site and no Auth. When it is sent, the idle connection turns out to be closed: `_after_error` returns the same round
with `wants_new`. The response is a 200, which the caller gets, with the 302 in its `history`.

The rules are pure functions in modules of their own: what may be retried (retries), where a redirect leads (redirects,
round), how a challenge is answered (auth). A round is sent by a Transport; nothing below that is known here.
"""

from __future__ import annotations

import inspect
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from ..caller import Caller
from ..errors import ClientClosed, HTTPException, StaleConnectionError, TooManyRedirects, show_count
from ..message.ranges import parse_content_range
from ..timeouts import NEVER
from ..transport import Transport, TransportRequest, TransportResponse
from .auth.schemes import Auth
from .content.reader import ContentReader, Pace
from .deadlines import await_in_time
from .error_context import add_context
from .heads import build_head, locate
from .request import USUAL, Request
from .response import Response
from .retries import Action, Decision, Outcome, decide_retry
from .round import Round, describe, find_redirect
from .settings import Settings, find_deadline

if TYPE_CHECKING:
    from ..tracing.trace import Trace

_T = TypeVar("_T")
_E = TypeVar("_E", bound=BaseException)

AUTH_ROUNDS: Final = 2
"""Challenges that are answered for one request: one, and another for a stale nonce."""

_FINAL: Final = frozenset((200, 201, 202, 204, 206, 304, 400, 403, 404, 500))
"""Statuses after which no further request is sent, unless a retry policy lists them."""


class Again(NamedTuple):
    """The decision to send the request again after a response.

    Attributes:
        round: the next round.
        reason: see Resend.
        pause: seconds to wait before a retry; None if it is not a retry.
        request: the new request after a redirect; None for the same request.
    """

    round: Round
    reason: str
    pause: float | None = None
    request: Request | None = None


class Transfer:
    """The course of one request.

    Args:
        settings: those of the client.
        request: the request to send.
        caller: where the response is opened, if only its caller ends it.

    Attributes:
        request: the request to send next; a redirect replaces it.
        history: the redirects so far.
    """

    __slots__ = (
        "_attempts",
        "_caller",
        "_deadline",
        "_has_resent",
        "_round",
        "_settings",
        "_timeout",
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
        self._deadline = NEVER if timeout.total is None else find_deadline(timeout)
        self._attempts = 0  # attempts counted as such: the first, the free resend and retries
        self._has_resent = False  # True after a free resend, until the next response
        self._round: Round | None = None  # the current or last round

    @property
    def trace(self) -> Trace | None:
        """The trace of the request; None without tracers."""
        return self._settings.trace

    def begin_trace(self, trace: Trace, watch: Callable[[Transport], Transport]) -> None:
        """Have a trace told of each resend, and the transport replaced by one that reports what it sends."""
        self._settings = replace(self._settings, transport=watch(self._settings.transport), trace=trace)

    async def run(self) -> Response:
        """Send the request until there is a response for the caller, whose content is unread.

        A second call sends the request again, as it was sent last.

        Raises: see Client.request().
        """
        settings = self._settings
        current = self._begin() if self._round is None else self._round.again()
        while True:
            self._round = current
            credentials = await self._authenticate(current) if current.has_credentials else ()
            request = self.request
            head = build_head(request, current, settings.jar, credentials)
            self._attempts += 1
            try:
                raw = await settings.transport.send(
                    TransportRequest(
                        head,
                        current.site.destination,
                        self._timeout,
                        self._deadline,
                        request.payload,
                        None if request.choices is USUAL else request.choices.trailers,
                        current.wants_new,
                        self._caller,
                        request.payload is None and request.method in settings.resent and not self._has_resent,
                    )
                )
            except Exception as error:
                following = await self._after_error(current, error)
                if following is None:
                    raise
                current = following
                continue
            try:
                response = self._receive(current, raw)
            except BaseException:
                raw.close()
                raise
            if raw.status in _FINAL and settings.retries is None:
                return response
            try:
                again = await self._after_response(current, response)
                if again is None:
                    return response
                await self._go_on(again, response)
            except BaseException as error:
                response.close()
                self._named(error, response)
                raise
            current = again.round

    def _begin(self) -> Round:
        """Return the first round; ClientClosed if the client is closed."""
        settings, request = self._settings, self.request
        first = settings.rounds.find(request.url)
        if request.choices is not USUAL or first.has_credentials or first.site.proxy is not None:
            first = settings.rounds.adapt(first, request, expects_continue=request.choices.expect_continue)
        if settings.pauses.is_closed:
            raise self._named(ClientClosed("the client is closed"))
        if settings.budget is not None:
            settings.budget.add_request(first.site.origin, time.monotonic())
        return first

    def _named(self, error: _E, response: Response | None = None) -> _E:
        """Return the error; an error of this package gets the request, and the response if there was one."""
        if isinstance(error, HTTPException):
            add_context(error, self.request, response)
        return error

    async def read(self, response: Response) -> bool:
        """Read the content of a response; return False if it broke off and run() must send the request again.

        Raises: see Response.read().
        """
        try:
            await response.read()
        except Exception as error:
            if not await self._retries_content(error):
                raise
            return False
        return True

    async def _retries_content(self, error: Exception) -> bool:
        """Wait before a retry because content broke off; return False if there is no retry."""
        assert self._round is not None
        outcome = self._describe_attempt()._replace(error=error, bytes_received=1)
        decision = decide_retry(outcome, self._settings.retries, random.random, time.time())
        return await self._pauses(self._round, decision, error)

    # Credentials

    async def _authenticate(self, current: Round) -> Sequence[tuple[str, str]]:
        """Return the fields with the credentials for the origin, and for a proxy that gets the whole URL."""
        fields = current.answer or ()
        if current.auth is not None and current.answer is None:
            fields = await self._maybe_await(current, current.auth.authorize(describe(self.request, current)))
        if current.proxy_login is not None:
            fields = [*fields, *await self._in_time(current, current.proxy_login.list_fields())]
        return fields

    async def _maybe_await(self, current: Round, found: _T | Awaitable[_T]) -> _T:
        """Return the result of a caller's function, which may be a coroutine function."""
        return await self._in_time(current, found) if inspect.isawaitable(found) else found

    async def _in_time(self, current: Round, given: Awaitable[_T]) -> _T:
        """Await a caller's function within the total timeout."""
        return await await_in_time(given, self._deadline, current.site.label)

    # After an error

    async def _after_error(self, current: Round, error: Exception) -> Round | None:
        """Return the next round after an error, once its pause is over; None if the request must not be sent again.

        Returns None instead of re-raising: raising `error` from a frame that holds it would make a reference cycle.
        """
        self._named(error)
        outcome = self._describe_attempt()._replace(error=error)
        if isinstance(error, StaleConnectionError):
            outcome = outcome._replace(is_reused=True, was_sent=error.was_sent)
        decision = decide_retry(outcome, self._settings.retries, random.random, time.time())
        if decision.action is Action.REPEAT:
            self._has_resent = True
            self._note_again("stale", 0.0, error=error)
            return current.again(wants_new=True)
        return current.again() if await self._pauses(current, decision, error) else None

    def _describe_attempt(self) -> Outcome:
        payload = self.request.payload
        is_replayable = payload is None or payload.is_replayable
        return Outcome(self.request.method, self._attempts, is_replayable=is_replayable, has_repeated=self._has_resent)

    async def _pauses(self, current: Round, decision: Decision, error: Exception) -> bool:
        """Wait for the pause of a retry; return False if the decision, the deadline or the budget forbids the retry."""
        if not self._may_wait(current, decision):
            return False
        self._note_again("retry", decision.seconds, error=error)
        await self._settings.pauses.wait(decision.seconds)
        return True

    def _may_wait(self, current: Round, decision: Decision) -> bool:
        if decision.action is not Action.WAIT:
            return False
        return self._settings.may_retry(current.site.origin, decision.seconds, self._deadline)

    def _note_again(
        self, reason: str, seconds: float, *, status: int | None = None, error: Exception | None = None
    ) -> None:
        if self._settings.trace is not None:
            self._settings.trace.request_resent(reason, seconds, status, error)

    # After a response

    def _receive(self, current: Round, raw: TransportResponse) -> Response:
        request, settings = self.request, self._settings
        if current.has_credentials:
            self._note_credentials(current, raw)
        url, head = current.shown_url or request.url, raw.head
        if (head.is_plain or head.is_simple) and settings.is_plain and request.choices is USUAL:  # the common case
            return Response(request, url, raw, None, self.history, settings.default_encoding)
        fields = raw.headers.get_all("set-cookie")
        if fields:
            settings.jar.store(*locate(current.url, current.site), fields)
        choices = request.choices
        may_decode = choices.decode and (raw.status != 206 or _is_whole(raw))
        coding = raw.headers.get("content-encoding") if may_decode else None
        pace = None if self._timeout.min_rate is None else Pace(current.site.label, self._timeout)
        reader = ContentReader(raw, coding, settings.max_size_for(choices), pace)
        return Response(request, url, raw, reader, self.history, settings.default_encoding)

    def _note_credentials(self, current: Round, raw: TransportResponse) -> None:
        """Let the credentials see the fields of the response."""
        if current.auth is not None:
            current.auth.note(describe(self.request, current), raw.headers)
        if current.proxy_login is not None:
            current.proxy_login.note(raw.headers)

    async def _after_response(self, current: Round, response: Response) -> Again | None:
        """Return how to send the request again; None if the response is final."""
        status, proxy_login = response.status, current.proxy_login
        if status == 401 and current.auth is not None and current.auth_rounds < AUTH_ROUNDS:
            return await self._answer(current, current.auth, response)
        if status == 407 and proxy_login is not None:
            is_answered = await self._in_time(current, proxy_login.answer(response.headers))
            return Again(current.again(), "challenge") if is_answered else None
        if status == 417 and current.expects_continue:
            return Again(current.again(expects_continue=False), "expectation")
        return self._follow(current, response) or self._retry(current, response)

    async def _answer(self, current: Round, auth: Auth, response: Response) -> Again | None:
        """Answer a challenge if possible (RFC 9110 §11.3)."""
        challenges = response.headers.get_all("www-authenticate", [])
        count = current.auth_rounds + 1
        found = auth.answer(describe(self.request, current), response.status, challenges, count)
        fields = await self._maybe_await(current, found)
        return None if fields is None else Again(current.again(auth_rounds=count, answer=fields), "challenge")

    def _follow(self, current: Round, response: Response) -> Again | None:
        """Follow the response if it is a redirect and redirects are followed."""
        settings, choice = self._settings, self.request.choices.follow_redirects
        if not (settings.follow_redirects if choice is None else choice):
            return None
        redirect = find_redirect(self.request, response)
        if redirect is None:
            return None
        if len(self.history) >= settings.max_redirects:
            raise TooManyRedirects(f"more than {show_count(settings.max_redirects, 'redirect')}", response)
        request, following = settings.rounds.redirect(self.request, current, redirect)
        return Again(following, "redirect", request=request)

    def _retry(self, current: Round, response: Response) -> Again | None:
        """Retry because of the status, if the client's policy lists it."""
        retries = self._settings.retries
        if retries is None or response.status not in retries.statuses:
            return None
        retry_after = response.headers.get_single("retry-after")
        outcome = self._describe_attempt()._replace(status=response.status, retry_after=retry_after)
        decision = decide_retry(outcome, retries, random.random, time.time())
        if not self._may_wait(current, decision):
            return None
        return Again(current.again(), "retry", decision.seconds)

    async def _go_on(self, again: Again, response: Response) -> None:
        """Close the response and wait until the next round may be sent."""
        if again.request is not None:
            self.history += (response,)
            self.request = again.request
        await response.aclose()
        self._has_resent = False  # each request that a server answered has a free resend of its own
        self._note_again(again.reason, again.pause or 0.0, status=response.status)
        if again.pause is None:
            self._attempts -= 1
        else:
            await self._settings.pauses.wait(again.pause)


def _is_whole(raw: TransportResponse) -> bool:
    """Return True if a 206 has all bytes: a content coding can't be decoded from or to the middle."""
    found = parse_content_range(raw.headers.get_single("content-range") or "")
    return found is not None and found.is_whole
