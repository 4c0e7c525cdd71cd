"""The state machine of one connection, in one table.

It is http.client's, with two things more: what is under way in another task is a state of its own, so that two tasks
on one connection are refused and never mixed; and a new request waits for the response before it to be read.

    IDLE ─putrequest─► HEAD ─endheaders─► SENDING ─sent─► SENT       (request() without a body: from IDLE at once)
      ▲                                                    │
      └──finished── CONTENT ◄─received── WAITING ◄─getresponse
"""

from __future__ import annotations

from typing import Final

from ..errors import CannotSendHeader, CannotSendRequest, ImproperConnectionState, ResponseNotReady


class State:
    """What a connection is doing. Strings, since members of an Enum are hashed by Python code: 3 µs an exchange."""

    IDLE: Final = "idle"
    HEAD: Final = "request started"
    SENDING: Final = "sending the request"
    SENT: Final = "request sent"
    WAITING: Final = "waiting for the response"
    CONTENT: Final = "response not read yet"
    UPGRADED: Final = "handed over to another protocol"


class Event:
    """What moves it; the first six are calls of the user."""

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

_REFUSALS: Final[dict[str, type[ImproperConnectionState]]] = {
    Event.REQUEST: CannotSendRequest,
    Event.PUTREQUEST: CannotSendRequest,
    Event.PUTHEADER: CannotSendHeader,
    Event.ENDHEADERS: CannotSendHeader,
    Event.SEND: CannotSendRequest,
    Event.GETRESPONSE: ResponseNotReady,
}


def advance(state: str, event: str) -> str:
    """Return the state that follows.

    Raises:
        CannotSendRequest, CannotSendHeader, ResponseNotReady: the call is not allowed in this state.
    """
    following = _TRANSITIONS[state].get(event)
    if following is None:
        raise _REFUSALS.get(event, ImproperConnectionState)(f"{event} is not possible now: {state}")
    return following


BLOCKING: Final[dict[str, dict[str, str]]] = {
    "Idle": {Event.PUTREQUEST: "Request-started"},
    "Request-started": {Event.PUTHEADER: "Request-started", Event.ENDHEADERS: "Request-sent"},
    "Request-sent": {Event.GETRESPONSE: "Idle"},
}
"""http.client's own transitions, under the names that its errors show: one caller and no task, and a request may go out
while the response before it is still being read (only the next response waits for that)."""
