"""The state machine of a connection: each call of the user is possible in one state."""

from itertools import product

import pytest

from asyncclient.errors import CannotSendHeader, CannotSendRequest, ImproperConnectionState, ResponseNotReady
from asyncclient.message.cycle import Call, State, check_call

STATES = {value for name, value in vars(State).items() if name.isupper()}
CALLS = {value for name, value in vars(Call).items() if name.isupper()}

POSSIBLE = {
    (Call.REQUEST, State.IDLE),
    (Call.PUTREQUEST, State.IDLE),
    (Call.PUTHEADER, State.HEAD),
    (Call.ENDHEADERS, State.HEAD),
    (Call.SEND, State.SENT),
    (Call.GETRESPONSE, State.SENT),
}


def is_possible(call: str, state: str) -> bool:
    try:
        check_call(call, state)
    except ImproperConnectionState:
        return False
    return True


def test_each_call_is_possible_in_one_state() -> None:
    assert {step for step in product(CALLS, STATES) if is_possible(*step)} == POSSIBLE


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (Call.REQUEST, CannotSendRequest),
        (Call.PUTREQUEST, CannotSendRequest),
        (Call.PUTHEADER, CannotSendHeader),
        (Call.ENDHEADERS, CannotSendHeader),
        (Call.SEND, CannotSendRequest),
        (Call.GETRESPONSE, ResponseNotReady),
    ],
)
def test_the_error_of_a_call_is_that_of_http_client_and_names_the_state(
    call: str, error: type[ImproperConnectionState]
) -> None:
    with pytest.raises(error, match=f"^{call} is not possible now: waiting for the response$") as caught:
        check_call(call, State.WAITING)
    assert caught.type is error


def test_states_and_calls_are_all_different() -> None:
    assert (len(STATES), len(CALLS)) == (7, 6)
