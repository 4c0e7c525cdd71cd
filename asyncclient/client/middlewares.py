"""Middlewares: functions around the requests of a client, outside redirects and retries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from functools import partial
from inspect import isawaitable
from typing import Any

from ..arguments import check_type
from .request import Request
from .response import Response

CallNext = Callable[[Request], Awaitable[Response]]
"""Sends a request by the next middleware, the last one by the client, and returns the response."""

Middleware = Callable[[Request, CallNext], Awaitable[Response]]
"""A coroutine function around a request: it returns the response of `call_next(request)`, or another one."""

BlockingMiddleware = Callable[[Request, Callable[[Request], Any]], Any]
"""The same as a plain function, for the blocking client and its responses."""


def list_middlewares(given: Iterable[Any]) -> tuple[Any, ...]:
    """Return the middlewares of a caller.

    Raises:
        TypeError: it is not a collection of functions.
    """
    if not isinstance(given, Iterable):
        raise TypeError(f"expected a collection of functions as middlewares, got {type(given).__name__}")
    middlewares = tuple(given)
    for middleware in middlewares:
        if not callable(middleware):
            raise TypeError(f"expected a function as middleware, got {type(middleware).__name__}")
    return middlewares


def surround(send: CallNext, middlewares: Sequence[Middleware]) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """Return a function that sends a request through the middlewares, at least one, the first one outermost."""
    first, *others = middlewares
    for middleware in reversed(others):
        send = partial(_call, middleware, send)
    return partial(_call, first, send)


async def _call(middleware: Middleware, send: CallNext, request: Request) -> Response:
    """Call a middleware. An unread response that it does not return is closed, as it has no other owner."""
    check_type("request", request, Request, "a Request")
    received: list[Response] = []

    async def call_next(request: Request) -> Response:
        received.append(await send(request))
        return received[-1]

    returned: Response | None = None
    try:
        returned = await _check(middleware, middleware(request, call_next))
        return returned
    finally:
        for response in received:
            if response is not returned:
                response.close()


async def _check(middleware: Middleware, result: Awaitable[Response]) -> Response:
    """Return the response of a middleware, once it is there."""
    name = getattr(middleware, "__qualname__", type(middleware).__name__)
    if not isawaitable(result):
        raise TypeError(f"expected a coroutine function as middleware, got {name}, which returned a value")
    response = await result
    check_type(f"result of the middleware {name}", response, Response, "a Response")
    return response
