"""Middlewares of the blocking client: plain functions that run in the thread that makes the request."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from ..arguments import check_type
from ..client.middlewares import CallNext, list_middlewares
from ..client.request import Request
from ..client.response import Response as AwaitableResponse
from ..errors import ResponseError
from .portal import Portal, current_call
from .response import Response, replace_response


class BlockingMiddlewares:
    """The middlewares of a blocking client, as coroutine functions for the client that it uses.

    Args:
        given: the functions of the caller.

    Attributes:
        portal: runs the requests; set before the first one.
    """

    portal: Portal

    def __init__(self, given: Iterable[Any]) -> None:
        self._functions = list_middlewares(given)

    def adapt(self) -> tuple[Any, ...]:
        """Return the coroutine functions."""
        return tuple(map(self._adapt, self._functions))

    def _adapt(self, function: Any) -> Any:
        async def middleware(request: Request, call_next: CallNext) -> AwaitableResponse:
            call = current_call()
            assert call is not None
            response = await call.run_in_caller(function, request, self._block(call_next))
            name = getattr(function, "__qualname__", type(function).__name__)
            check_type(f"result of the middleware {name}", response, Response, "a Response")
            unwrapped: AwaitableResponse = response._response
            return unwrapped

        return middleware

    def _block(self, call_next: CallNext) -> Any:
        """Return call_next as a function for the thread of the caller."""

        async def send(request: Request, received: list[AwaitableResponse]) -> AwaitableResponse:
            received.append(await call_next(request))
            return received[0]

        def call_and_wait(request: Request) -> Response:
            received: list[AwaitableResponse] = []
            try:
                response = self.portal.run(send(request, received), partial(_close, received))
            except ResponseError as error:
                replace_response(error, self.portal)
                raise
            return Response(response, self.portal)

        return call_and_wait


def _close(responses: list[AwaitableResponse]) -> None:
    for response in responses:
        response.close()
