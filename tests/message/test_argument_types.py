"""Arguments of the wrong type are refused with a TypeError that names the type."""

import copy
import pickle
from email.message import Message

import pytest

import asyncclient
from asyncclient import HTTPConnection, HTTPException, InvalidURL, Timeout
from asyncclient.message.fields import list_pairs
from asyncclient.message.head import build_field, build_request_line
from asyncclient.message.request import RequestHead


@pytest.mark.parametrize(("method", "target"), [(None, "/"), (b"GET", "/"), ("GET", b"/"), ("GET", None), (1, 2)])
def test_request_line_is_of_str(method: object, target: object) -> None:
    with pytest.raises(TypeError, match="expected str as method and request target, got "):
        build_request_line(method, target)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [None, 1, ("a",)])
def test_header_name_is_str_or_bytes(name: object) -> None:
    with pytest.raises(TypeError, match="expected str or bytes as header name"):
        build_field(name, "b")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [None, 1.5, ["a"]])
def test_header_value_is_str_bytes_or_int(value: object) -> None:
    with pytest.raises(TypeError, match="value of header A, got "):
        build_field("A", value)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", [None, b"h", 1])
def test_host_is_str(host: object) -> None:
    with pytest.raises(TypeError, match="expected str as host, got "):
        HTTPConnection(host)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", [".a", "a..b", "a" * 64, "", "a" * 64 + ".b"])
def test_host_has_parts_of_1_to_63_characters(host: str) -> None:
    with pytest.raises(InvalidURL):
        HTTPConnection(host)


def test_headers_are_a_mapping_or_an_iterable_of_pairs() -> None:
    message = Message()
    message["A"] = "1"
    assert list_pairs(message) == list_pairs({"A": "1"}) == list_pairs([("A", "1")]) == list_pairs(iter([("A", "1")]))


@pytest.mark.parametrize("headers", ["ab", ["ab"], [("a",)], [("a", "b", "c")]])
def test_other_types_are_refused_as_headers(headers: object) -> None:
    with pytest.raises(TypeError, match="expected a mapping or pairs"):
        list_pairs(headers)


@pytest.mark.parametrize(
    ("value", "asks"), [("close", True), ("x, CLOSE", True), ("keep-alive", False), ("closed", False)]
)
def test_connection_close_is_noted(value: str, asks: bool) -> None:
    head = RequestHead("GET", "/")
    head.add("Connection", value)
    assert head.asks_close is asks


@pytest.mark.parametrize(("seconds", "error"), [("x", TypeError), (-1, ValueError), (float("nan"), ValueError)])
def test_timeout_is_checked_at_once(seconds: float, error: type[Exception]) -> None:
    with pytest.raises(error, match="seconds"):
        HTTPConnection("h", timeout=seconds)


ERRORS = [
    asyncclient.IncompleteRead(b"abc", 5),
    asyncclient.BadStatusLine("x"),
    asyncclient.UnknownProtocol("HTTP/2"),
    asyncclient.LineTooLong("header line"),
    asyncclient.RemoteDisconnected("gone"),
    asyncclient.ConnectError("no", [OSError(1, "a")]),
    asyncclient.ConnectTimeout("no", "connect", 1.0, []),
    asyncclient.ProxyError("no", status=407, reason="x", headers=[("a", "b")], body=b"c"),
    asyncclient.ReadTimeout("no", "read", 2.5),
    asyncclient.ReadTimeout("slow"),
    asyncclient.TLSTimeout("slow"),
]


@pytest.mark.parametrize("remake", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_pickle_and_copy(error: HTTPException, remake: object) -> None:
    again = remake(error)  # type: ignore[operator]
    assert type(again) is type(error)
    assert (str(again), again.args[:1]) == (str(error), error.args[:1])
    assert {name: str(fact) for name, fact in vars(again).items()} == {n: str(f) for n, f in vars(error).items()}


PHASES = [
    (asyncclient.ConnectTimeout, "connect"),
    (asyncclient.TLSTimeout, "tls"),
    (asyncclient.WriteTimeout, "write"),
    (asyncclient.ReadTimeout, "read"),
    (asyncclient.TotalTimeout, "total"),
    (asyncclient.RateTimeout, "rate"),
    (asyncclient.PoolTimeout, "pool"),
]


@pytest.mark.parametrize(("kind", "phase"), PHASES)
def test_a_timeout_for_a_test_needs_no_facts(kind: type[asyncclient.PhaseTimeout], phase: str) -> None:
    error = kind("slow")
    assert (str(error), error.phase, error.seconds) == ("slow", phase, 0.0)
    assert (str(kind()), kind("x", "proxy", 2.0).phase) == ("timed out", "proxy")


def test_a_phase_may_be_left_unlimited() -> None:
    assert Timeout(read=None, total=3).read is None
    assert Timeout(total=3).read == 60.0
    each = Timeout.each(None)
    assert each == Timeout(connect=None, tls=None, write=None, read=None)
    assert (each.pool, each.total, each.min_rate) == (None, None, None)


def test_a_rate_is_positive() -> None:
    with pytest.raises(ValueError, match="expected a min_rate above 0"):
        Timeout(min_rate=0)
