"""A transport that answers from a table, for tests of code that uses a client."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, cast

from ..client.deadlines import await_in_time
from ..errors import clip
from ..local_response import LocalResponse
from ..message.fields import Fields
from ..message.url import build_url, parse_url
from ..transport import TransportRequest, TransportResponse


class SentRequest(NamedTuple):
    """A request that a ScriptedTransport has received.

    Attributes:
        method: the method.
        url: the URL, without userinfo and fragment.
        headers: the fields. Content-Length is missing if only a connection would add it.
        content: the body; b"" without a body.
    """

    method: str
    url: str
    headers: Fields
    content: bytes


Function = Callable[[SentRequest], TransportResponse | Awaitable[TransportResponse]]

_Answer = LocalResponse | Exception | type[Exception] | Function

Answer = int | _Answer
"""An answer of a ScriptedTransport: a status, a response, an exception to raise, or a function of the request, plain or
async, that returns a response or raises an exception."""


class UnexpectedRequest(AssertionError):
    """A ScriptedTransport has no answer, or no further answer, for a request."""


class ScriptedTransport:
    """A transport that answers from a table, without a network.

    >>> from asyncclient import Client, LocalResponse
    >>> transport = ScriptedTransport({"GET https://example.com/": LocalResponse(content="hello")})
    >>> client = Client(transport=transport)

    The rules of the client apply: redirects, retries, cookies, authentication, decoding.

    Args:
        table: answers by method and URL, such as "GET https://example.com/a?b=1". An answer is given any number of
            times; a sequence of answers is given in order, each once.

    Raises:
        ValueError: a key that is not a method and a URL, two keys that mean the same, or a status that is not from 200
            to 599.
        TypeError: an answer of another type.

    Attributes:
        requests: the requests that were sent, in order, as SentRequest.
        is_closed: True after aclose().
    """

    def __init__(self, table: Mapping[str, Answer | Sequence[Answer]]) -> None:
        self._table = {_parse_key(key): _check_answers(key, answer) for key, answer in table.items()}
        if len(self._table) < len(table):
            raise ValueError(f"expected each method and URL once, got {clip([*table])}")
        self.requests: list[SentRequest] = []
        self.is_closed = False

    async def send(self, request: TransportRequest) -> TransportResponse:
        """Return the answer to a request.

        Raises:
            UnexpectedRequest: the table has no answer, or no further answer.
            TotalTimeout: a function has not answered before the request's deadline.
            Exception: an exception of the table, or of a function in it.
        """
        sent = SentRequest(request.method, request.url, request.headers, await request.read_body())
        self.requests.append(sent)
        if request.on_start is not None:
            request.on_start()
        answer = self._find(f"{sent.method} {sent.url}")
        if callable(answer) and not isinstance(answer, type):
            found = answer(sent)
            if not inspect.isawaitable(found):
                return found
            return await await_in_time(found, request.deadline, request.destination.host)
        return _open(answer, has_content=sent.method != "HEAD")

    def _find(self, key: str) -> _Answer:
        answer = self._table.get(key)
        if isinstance(answer, list):
            if answer:
                return answer.pop(0)
            raise UnexpectedRequest(f"the table has no further answer to {key}")
        if answer is None:
            raise UnexpectedRequest(f"the table has no answer to {key}, only to {', '.join(self._table) or 'nothing'}")
        return answer

    async def aclose(self) -> None:
        """Set `is_closed`."""
        self.is_closed = True

    def __repr__(self) -> str:
        return f"<ScriptedTransport {len(self.requests)} requests>"


def _parse_key(key: str) -> str:
    method, blank, url = key.partition(" ")
    if not (method and blank):
        raise ValueError(f"expected a method and a URL as key, such as 'GET https://example.com/', got {clip(key)}")
    return f"{method} {build_url(parse_url(url)._replace(userinfo=None, fragment=None))}"


def _check_answers(key: str, answer: Answer | Sequence[Answer]) -> _Answer | list[_Answer]:
    if isinstance(answer, Sequence) and not isinstance(answer, str | bytes):
        return [_check_answer(key, each) for each in answer]
    return _check_answer(key, answer)


def _check_answer(key: str, answer: object) -> _Answer:
    if isinstance(answer, int):
        return LocalResponse(answer)
    if not (isinstance(answer, LocalResponse | Exception) or callable(answer)):
        wanted = "a status, a LocalResponse, an exception or a function"
        raise TypeError(f"expected {wanted} as answer to {key}, got {type(answer).__name__}")
    return cast(_Answer, answer)  # a function is trusted to return a response


def _open(answer: LocalResponse | Exception | type[Exception], *, has_content: bool) -> LocalResponse:
    """Return a response that was not read before, or raise the exception."""
    if isinstance(answer, LocalResponse):
        return answer.copy(content=None if has_content else b"")
    raise answer if isinstance(answer, type) else copy.copy(answer)  # a copy: raising an exception changes it
