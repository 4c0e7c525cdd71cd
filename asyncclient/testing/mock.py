"""A transport that answers from routes, for tests of code that uses a client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Self, Unpack, cast

from ..arguments import check_type
from ..errors import clip, copy_error
from ..message.target import show_url
from ..transport import TransportRequest, TransportResponse
from .answers import Answer, ResponseParts, build_response, check_answer, open_answer
from .patterns import Conditions, RequestPattern, URLPattern
from .sent import SentRequest, receive_request

MAX_LISTED: Final = 20
"""Routes that the error about a request without a route lists."""


class UnexpectedRequest(AssertionError):
    """No route matches a request, or each that does was used as often as it may be."""


class Call:
    """A request to a MockTransport, and the result.

    Attributes:
        request: the request, as SentRequest.
        route: its Route; None if no route matches.
        response: the response; None before it, and after an error.
        error: the exception that was raised instead; None without one.
    """

    __slots__ = ("error", "request", "response", "route")

    def __init__(self, request: SentRequest, route: Route | None) -> None:
        self.request = request
        self.route = route
        self.response: TransportResponse | None = None
        self.error: BaseException | None = None

    def fail(self, error: BaseException) -> None:
        """Store a copy of the error, without a traceback, which would keep the client alive."""
        self.error = copy_error(error)

    def __repr__(self) -> str:
        result = self.response if self.error is None else type(self.error).__name__
        return f"<Call {self.request.method} {show_url(self.request.url)}: {result}>"


class Route:
    """The answers to the requests that match a pattern; a MockTransport makes it.

    Without an answer it is status 200 without content. A route is used up after `times` calls, or after the last answer
    of a sequence; its requests then belong to later routes that match.

    Attributes:
        calls: the calls that it has answered, as Call, in order.
    """

    def __init__(self, pattern: RequestPattern, times: int | None = None) -> None:
        check_type("times", times, int | None, "a number")
        if times is not None and times < 1:
            raise ValueError(f"expected times of at least 1, got {times}")
        self.calls: list[Call] = []
        self._pattern = pattern
        self._times = times
        self._answers = [check_answer(200, str(pattern))]  # used until there is another one
        self._is_sequence = False

    def respond(self, answer: Answer | None = None, /, *, status: int = 200, **parts: Unpack[ResponseParts]) -> Self:
        """Answer each request with this response, and return the route.

        Args:
            answer: see Answer; instead of the other arguments. A status may have parts beside it.
            status, parts: see build_response().

        Raises:
            ValueError, TypeError: an invalid answer or part.
            OSError: a file can't be read.
        """
        if answer is None or (parts and status == 200 and isinstance(answer, int)):
            answer = build_response(status if answer is None else answer, **parts)
        elif parts or status != 200:
            raise TypeError("expected an answer, or the parts of a response, got both")
        return self._set([answer], is_sequence=False)

    def raises(self, error: Exception | type[Exception]) -> Self:
        """Raise an exception for each request, and return the route."""
        check_type("error", error, Exception | type, "an exception")
        return self.respond(error)

    def sequence(self, *answers: Answer) -> Self:
        """Answer the requests in order, with each answer once, and return the route."""
        if not answers:
            raise TypeError("expected at least one answer")
        return self._set(answers, is_sequence=True)

    def _set(self, answers: Sequence[Answer], *, is_sequence: bool) -> Self:
        self._answers = [check_answer(answer, str(self)) for answer in answers]
        self._is_sequence = is_sequence
        return self

    @property
    def limit(self) -> int | None:
        """The number of calls after which the route is used up; None without a limit."""
        own = len(self._answers) if self._is_sequence else None
        return own if self._times is None else min(self._times, own or self._times)

    def find_difference(self, request: SentRequest) -> str:
        """Return why the route does not answer a request, as a word or two; "" if it does."""
        if reason := self._pattern.find_difference(request):
            return reason
        return f"used {len(self.calls)} times" if self.limit is not None and len(self.calls) >= self.limit else ""

    async def answer(self, call: Call, request: TransportRequest) -> TransportResponse:
        """Return the answer to a call, or raise it."""
        answer = self._answers[len(self.calls) if self._is_sequence else 0]
        call.request = call.request._replace(path_params=self._pattern.find_params(call.request))
        self.calls.append(call)
        return await open_answer(answer, call.request, request)

    def check_called(self) -> str:
        """Return a sentence if the route was not called as often as it is meant to be; otherwise ""."""
        count, limit = len(self.calls), self.limit
        if count and count >= (limit or 1):
            return ""
        return f"{self} was called {count} times{'' if limit is None else f' instead of {limit}'}"

    def __str__(self) -> str:
        return str(self._pattern)

    def __repr__(self) -> str:
        return f"<Route {self}: {len(self.calls)} calls>"


class MockTransport:
    """A transport that answers from routes, without a network.

    >>> from asyncclient import Client
    >>> mock = MockTransport()
    >>> route = mock.get("https://api.example.com/items/{id}").respond(json={"name": "lamp"})
    >>> client = Client(transport=mock)

    The first route that matches, and is not used up, answers. The rules of the client apply: redirects, retries,
    cookies, authentication, decoding. A request that no route matches fails at once with UnexpectedRequest.

    Args:
        table: answers by method and URL, such as {"GET https://example.com/a?b=1": 200}, instead of routes. A list of
            answers is given in order, each once.

    Raises:
        ValueError: a key that is not a method and a URL, or a status that is not from 200 to 599.
        TypeError: an answer of another type.

    Attributes:
        calls: the requests and their results, as Call, in order.
        routes: the routes, in the order in which they are tried.
        is_closed: True after aclose().
    """

    def __init__(self, table: Mapping[str, Answer | Sequence[Answer]] | None = None) -> None:
        self.calls: list[Call] = []
        self.routes: list[Route] = []
        self.is_closed = False
        if table is not None and not isinstance(table, Mapping):
            hint = "; a function answers by mock.route().respond(function)" if callable(table) else ""
            raise TypeError(f"expected a mapping of answers as table, got {type(table).__name__}{hint}")
        for key, answer in (table or {}).items():
            self._add_entry(key, answer)

    def _add_entry(self, key: str, answer: Answer | Sequence[Answer]) -> None:
        method, blank, url = key.partition(" ")
        if not (method and blank):
            raise ValueError(f"expected a method and a URL as key, such as 'GET https://example.com/', got {clip(key)}")
        route = self.route(method, url)
        if isinstance(answer, Sequence) and not isinstance(answer, str | bytes):
            route.sequence(*answer)
        else:
            route.respond(cast(Answer, answer))

    # Routes

    def route(
        self,
        method: str | None = None,
        url: URLPattern | None = None,
        *,
        times: int | None = None,
        **conditions: Unpack[Conditions],
    ) -> Route:
        """Add a route, and return it, to be given its answer.

        Args:
            method: the method; None for any.
            url: the URL, see URLPattern; None for any. If it has a query, the request must have the same parameters. If
                it has none, the request must have none, unless `params` are given or the URL ends with `*`.
            times: after that many calls the route is used up; None for no limit.
            conditions: see Conditions.

        Raises:
            ValueError, InvalidURL, TypeError: an argument that is invalid.
        """
        route = Route(RequestPattern(method, url, **conditions), times)
        self.routes.append(route)
        return route

    def get(
        self, url: URLPattern | None = None, *, times: int | None = None, **conditions: Unpack[Conditions]
    ) -> Route:
        """Add a route for GET; see route()."""
        return self.route("GET", url, times=times, **conditions)

    def head(
        self, url: URLPattern | None = None, *, times: int | None = None, **conditions: Unpack[Conditions]
    ) -> Route:
        """Add a route for HEAD; see route()."""
        return self.route("HEAD", url, times=times, **conditions)

    def options(
        self, url: URLPattern | None = None, *, times: int | None = None, **conditions: Unpack[Conditions]
    ) -> Route:
        """Add a route for OPTIONS; see route()."""
        return self.route("OPTIONS", url, times=times, **conditions)

    def post(
        self, url: URLPattern | None = None, *, times: int | None = None, **conditions: Unpack[Conditions]
    ) -> Route:
        """Add a route for POST; see route()."""
        return self.route("POST", url, times=times, **conditions)

    def put(
        self, url: URLPattern | None = None, *, times: int | None = None, **conditions: Unpack[Conditions]
    ) -> Route:
        """Add a route for PUT; see route()."""
        return self.route("PUT", url, times=times, **conditions)

    def patch(
        self, url: URLPattern | None = None, *, times: int | None = None, **conditions: Unpack[Conditions]
    ) -> Route:
        """Add a route for PATCH; see route()."""
        return self.route("PATCH", url, times=times, **conditions)

    def delete(
        self, url: URLPattern | None = None, *, times: int | None = None, **conditions: Unpack[Conditions]
    ) -> Route:
        """Add a route for DELETE; see route()."""
        return self.route("DELETE", url, times=times, **conditions)

    # Calls

    @property
    def requests(self) -> list[SentRequest]:
        """The requests of the calls."""
        return [call.request for call in self.calls]

    def assert_all_called(self) -> None:
        """Check that each route was called, `times` times if that is given, and that no request was unexpected.

        Code under test may catch UnexpectedRequest; this finds it nevertheless.

        Raises:
            AssertionError: it names the routes and the requests.
        """
        faults = [fault for route in self.routes if (fault := route.check_called())]
        unexpected = [call.request for call in self.calls if call.route is None]
        faults += [f"{sent.method} {show_url(sent.url)} matched no route" for sent in unexpected]
        if faults:
            raise AssertionError("; ".join(faults))

    async def send(self, request: TransportRequest) -> TransportResponse:
        """Return the answer to a request.

        Raises:
            UnexpectedRequest: no route matches.
            TotalTimeout: a function has not answered before the deadline of the request.
            Exception: an exception of a route, or of a function in it.
        """
        sent = await receive_request(request)
        route = next((route for route in self.routes if not route.find_difference(sent)), None)
        call = Call(sent, route)
        self.calls.append(call)
        try:
            if route is None:
                raise UnexpectedRequest(self._explain(sent))
            call.response = await route.answer(call, request)
        except BaseException as error:
            call.fail(error)
            raise
        return call.response

    def _explain(self, sent: SentRequest) -> str:
        """Return the text of the error about a request without a route."""
        reasons = [f"{route} ({route.find_difference(sent)})" for route in self.routes[:MAX_LISTED]]
        if len(self.routes) > MAX_LISTED:
            reasons.append(f"and {len(self.routes) - MAX_LISTED} more")
        listed = "\n  ".join(["; the routes are:", *reasons]) if reasons else "; there is no route"
        return f"no route matches {sent.method} {show_url(sent.url)}{listed}"

    async def aclose(self) -> None:
        """Set `is_closed`."""
        self.is_closed = True

    def __repr__(self) -> str:
        return f"<MockTransport {len(self.routes)} routes, {len(self.calls)} calls>"
