"""The state machine of one connection, and the reasons why a connection ends.

It is the state machine of http.client with two additions: work in progress in another task is a state of its own, so
that a second task on the connection is refused; and a request is refused until the response before it has been read.
Each call of the user is possible in one state; sending and receiving make the other steps.

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


class Call:
    """The calls of the user that need a certain state."""

    REQUEST: Final = "request"
    PUTREQUEST: Final = "putrequest"
    PUTHEADER: Final = "putheader"
    ENDHEADERS: Final = "endheaders"
    SEND: Final = "send"
    GETRESPONSE: Final = "getresponse"


_POSSIBLE_IN: Final[dict[str, tuple[str, type[ImproperConnectionState]]]] = {
    Call.REQUEST: (State.IDLE, CannotSendRequest),
    Call.PUTREQUEST: (State.IDLE, CannotSendRequest),
    Call.PUTHEADER: (State.HEAD, CannotSendHeader),
    Call.ENDHEADERS: (State.HEAD, CannotSendHeader),
    Call.SEND: (State.SENT, CannotSendRequest),
    Call.GETRESPONSE: (State.SENT, ResponseNotReady),
}
"""The state in which a call is possible, and the error in other states, which is that of http.client."""


def check_call(call: str, state: str) -> None:
    """Check that a call is possible in a state.

    Raises:
        CannotSendRequest, CannotSendHeader, ResponseNotReady: it is not.
    """
    needed, error = _POSSIBLE_IN[call]
    if state != needed:
        raise error(f"{call} is not possible now: {state}")


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
