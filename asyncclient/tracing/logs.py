"""The log: one consumer of the same events as tracers.

No line has a field of a message, a part of a body, or userinfo; the values of a query are masked unless they are asked
for. So a log may be kept where secrets may not.
"""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from ..errors import MAX_TEXT, HTTPException, clip
from ..message.fields import Fields
from ..message.head import Interim
from .log import LOGGER
from .trace import ConnectionTrace, Resend, Trace
from .tracer import Tracer

_VALUE: Final = re.compile(r"((?:^|[&;])[^&;=]+=)[^&;]*|[^&;=]+(?=[&;]|$)")

_RESENDS: Final = {
    "redirect": "redirect",
    "challenge": "challenge",
    "expectation": "refused expectation",
    "retry": "retry",
    "stale": "stale connection",
}
"""The words of the log for the reasons of a Resend; a transport of the program may have others."""


def mask_query(url: str) -> str:
    """Return a URL in which each value of the query is replaced by ***, and so is a part without a name."""
    start, mark, query = url.partition("?")
    return f"{start}{mark}{_VALUE.sub(_mask, query)}"


def _mask(found: re.Match[str]) -> str:
    return f"{found[1] or ''}***"


def _count_resends(reasons: Sequence[str]) -> str:
    """Return how often a request was sent again for each reason: ", after 2 redirects, 1 retry"; "" if never."""
    counted = [f"{count} {_decline(_RESENDS.get(reason, reason), count)}" for reason, count in Counter(reasons).items()]
    return f", after {', '.join(counted)}" if counted else ""


def _decline(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


class LineTracer(Tracer):
    """Writes a line at INFO for each request that has ended; see LogTracer."""

    def __init__(self, logger: logging.Logger = LOGGER, show_url: Callable[[str], str] = mask_query) -> None:
        self._logger = logger
        self._show_url = show_url

    def request_ended(self, trace: Trace, error: BaseException | None) -> None:
        """Write the line of the request."""
        if not self._logger.isEnabledFor(logging.INFO):
            return
        seconds = time.monotonic() - trace.started
        url = self._show_url(trace.url)
        resends = _count_resends(trace.resends)
        status = "" if trace.status is None else f" {trace.status} {clip(trace.reason)[1:-1]}".rstrip()
        extra = {"trace": trace}
        if error is None:
            text = "%s %s%s, %d bytes in %.3f s%s"
            self._logger.info(text, trace.method, url, status, trace.received, seconds, resends, extra=extra)
        else:
            text = "%s %s%s failed after %d bytes in %.3f s%s: %s"
            shown = describe_error(error)
            self._logger.info(text, trace.method, url, status, trace.received, seconds, resends, shown, extra=extra)


class LogTracer(LineTracer):
    """Writes the log: a line at INFO for each request that has ended, and a line at DEBUG for each event.

    Each client has one for the logger "asyncclient"; one that is given to the client takes its place. A record has the
    Trace or ConnectionTrace as its attribute `trace`, for formatters and filters.

    Args:
        logger: the logger to write to.
        show_url: returns a URL as it is to be written; by default the values of its query are masked.
    """

    def _debug(self, subject: Trace | ConnectionTrace, text: str, *values: object) -> None:
        if self._logger.isEnabledFor(logging.DEBUG):
            kind = "request" if isinstance(subject, Trace) else "connection"
            self._logger.debug(f"%s %d: {text}", kind, subject.number, *values, extra={"trace": subject})

    def attempt_started(self, trace: Trace) -> None:
        """Write which request is sent."""
        last = trace.resends[-1] if trace.resends else ""
        cause = f", {_RESENDS.get(last, last)} {trace.resends.count(last)}" if last else ""
        self._debug(trace, "%s %s%s", trace.method, self._show_url(trace.url), cause)

    def request_resent(self, trace: Trace, resend: Resend) -> None:
        """Write why it is sent again."""
        cause = f"status {resend.status}" if resend.error is None else describe_error(resend.error)
        pause = f", pause of {resend.seconds:.3f} s" if resend.seconds else ""
        self._debug(trace, "%s after %s%s", _RESENDS.get(resend.reason, resend.reason), cause, pause)

    def queue_joined(self, trace: Trace, queue: str) -> None:
        """Write that it waits."""
        self._debug(trace, "waits in the queue of the %s", queue)

    def queue_left(self, trace: Trace, queue: str, seconds: float) -> None:
        """Write that it waits no more."""
        self._debug(trace, "has left the queue of the %s after %.3f s", queue, seconds)

    def connection_acquired(self, trace: Trace, connection: ConnectionTrace) -> None:
        """Write which connection it has."""
        state = "new" if connection.requests == 1 else f"reused, request {connection.requests} on it"
        self._debug(trace, "connection %d to %s, %s", connection.number, connection.label, state)

    def head_sent(self, trace: Trace, size: int) -> None:
        """Write the size of the head."""
        self._debug(trace, "head sent, %d bytes", size)

    def body_sent(self, trace: Trace, size: int) -> None:
        """Write the size of the part."""
        self._debug(trace, "body sent, %d bytes, %d in all", size, trace.sent)

    def request_sent(self, trace: Trace) -> None:
        """Write that the request is sent."""
        self._debug(trace, "waits for the response")

    def interim_received(self, trace: Trace, interim: Interim) -> None:
        """Write the interim response."""
        self._debug(trace, "interim response %d %s", interim.status, clip(interim.reason)[1:-1])

    def head_received(self, trace: Trace, status: int, headers: Fields) -> None:
        """Write the status."""
        self._debug(trace, "response %d %s, %d fields", status, clip(trace.reason)[1:-1], len(headers))

    def content_received(self, trace: Trace, size: int) -> None:
        """Write the size of the part."""
        self._debug(trace, "content received, %d bytes, %d in all", size, trace.received)

    def content_ended(self, trace: Trace) -> None:
        """Write that the content is complete."""
        self._debug(trace, "content complete, %d bytes", trace.received)

    def connection_started(self, connection: ConnectionTrace) -> None:
        """Write where it leads, and for which request."""
        reason = "in advance" if connection.trace is None else f"for request {connection.trace.number}"
        self._debug(connection, "opening to %s, %s", connection.label, reason)

    def resolved(self, connection: ConnectionTrace, addresses: tuple[str, ...]) -> None:
        """Write the addresses."""
        self._debug(connection, "resolved in %.3f s: %s", connection.timings.resolve, ", ".join(addresses))

    def connected(self, connection: ConnectionTrace, peer: str) -> None:
        """Write the address."""
        self._debug(connection, "connected to %s in %.3f s", peer, connection.timings.connect)

    def tunnel_started(self, connection: ConnectionTrace, kind: str, target: str) -> None:
        """Write where the tunnel leads."""
        self._debug(connection, "asks the proxy for a tunnel to %s by %s", target, kind)

    def tunnel_opened(self, connection: ConnectionTrace, kind: str, target: str, seconds: float) -> None:
        """Write the duration."""
        self._debug(connection, "tunnel to %s in %.3f s", target, seconds)

    def secured(self, connection: ConnectionTrace, version: str, cipher: str) -> None:
        """Write the protocol."""
        self._debug(connection, "TLS in %.3f s: %s, %s", connection.timings.tls, version, cipher)

    def connection_failed(self, connection: ConnectionTrace, error: BaseException) -> None:
        """Write the error."""
        self._debug(connection, "not opened to %s: %s", connection.label, describe_error(error))

    def connection_released(self, connection: ConnectionTrace) -> None:
        """Write that it is idle."""
        self._debug(connection, "idle, requests so far: %d", connection.requests)

    def connection_closed(self, connection: ConnectionTrace, reason: str) -> None:
        """Write the reason."""
        self._debug(connection, "closed, requests: %d, reason: %s", connection.requests, reason)


def describe_error(error: BaseException) -> str:
    """Return the class of an error, and its text if that is known to hold no secret."""
    if isinstance(error, HTTPException):
        text = error._describe()  # without the request, which the line names already
    else:
        text = str(error) if isinstance(error, OSError) else ""
    return f"{type(error).__name__}: {text[:MAX_TEXT]}" if text else type(error).__name__
