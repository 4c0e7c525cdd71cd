"""Everything the engine raises: http.client's documented tree, and below it what asyncio and timeouts add.

What a peer or the network does wrong is an `HTTPException`; failures of the network are an `OSError`, and what took
too long a `TimeoutError`, as well. Bad arguments are `ValueError` or `TypeError`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any, Final

MAX_TEXT: Final = 800
"""Characters of the text of an error, in addition to the request that it names: a part of it may be the peer's."""


def clip(value: object) -> str:
    """Return repr(value), cut to 80 characters: no peer decides how long a message gets."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def join_errors(errors: Sequence[object]) -> str:
    """Return what several errors say, in one text: the first three, each cut to 160 characters, and how many more."""
    texts = [text if len(text) <= 160 else f"{text[:157]}..." for text in map(str, errors[:3])]
    return "; ".join(texts) + (f"; and {len(errors) - 3} more" if len(errors) > 3 else "")


class HTTPException(Exception):
    """Base of all errors of this package that a server, a proxy or the order of calls can cause.

    Attributes:
        request: the Request of a client that failed, after redirects the last one; None for errors of a connection.
        response: the Response, if its head had been received: its status and fields count, although the content or the
            next step failed. None if there is none.
        context: method and URL of that request, without user and query, as they stand in the text; "" without one.
    """

    request: Any = None
    response: Any = None
    context = ""

    def _describe(self) -> str:
        """Return what happened, without the request that it happened to."""
        return BaseException.__str__(self)

    def __str__(self) -> str:
        text = self._describe()
        if len(text) > MAX_TEXT:
            text = f"{text[: MAX_TEXT - 3]}..."
        return f"{text} ({self.context})" if self.context else text

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by what is known, not by calling a constructor that wants other arguments than the text."""
        return _rebuild, (type(self), self.args, self.__dict__)


def copy_error(error: OSError) -> OSError:
    """Return an error like this one that was never raised: to be kept, where a traceback would keep all it leads to."""
    try:
        return copy.copy(error)
    except Exception:  # of somebody's own class, whose constructor wants more
        return OSError(*error.args)


def _rebuild(kind: type[HTTPException], args: tuple[Any, ...], facts: dict[str, Any]) -> HTTPException:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(facts)
    return error


class NotConnected(HTTPException):
    """There is no open connection: never opened and auto_open is off, or closed by close() meanwhile."""


class InvalidURL(HTTPException, ValueError):
    """A host, port or request target that can't be sent as it is."""


class UnknownProtocol(HTTPException):
    """The status line names a protocol other than HTTP/1.x."""

    def __init__(self, version: str) -> None:
        super().__init__(version)
        self.version = version

    def _describe(self) -> str:
        return f"expected HTTP/1.x, got {clip(self.version)}"


class UnknownTransferEncoding(HTTPException):
    """The body has a transfer coding other than a single `chunked` (RFC 9112 §7)."""


class UnimplementedFileMode(HTTPException):
    """Part of http.client's tree; nothing raises it."""


class IncompleteRead(HTTPException):
    """The connection ended before the message did (RFC 9112 §8).

    `partial` holds the bytes of this read that had arrived, `expected` how many more were announced, None if unknown.
    """

    def __init__(self, partial: bytes, expected: int | None = None) -> None:
        super().__init__(partial, expected)
        self.partial = partial
        self.expected = expected

    def __repr__(self) -> str:
        more = "" if self.expected is None else f", {self.expected} more expected"
        return f"{type(self).__name__}({len(self.partial)} bytes read{more})"

    _describe = __repr__


class ImproperConnectionState(HTTPException):
    """A call that the state of the connection does not allow now."""


class CannotSendRequest(ImproperConnectionState):
    """A request was begun while another is under way or its response has not been read."""


class CannotSendHeader(ImproperConnectionState):
    """A field or the end of the head was given while no request head is open."""


class ResponseNotReady(ImproperConnectionState):
    """getresponse() without a request that was sent whole."""


class BadStatusLine(HTTPException):
    """The response does not begin with a status line (RFC 9112 §4). `line` is what came instead."""

    def __init__(self, line: str) -> None:
        super().__init__(line)
        self.line = line

    def _describe(self) -> str:
        return f"invalid status line: {clip(self.line)}"


class LineTooLong(HTTPException):
    """A line, or a head as a whole, is longer than the limit; nothing beyond the limit was kept."""

    def __init__(self, what: str, limit: int = 64 * 1024) -> None:
        super().__init__(f"got more than {limit} bytes when reading {what}")
        self.what = what
        self.limit = limit


class ProtocolError(HTTPException):
    """The peer breaks HTTP/1.1 in a way that leaves no safe reading: fields, lengths, chunks, too many of something."""


class RemoteDisconnected(ConnectionResetError, BadStatusLine):
    """The peer closed the connection before the first byte of a response."""

    def __init__(self, message: str = "remote end closed connection without response") -> None:
        BadStatusLine.__init__(self, "")
        ConnectionResetError.__init__(self, message)

    __str__ = HTTPException.__str__

    def _describe(self) -> str:
        return str(self.args[0])


class ConnectError(HTTPException, ConnectionError):
    """No connection could be opened. `attempts` has one error for each address tried, in order."""

    def __init__(self, message: str, attempts: Sequence[OSError] = ()) -> None:
        super().__init__(message)
        self.attempts = tuple(attempts)


class TLSError(ConnectError):
    """TLS failed: in the handshake, before anything of a request was sent, or by an alert before a response.

    The `ssl` error is the `__cause__`. In TLS 1.3 a server refuses the client's certificate after the handshake.
    """


class ProxyError(ConnectError):
    """The proxy did not open the tunnel (RFC 9110 §9.3.6).

    `status`, `reason` and `headers` (pairs) are what it answered, None, "" and () when that was not HTTP;
    `body` is what came of the content of a refusal, 64 KiB at most.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        reason: str = "",
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.headers = tuple(headers)
        self.body = body


class PhaseTimeout(HTTPException, TimeoutError):
    """Base of the timeouts: `phase` says of what, `seconds` how long it was given."""

    def __init__(self, message: str, phase: str, seconds: float) -> None:
        super().__init__(message)
        self.phase = phase
        self.seconds = seconds


class ConnectTimeout(PhaseTimeout, ConnectError):
    """Resolving and connecting took too long, or the proxy took too long to open the tunnel."""

    def __init__(self, message: str, phase: str, seconds: float, attempts: Sequence[OSError] = ()) -> None:
        super().__init__(message, phase, seconds)
        self.attempts = tuple(attempts)


class TLSTimeout(ConnectTimeout):
    """The TLS handshake took too long."""


class WriteTimeout(PhaseTimeout):
    """The peer took nothing of the request for too long."""


class ReadTimeout(PhaseTimeout):
    """The peer sent nothing for too long."""


class TotalTimeout(PhaseTimeout):
    """The exchange as a whole took too long, however steadily it dripped."""


class RateTimeout(ReadTimeout):
    """The peer sent a response's content more slowly than Timeout.min_rate, for longer than it is let."""


class PoolTimeout(PhaseTimeout):
    """No connection became free in time (Timeout.pool)."""


class PoolWarning(RuntimeWarning):
    """Requests wait for a connection, and none became free for a while: its text says what holds the connections.

    Where the program's filters make an error of warnings, the request that has waited longest ends with it.
    """


class ClientClosed(ImproperConnectionState):
    """A request on a client or pool that is closed, or was closed meanwhile."""


class StaleConnectionError(RemoteDisconnected):
    """A kept connection was closed or reset before a response, and the request may not be sent twice by itself.

    Attributes:
        bytes_received: 0, nothing was answered.
        was_sent: whether the request, or a part of it, was sent. The server may have read it then and acted on it, and
            only the caller knows whether it may be repeated (RFC 9110 §9.2.2). If not, it is safe to repeat.
    """

    bytes_received = 0

    def __init__(self, message: str = "the connection was closed or reset", *, was_sent: bool = True) -> None:
        super().__init__(message)
        self.was_sent = was_sent


class BodyNotReplayable(HTTPException):
    """The request has to go out again, after a redirect, a challenge or a retry, but its body can be read only once."""


class ResponseNotRead(ImproperConnectionState):
    """The content of a response was asked for before it was read."""


class ResponseError(HTTPException):
    """Base of what is wrong with a response as such: `response` is that response."""

    def __init__(self, message: str, response: Any = None) -> None:
        super().__init__(message)
        self.response = response
        self.request = getattr(response, "request", None)


class StatusError(ResponseError):
    """The status is 400 or above; raised by raise_for_status(), and by download() for any that is no 2xx."""


class RedirectError(ResponseError):
    """A redirect that can't be followed: no URL, or one that is neither http nor https."""


class TooManyRedirects(RedirectError):
    """More redirects than `max_redirects`."""


class DecodingError(HTTPException):
    """Content is not what its Content-Encoding says: broken, cut short, or in codings that can't be decoded here.

    Also a download that has another digest than it came with (RFC 9530), and InvalidJSON.
    """


class InvalidJSON(DecodingError, ValueError):
    """Content is not the JSON that Response.json() is asked for, or it is nested too deeply.

    Where JSON is malformed the error is a `json.JSONDecodeError` as well, with the attributes of that.
    """


class ContentTooLarge(HTTPException):
    """Content is larger than a limit, as it came or decoded; the connection was dropped. `limit` is in bytes."""

    def __init__(self, message: str, limit: int) -> None:
        super().__init__(message)
        self.limit = limit
