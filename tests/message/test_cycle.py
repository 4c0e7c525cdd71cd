"""The state machine of a connection: the whole table, every other step refused."""

from itertools import product

import pytest

from asyncclient.errors import CannotSendHeader, CannotSendRequest, ImproperConnectionState, ResponseNotReady
from asyncclient.message.cycle import Event, State, advance

STATES = {value for name, value in vars(State).items() if name.isupper()}
EVENTS = {value for name, value in vars(Event).items() if name.isupper()}

ALLOWED = {
    (State.IDLE, Event.PUTREQUEST): State.HEAD,
    (State.IDLE, Event.REQUEST): State.SENT,
    (State.HEAD, Event.PUTHEADER): State.HEAD,
    (State.HEAD, Event.ENDHEADERS): State.SENDING,
    (State.SENDING, Event.SENT): State.SENT,
    (State.SENT, Event.SEND): State.SENDING,
    (State.SENT, Event.GETRESPONSE): State.WAITING,
    (State.WAITING, Event.RECEIVED): State.CONTENT,
    (State.WAITING, Event.UPGRADE): State.UPGRADED,
    (State.CONTENT, Event.FINISHED): State.IDLE,
}


@pytest.mark.parametrize(("step", "following"), ALLOWED.items())
def test_allowed_step(step: tuple[str, str], following: str) -> None:
    assert advance(*step) == following


@pytest.mark.parametrize(("state", "event"), sorted(set(product(STATES, EVENTS)) - set(ALLOWED)))
def test_the_error_for_any_other_step_names_the_state(state: str, event: str) -> None:
    with pytest.raises(ImproperConnectionState, match=f"^{event} is not possible now: {state}$"):
        advance(state, event)


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (Event.REQUEST, CannotSendRequest),
        (Event.PUTREQUEST, CannotSendRequest),
        (Event.PUTHEADER, CannotSendHeader),
        (Event.ENDHEADERS, CannotSendHeader),
        (Event.SEND, CannotSendRequest),
        (Event.GETRESPONSE, ResponseNotReady),
        (Event.SENT, ImproperConnectionState),
    ],
)
def test_refusals_are_those_of_http_client(event: str, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        advance(State.WAITING, event)
    assert caught.type is error


def test_states_and_events_are_all_different() -> None:
    assert (len(STATES), len(EVENTS)) == (7, 10)
