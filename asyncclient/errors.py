"""The exceptions of the package: http.client's documented tree, and below it those for asyncio and timeouts.

Faults of a peer or the network are an `HTTPException`; failures of the network are also an `OSError`, and timeouts also
a `TimeoutError`. Invalid arguments raise `ValueError` or `TypeError`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Any, Final, TypeVar, cast

MAX_TEXT: Final = 800
"""Characters of an error text, without the request that it names; part of the text may come from the peer."""


def clip(value: object) -> str:
    """Return repr(value), cut to 80 characters, so that a peer cannot make an error text long."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def show_count(number: int, noun: str) -> str:
    """Return a number with a noun, which is given in the singular and gets an s for all numbers but 1."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def join_errors(errors: Sequence[object]) -> str:
    """Return the texts of several errors, joined: the first three, cut to 160 characters, and the count of others."""
    texts = [text if len(text) <= 160 else f"{text[:157]}..." for text in map(str, errors[:3])]
    return "; ".join(texts) + (f"; and {len(errors) - 3} more" if len(errors) > 3 else "")


class HTTPException(Exception):
    """Base of all errors of this package that are caused by a server, a proxy or the order of calls.

    Attributes:
        request: the Request of a client that failed, after redirects the last one; None for errors of a connection.
        response: the Response, if its head was received before the content or the next step failed; None otherwise.
        context: method and URL of that request, without userinfo and query, as in the text; "" without a request.
    """

    request: Any = None
    response: Any = None
    context = ""

    def _describe(self) -> str:
        """Return the text without the request."""
        return BaseException.__str__(self)

    def __str__(self) -> str:
        text = self._describe()
        if len(text) > MAX_TEXT:
            text = f"{text[: MAX_TEXT - 3]}..."
        return f"{text} ({self.context})" if self.context else text

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by attributes, because constructors of subclasses take other arguments than the text."""
        return _rebuild, (type(self), self.args, self.__dict__)


_E = TypeVar("_E", bound=BaseException)
_K = TypeVar("_K", bound=type[HTTPException])


def shown_as(public: type[HTTPException]) -> Callable[[_K], _K]:
    """Let tracebacks and reprs name a subclass as the documented class whose interface it has, and pickle it by name.

    For a class that needs a second base, which is slow to import or of asyncio.
    """

    def decorate(kind: _K) -> _K:
        place = kind.__module__, kind.__qualname__
        kind.__module__, kind.__qualname__, kind.__name__ = public.__module__, public.__qualname__, public.__name__
        kind.__reduce__ = lambda self: (_rebuild_shown, (*place, self.args, self.__dict__))  # type: ignore[method-assign]
        return kind

    return decorate


def _rebuild_shown(module: str, name: str, args: tuple[Any, ...], facts: dict[str, Any]) -> HTTPException:
    return _rebuild(getattr(import_module(module), name), args, facts)


def copy_error(error: _E) -> _E:
    """Return a copy without traceback, cause and context, safe to store and to raise again.

    If the class can't be copied, because its constructor takes other arguments, it is an OSError for an OSError, and
    otherwise the error itself.
    """
    try:
        fresh = copy.copy(error)
    except Exception:
        return cast(_E, OSError(*error.args)) if isinstance(error, OSError) else error
    fresh.__traceback__ = None  # kept by copies where tblib is installed, as by dask
    fresh.__cause__ = fresh.__context__ = None
    fresh.__suppress_context__ = False
    return fresh


def _rebuild(kind: type[HTTPException], args: tuple[Any, ...], facts: dict[str, Any]) -> HTTPException:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(facts)
    return error


class NotConnected(HTTPException):
    """There is no open connection: it was never opened and auto_open is off, or close() has closed it."""


class InvalidURL(HTTPException, ValueError):
    """A host, port or request target that can't be sent as given."""


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
    """Part of http.client's tree; never raised."""


class IncompleteRead(HTTPException):
    """The connection ended before the end of the message (RFC 9112 §8).

    `partial` holds the bytes received by this read, `expected` the number of missing bytes, None if unknown.
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
    """A call that is not allowed in the current state of the connection."""


class CannotSendRequest(ImproperConnectionState):
    """A request was started while another is in progress or its response has not been read."""


class CannotSendHeader(ImproperConnectionState):
    """A field or the end of the head was given, but no request head has been started."""


class ResponseNotReady(ImproperConnectionState):
    """getresponse() was called before a whole request was sent."""


class BadStatusLine(HTTPException):
    """The response does not begin with a status line (RFC 9112 §4). `line` holds the received line."""

    def __init__(self, line: str) -> None:
        super().__init__(line)
        self.line = line

    def _describe(self) -> str:
        return f"invalid status line: {clip(self.line)}"


class LineTooLong(HTTPException):
    """A line or a whole head is longer than the limit; nothing beyond the limit was stored."""

    def __init__(self, what: str, limit: int = 64 * 1024) -> None:
        super().__init__(f"got more than {limit} bytes when reading {what}")
        self.what = what
        self.limit = limit


class ProtocolError(HTTPException):
    """The peer violates HTTP/1.1 so that the message cannot be read safely: fields, lengths, chunks, too many items."""


class RemoteDisconnected(ConnectionResetError, BadStatusLine):
    """The peer closed the connection before the first byte of a response."""

    def __init__(self, message: str = "remote end closed connection without response") -> None:
        BadStatusLine.__init__(self, "")
        ConnectionResetError.__init__(self, message)

    __str__ = HTTPException.__str__

    def _describe(self) -> str:
        return str(self.args[0])


class ConnectError(HTTPException, ConnectionError):
    """No connection could be opened. `attempts` has one error per address tried, in order."""

    def __init__(self, message: str, attempts: Sequence[OSError] = ()) -> None:
        super().__init__(message)
        self.attempts = tuple(attempts)


class TLSError(ConnectError):
    """TLS failed: in the handshake, before any part of a request was sent, or by an alert before a response.

    The `ssl` error is the `__cause__`. In TLS 1.3 a server refuses the client's certificate after the handshake.
    """


class ProxyError(ConnectError):
    """The proxy did not open the tunnel (RFC 9110 §9.3.6).

    `status`, `reason` and `headers` (pairs) are those of its response; None, "" and () if that was not HTTP. `body` is
    the received content of a refusal, at most 64 KiB.
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
    """Base of the timeouts. Those below have the same arguments.

    Args:
        message: the text, which names the host.
        phase: the name of the phase, such as "connect", and the attribute; by default that of the class.
        seconds: the limit of the phase, and the attribute; 0.0 if it is unknown.
    """

    phase = ""

    def __init__(self, message: str = "timed out", phase: str = "", seconds: float = 0.0) -> None:
        super().__init__(message)
        self.phase = phase or self.phase
        self.seconds = seconds


class ConnectTimeout(PhaseTimeout, ConnectError):
    """Resolving and connecting took too long, or the proxy took too long to open the tunnel.

    Args:
        message, phase, seconds: see PhaseTimeout.
        attempts: the errors of the addresses that were tried; the attribute `attempts`, a tuple.
    """

    phase = "connect"

    def __init__(
        self, message: str = "timed out", phase: str = "", seconds: float = 0.0, attempts: Sequence[OSError] = ()
    ) -> None:
        super().__init__(message, phase, seconds)
        self.attempts = tuple(attempts)


class TLSTimeout(ConnectTimeout):
    """The TLS handshake took too long."""

    phase = "tls"


class WriteTimeout(PhaseTimeout):
    """The peer accepted no part of the request for too long."""

    phase = "write"


class ReadTimeout(PhaseTimeout):
    """The peer sent nothing for too long."""

    phase = "read"


class TotalTimeout(PhaseTimeout):
    """The exchange as a whole took too long, even though bytes arrived."""

    phase = "total"


class RateTimeout(ReadTimeout):
    """The peer sent the content of a response more slowly than Timeout.min_rate, for longer than rate_patience."""

    phase = "rate"


class PoolTimeout(PhaseTimeout):
    """No connection became free in time (Timeout.pool)."""

    phase = "pool"


class PoolWarning(RuntimeWarning):
    """Requests wait for a connection and none has become free for a while; the text says what uses the connections.

    If the program's filters turn warnings into errors, the longest-waiting request fails with it.
    """


class ClientClosed(ImproperConnectionState):
    """A request on a closed client or pool, or one that was closed while the request was in progress."""


class StaleConnectionError(RemoteDisconnected):
    """An idle connection was closed or reset before a response, and the request must not be resent automatically.

    Attributes:
        bytes_received: 0: nothing of a response was received.
        was_sent: True if any part of the request was sent. The server may then have acted on it, and only the caller
            knows whether it may be repeated (RFC 9110 §9.2.2). If False, repeating it is safe.
    """

    bytes_received = 0

    def __init__(self, message: str = "the connection was closed or reset", *, was_sent: bool = True) -> None:
        super().__init__(message)
        self.was_sent = was_sent


class BodyNotReplayable(HTTPException):
    """The request must be sent again, after a redirect, a challenge or a retry, but its body can be read only once."""


class ResponseNotRead(ImproperConnectionState):
    """The content of a response was used before it was read."""


class ResponseError(HTTPException):
    """Base of errors about a response itself, which is `response`."""

    def __init__(self, message: str, response: Any = None) -> None:
        super().__init__(message)
        self.response = response
        self.request = getattr(response, "request", None)


class StatusError(ResponseError):
    """The status is 400 or above (raise_for_status()), not 2xx (download()), or not 101 (websocket())."""


class RedirectError(ResponseError):
    """A redirect that can't be followed: the Location is not an http or https URL."""


class TooManyRedirects(RedirectError):
    """More redirects than `max_redirects`."""


class DecodingError(HTTPException):
    """Content is not valid in its Content-Encoding: malformed, cut short, or in an unsupported coding.

    Also raised for a download whose digest does not match, as ChecksumError, and for JSON, as InvalidJSON.
    """


class ChecksumError(DecodingError):
    """A downloaded file has another digest than the server (RFC 9530) or the caller has said.

    Attributes:
        field: where the expected digest is from: "Content-Digest", "Repr-Digest", or "checksum" for the caller's.
        algorithm: a name of hashlib, such as "sha256".
        expected, found: the digests, in hexadecimal digits.
    """

    def __init__(self, field: str, algorithm: str, expected: str, found: str) -> None:
        super().__init__(f"wrong {field}: expected {algorithm} {expected}, got {found}")
        self.field = field
        self.algorithm = algorithm
        self.expected = expected
        self.found = found


class InvalidJSON(DecodingError, ValueError):
    """Content is not the JSON that Response.json() expects, or is nested too deeply.

    For malformed JSON the error is also a `json.JSONDecodeError`, with its attributes.
    """


class WebSocketClosed(HTTPException):
    """A WebSocket is closed, or was closed meanwhile.

    Attributes:
        code: the code of the peer's close frame; without one, that of ours after a fault of the peer, otherwise 1006.
        reason: the reason in that frame; "" if there is none.
    """

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    @property
    def is_normal(self) -> bool:
        """True if the peer ended the connection in order: 1000 (done), 1001 (going away) or 1005 (no code)."""
        return self.code in (1000, 1001, 1005)

    def _describe(self) -> str:
        reason = f": {clip(self.reason)}" if self.reason else ""
        return f"WebSocket closed with code {self.code}{reason}"


class ContentTooLarge(HTTPException):
    """Content is larger than a limit, encoded or decoded; the connection was dropped. `limit` is in bytes."""

    def __init__(self, message: str, limit: int) -> None:
        super().__init__(message)
        self.limit = limit
