"""When a request is sent again, and after which pause."""

import asyncio
import errno
import math
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient.client.retries import (
    IDEMPOTENT,
    Action,
    Decision,
    Outcome,
    Retry,
    RetryBudget,
    decide_retry,
    parse_retry_after,
)
from asyncclient.errors import (
    BadStatusLine,
    BodyNotReplayable,
    ClientClosed,
    ConnectError,
    ConnectTimeout,
    ContentTooLarge,
    DecodingError,
    IncompleteRead,
    InvalidURL,
    LineTooLong,
    PoolTimeout,
    ProtocolError,
    ProxyError,
    RateTimeout,
    ReadTimeout,
    RemoteDisconnected,
    TLSError,
    TLSTimeout,
    TotalTimeout,
    UnknownProtocol,
    WriteTimeout,
)

NOW = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT
STEADY = Retry(jitter=0)
REPEAT, STALE, GIVE_UP = Decision(Action.REPEAT), Decision(Action.STALE), Decision(Action.GIVE_UP)
FIRST_PAUSE = Decision(Action.WAIT, 0.5)

CLOSED = [RemoteDisconnected(), ConnectionResetError(), BrokenPipeError(), ConnectionAbortedError()]
NEVER = [
    TotalTimeout("", "total", 1),
    PoolTimeout("", "pool", 1),
    TLSError(""),
    ProxyError("", status=407),
    ProxyError("", status=403),
    ConnectError("", [socket.gaierror(socket.EAI_NONAME, "")]),
    ssl.SSLCertVerificationError(),
    asyncio.CancelledError(),
    KeyboardInterrupt(),
    InvalidURL(""),
    ValueError(""),
    TypeError(""),
    UnicodeError(""),
    ProtocolError(""),
    BadStatusLine(""),
    UnknownProtocol(""),
    LineTooLong(""),
    DecodingError(""),
    ContentTooLarge("", 1),
    BodyNotReplayable(""),
    ClientClosed(""),
    FileNotFoundError(errno.ENOENT, ""),
    PermissionError(errno.EACCES, ""),
    OSError(errno.EIO, ""),
]
NOTHING_SENT = [
    ConnectError(""),
    ConnectError("", [ConnectionRefusedError()]),
    ConnectError("", [socket.gaierror(socket.EAI_AGAIN, "")]),
    ConnectTimeout("", "connect", 1),
    TLSTimeout("", "tls", 1),
    ProxyError("", status=503),
    ProxyError(""),
]
PERHAPS_SENT = [
    *CLOSED,
    ReadTimeout("", "read", 1),
    RateTimeout("", "read", 1),
    WriteTimeout("", "write", 1),
    TimeoutError(errno.ETIMEDOUT, ""),
    IncompleteRead(b"HTTP/1.1"),
    OSError(errno.EHOSTUNREACH, ""),
    OSError(errno.ENETDOWN, ""),
]


def name_of(error: object) -> str:
    return type(error).__name__


def decide(outcome: Outcome, policy: Retry | None = STEADY) -> Decision:
    return decide_retry(outcome, policy, lambda: 0.5, NOW)


@pytest.mark.parametrize("error", CLOSED, ids=name_of)
@pytest.mark.parametrize("policy", [None, STEADY, Retry(methods=["POST"])])
@pytest.mark.parametrize("method", sorted(IDEMPOTENT))
def test_stale_connection_is_repeated_at_once(method: str, policy: Retry | None, error: Exception) -> None:
    assert decide(Outcome(method, error=error, is_reused=True), policy) == REPEAT


@pytest.mark.parametrize("error", CLOSED, ids=name_of)
@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
def test_without_retries_only_unsent_requests_are_resent(method: str, error: Exception) -> None:
    outcome = Outcome(method, error=error, is_reused=True)
    assert decide(outcome, Retry(total=0, methods=["POST"])) == STALE
    for policy in (None, STEADY, Retry(total=0)):
        assert decide(outcome._replace(was_sent=False), policy) == REPEAT
        assert decide(outcome._replace(was_sent=False, has_repeated=True, attempts=2), policy) != REPEAT
        assert decide(outcome._replace(was_sent=False, is_replayable=False), policy) == STALE


@pytest.mark.parametrize("error", CLOSED, ids=name_of)
@pytest.mark.parametrize(
    ("outcome", "policy", "expected"),
    [
        (Outcome("POST", is_reused=True), None, STALE),
        (Outcome("PATCH", is_reused=True), None, STALE),
        (Outcome("get", is_reused=True), None, STALE),  # methods are case-sensitive
        (Outcome("POST", is_reused=True), STEADY, STALE),
        (Outcome("POST", is_reused=True), Retry(methods=["POST"]), REPEAT),
        (Outcome("POST", is_reused=True, is_replayable=False), Retry(methods=["POST"]), STALE),
        (Outcome("PUT", is_reused=True, is_replayable=False), None, STALE),
        (Outcome("PUT", is_reused=True, is_replayable=False), STEADY, STALE),
        (Outcome("GET", 2, is_reused=True, has_repeated=True), None, STALE),
        (Outcome("GET", 2, is_reused=True, has_repeated=True), STEADY, FIRST_PAUSE),
        (Outcome("GET", is_reused=False), None, GIVE_UP),
        (Outcome("GET", is_reused=False), STEADY, FIRST_PAUSE),
        (Outcome("POST", is_reused=False), STEADY, GIVE_UP),
        (Outcome("GET", is_reused=True, bytes_received=1), None, GIVE_UP),
        (Outcome("GET", is_reused=True, bytes_received=1), STEADY, FIRST_PAUSE),
    ],
)
def test_connection_closed_by_the_peer(
    outcome: Outcome, policy: Retry | None, expected: Decision, error: Exception
) -> None:
    assert decide(outcome._replace(error=error), policy) == expected


@pytest.mark.parametrize("error", [*NEVER, ReadTimeout("", "read", 1), IncompleteRead(b"")], ids=name_of)
def test_other_errors_of_a_kept_connection_do_not_make_it_stale(error: BaseException) -> None:
    assert decide(Outcome("GET", error=error, is_reused=True), None) == GIVE_UP


@pytest.mark.parametrize("error", [*NEVER, *NOTHING_SENT, *PERHAPS_SENT], ids=name_of)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nothing_is_retried_without_a_policy(method: str, error: BaseException) -> None:
    assert decide(Outcome(method, error=error), None) == GIVE_UP


@pytest.mark.parametrize("error", NEVER, ids=name_of)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_errors_that_no_policy_retries(method: str, error: BaseException) -> None:
    assert decide(Outcome(method, error=error)) == GIVE_UP


@pytest.mark.parametrize("error", NOTHING_SENT, ids=name_of)
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_any_method_is_retried_if_nothing_was_sent(method: str, error: Exception) -> None:
    assert decide(Outcome(method, error=error)) == FIRST_PAUSE
    assert decide(Outcome(method, error=error, is_replayable=False)) == GIVE_UP


@pytest.mark.parametrize("error", PERHAPS_SENT, ids=name_of)
@pytest.mark.parametrize(
    ("method", "policy", "expected"),
    [
        ("GET", STEADY, FIRST_PAUSE),
        ("PUT", STEADY, FIRST_PAUSE),
        ("POST", STEADY, GIVE_UP),
        ("POST", STEADY._replace(methods=frozenset(["POST"])), FIRST_PAUSE),
        ("GET", STEADY._replace(methods=frozenset(["POST"])), GIVE_UP),
        ("GET", Retry(total=0), GIVE_UP),
    ],
)
def test_method_decides_if_the_request_may_have_been_received(
    method: str, policy: Retry, expected: Decision, error: Exception
) -> None:
    assert decide(Outcome(method, error=error), policy) == expected
    assert decide(Outcome(method, error=error, is_replayable=False), policy) == GIVE_UP


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        *[(Outcome("GET", status=status), FIRST_PAUSE) for status in (429, 502, 503, 504)],
        *[(Outcome("GET", status=status), GIVE_UP) for status in (200, 302, 400, 404, 408, 413, 500, 501)],
        (Outcome("POST", status=503), GIVE_UP),
        (Outcome("POST", status=503, is_reused=True), GIVE_UP),
        (Outcome("PUT", status=503, is_replayable=False), GIVE_UP),
        (Outcome("GET", 3, status=503), Decision(Action.WAIT, 2.0)),
        (Outcome("GET", 4, status=503), GIVE_UP),
        (Outcome("GET", 4, status=503, has_repeated=True), Decision(Action.WAIT, 2.0)),
        (Outcome("GET", 5, status=503, has_repeated=True), GIVE_UP),
    ],
)
def test_status(outcome: Outcome, expected: Decision) -> None:
    assert decide(outcome) == expected
    assert decide(outcome, None) == GIVE_UP


def test_statuses_are_the_policys() -> None:
    policy = Retry(statuses=[500], jitter=0)
    assert decide(Outcome("GET", status=500), policy) == FIRST_PAUSE
    assert decide(Outcome("GET", status=503), policy) == GIVE_UP


@pytest.mark.parametrize(
    ("attempts", "chance", "policy", "seconds"),
    [
        (1, 0.0, Retry(), 0.5),
        (2, 0.0, Retry(), 1.0),
        (3, 0.0, Retry(), 2.0),
        (1, 0.5, Retry(), 0.25),
        (1, 1.0, Retry(), 0.0),
        (1, 1.0, Retry(jitter=0.2), 0.4),
        (1, 1.0, Retry(jitter=0), 0.5),
        (1, 0.0, Retry(backoff=0), 0.0),
        (1, 0.0, Retry(backoff=4, max_backoff=3), 3.0),
        (9, 0.0, Retry(total=9), 30.0),
        (9999, 0.0, Retry(total=9999), 30.0),
        (9999, 0.5, Retry(total=9999), 15.0),
    ],
)
def test_pause_doubles_up_to_a_bound_less_by_chance(
    attempts: int, chance: float, policy: Retry, seconds: float
) -> None:
    decision = decide_retry(Outcome("GET", attempts, status=503), policy, lambda: chance, NOW)
    assert decision.action is Action.WAIT
    assert decision.seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("value", "policy", "expected"),
    [
        ("7", STEADY, Decision(Action.WAIT, 7.0)),
        ("0", STEADY, FIRST_PAUSE),  # never sooner than the pause
        ("60", STEADY, Decision(Action.WAIT, 60.0)),
        ("61", STEADY, GIVE_UP),
        ("9" * 5000, STEADY, GIVE_UP),
        ("61", STEADY._replace(max_retry_after=61.0), Decision(Action.WAIT, 61.0)),
        ("61", STEADY._replace(respect_retry_after=False), FIRST_PAUSE),
        ("Sun, 06 Nov 1994 08:49:47 GMT", STEADY, Decision(Action.WAIT, 10.0)),
        ("Sun, 06 Nov 1994 09:49:47 GMT", STEADY, GIVE_UP),
        ("Sun, 06 Nov 1993 08:49:47 GMT", STEADY, FIRST_PAUSE),
        ("soon", STEADY, FIRST_PAUSE),
        ("", STEADY, FIRST_PAUSE),
    ],
)
def test_retry_after(value: str, policy: Retry, expected: Decision) -> None:
    assert decide(Outcome("GET", status=503, retry_after=value), policy) == expected


@pytest.fixture
def _far_from_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_far_from_greenwich")  # asctime's form names no zone, and is UTC nevertheless
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 120\t", 120.0),
        ("1.5", 1.5),
        ("9" * 5000, math.inf),
        ("Sun, 06 Nov 1994 08:50:07 GMT", 30.0),
        ("Sunday, 06-Nov-94 08:50:07 GMT", 30.0),
        ("Sun Nov  6 08:50:07 1994", 30.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1e3", None),
        ("1,2", None),
        ("1_0", None),
        ("٣", None),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("Soon, very soon", None),
        ("Sun, 40 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06 Foo 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 999999999 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 09:50:07 +0100", 30.0),
        ("Sun, 06 Nov 99999999999 08:49:37 GMT", None),
        ("Sun, " + " " * 1000 + "06 Nov 1994 08:50:07 GMT", None),
    ],
)
def test_parse_retry_after(value: str, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


@given(
    st.text()
    | st.lists(
        st.sampled_from(
            ["Sun", "Sunday", ",", " ", "06", "-", "Nov", "94", "1994", "99999999", "08:49:37", ":", "GMT"]
        ),
        max_size=12,
    ).map("".join)
)
def test_any_retry_after_gives_seconds_or_nothing(value: str) -> None:
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"total": -1}, ValueError, "total"),
        ({"total": 1.5}, TypeError, "total"),
        ({"total": None}, TypeError, "total"),
        ({"backoff": -0.1}, ValueError, "backoff"),
        ({"backoff": "1"}, TypeError, "backoff"),
        ({"backoff": math.nan}, ValueError, "backoff"),
        ({"max_backoff": -1}, ValueError, "max_backoff"),
        ({"max_backoff": math.inf}, ValueError, "max_backoff"),
        ({"max_backoff": None}, TypeError, "max_backoff"),
        ({"jitter": -0.1}, ValueError, "jitter"),
        ({"jitter": 1.1}, ValueError, "jitter"),
        ({"max_retry_after": -1}, ValueError, "max_retry_after"),
        ({"budget": -1}, ValueError, "budget"),
        ({"budget": "all"}, TypeError, "budget"),
        ({"statuses": [50]}, ValueError, "three digits"),
        ({"statuses": ["503"]}, TypeError, "statuses"),
        ({"statuses": 503}, TypeError, "not iterable"),
        ({"methods": "GET"}, TypeError, "collection of methods"),
        ({"methods": [b"GET"]}, TypeError, "methods"),
    ],
)
def test_policy_is_checked(arguments: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        Retry(**arguments)


def test_policy_is_a_value() -> None:
    policy = Retry(statuses=[503], methods=["get", "POST"], budget=None, jitter=True)
    assert policy == Retry(statuses=(503, 503), methods={"POST", "GET"}, budget=None, jitter=1)
    assert hash(policy) == hash(Retry(statuses=[503], methods=["GET", "POST"], budget=None))


def count_retries(budget: RetryBudget, origin: str, now: float) -> int:
    count = 0
    while budget.may_retry(origin, now):
        count += 1
    return count


def test_budget_is_a_share_of_the_requests_beside_a_few() -> None:
    budget = RetryBudget(0.25)
    assert count_retries(budget, "a", 0.0) == 10
    for _ in range(40):
        budget.add_request("a", 0.0)
    assert count_retries(budget, "a", 0.0) == 10


def test_budget_of_one_origin_is_not_anothers() -> None:
    budget = RetryBudget(0.5)
    assert count_retries(budget, "a", 0.0) == 10
    budget.add_request("b", 0.0)
    assert not budget.may_retry("a", 0.0)
    assert count_retries(budget, "b", 0.0) == 10


def test_budget_grows_by_one_retry_a_second() -> None:
    budget = RetryBudget(0.0)
    assert count_retries(budget, "a", 100.0) == 10
    assert not budget.may_retry("a", 100.5)
    assert count_retries(budget, "a", 103.0) == 3


def test_the_saved_budget_is_bounded() -> None:
    budget = RetryBudget(1.0)
    for _ in range(1000):
        budget.add_request("a", 0.0)
    assert count_retries(budget, "a", 1e6) == 100


def test_number_of_origins_is_bounded_and_the_origin_longest_unused_is_forgotten() -> None:
    budget = RetryBudget(0.0)
    assert count_retries(budget, "kept", 0.0) == 10
    assert count_retries(budget, "forgotten", 0.0) == 10
    assert not budget.may_retry("kept", 0.0)
    for number in range(RetryBudget.MAX_ORIGINS - 1):
        budget.add_request(number, 0.0)
    assert not budget.may_retry("kept", 0.0)
    assert budget.may_retry("forgotten", 0.0)
