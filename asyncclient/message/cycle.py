"""The state machine of one connection, in one table, and the reasons why a connection ends.

It is the state machine of http.client with two additions: work in progress in another task is a state of its own, so
that a second task on the connection is refused; and a request is refused until the response before it has been read.

    IDLE ─putrequest─► HEAD ─endheaders─► SENDING ─sent─► SENT       (request() without a body: from IDLE at once)
      ▲                                                    │
      └──finished── CONTENT ◄─received── WAITING ◄─getresponse
"""

from __future__ import annotations

import enum
from typing import Final

from ..errors import CannotSendHeader, CannotSendRequest, ImproperConnectionState, ResponseNotReady


class State:
    """The steps of an exchange. Strings: members of an Enum are hashed by Python code (decision 10)."""

    IDLE: Final = "idle"
    HEAD: Final = "request started"
    SENDING: Final = "sending the request"
    SENT: Final = "request sent"
    WAITING: Final = "waiting for the response"
    CONTENT: Final = "response not read yet"
    UPGRADED: Final = "handed over to another protocol"


class Event:
    """Events that change the state; the first six are calls of the user."""

    REQUEST: Final = "request"
    PUTREQUEST: Final = "putrequest"
    PUTHEADER: Final = "putheader"
    ENDHEADERS: Final = "endheaders"
    SEND: Final = "send"
    GETRESPONSE: Final = "getresponse"
    SENT: Final = "sent"
    RECEIVED: Final = "received"
    FINISHED: Final = "finished"
    UPGRADE: Final = "upgrade"


_TRANSITIONS: Final[dict[str, dict[str, str]]] = {
    State.IDLE: {Event.PUTREQUEST: State.HEAD, Event.REQUEST: State.SENT},
    State.HEAD: {Event.PUTHEADER: State.HEAD, Event.ENDHEADERS: State.SENDING},
    State.SENDING: {Event.SENT: State.SENT},
    State.SENT: {Event.SEND: State.SENDING, Event.GETRESPONSE: State.WAITING},
    State.WAITING: {Event.RECEIVED: State.CONTENT, Event.UPGRADE: State.UPGRADED},
    State.CONTENT: {Event.FINISHED: State.IDLE},
    State.UPGRADED: {},
}


class CloseReason(enum.StrEnum):
    """Why no further exchange may follow on a connection; the values are for messages."""

    CLIENT_CLOSE = "the request has Connection: close"
    SERVER_CLOSE = "the response has Connection: close, or is HTTP/1.0 without keep-alive"
    READ_UNTIL_CLOSE = "the content ends with the connection"
    DOUBTFUL_FRAMING = "another recipient may find another end of the content"
    REPAIRED = "the response has a fault that was repaired or ignored"
    EARLY_RESPONSE = "the final response was received before the whole request was sent"
    REJECTED_UNREAD = "the server rejected a long request, perhaps without reading its content"
    UPGRADED = "the connection was handed over to another protocol"
    FAILED = "an exchange failed, was cancelled, or was not read to its end"
    UNSOLICITED = "the server closed the connection or sent data without a request"
    CLOSED = "it was closed by this side"


_REFUSALS: Final[dict[str, type[ImproperConnectionState]]] = {
    Event.REQUEST: CannotSendRequest,
    Event.PUTREQUEST: CannotSendRequest,
    Event.PUTHEADER: CannotSendHeader,
    Event.ENDHEADERS: CannotSendHeader,
    Event.SEND: CannotSendRequest,
    Event.GETRESPONSE: ResponseNotReady,
}


def advance(state: str, event: str) -> str:
    """Return the next state.

    Raises:
        CannotSendRequest, CannotSendHeader, ResponseNotReady: the call is not allowed in this state.
    """
    next_state = _TRANSITIONS[state].get(event)
    if next_state is None:
        raise _REFUSALS.get(event, ImproperConnectionState)(f"{event} is not possible now: {state}")
    return next_state
