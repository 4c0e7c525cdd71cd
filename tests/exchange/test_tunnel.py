"""CONNECT over a scripted stream: only a bare 2xx opens a tunnel, everything else is the proxy's error."""

import pytest

from asyncclient.errors import (
    ConnectError,
    ConnectTimeout,
    HTTPException,
    LineTooLong,
    ProxyError,
    ReadTimeout,
    WriteTimeout,
)
from asyncclient.exchange.tunnel import build_connect, open_tunnel
from asyncclient.limits import DEFAULT, DRAIN, Limits
from asyncclient.message.head import Head
from tests.scripted import ScriptedStream, run_now

AUTHORITY = "example.com:443"
CONNECT = b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"


def open_over(stream: ScriptedStream, limits: Limits = DEFAULT) -> Head:
    return run_now(open_tunnel(stream, AUTHORITY, CONNECT, limits))


def refusal_of(*pieces: bytes | Exception, loss: Exception | None = None, limits: Limits = DEFAULT) -> ProxyError:
    with pytest.raises(ProxyError, match=r"no tunnel to example\.com:443") as raised:
        open_over(ScriptedStream(pieces, loss=loss), limits)
    return raised.value


# The request


def test_a_connect_request_names_the_authority_twice() -> None:
    assert build_connect(AUTHORITY, []) == CONNECT


def test_fields_follow_and_may_have_their_own_host() -> None:
    head = build_connect(AUTHORITY, [("hOST", "other"), ("Proxy-Authorization", "Basic eA==")])
    assert head == b"CONNECT example.com:443 HTTP/1.1\r\nhOST: other\r\nProxy-Authorization: Basic eA==\r\n\r\n"


@pytest.mark.parametrize("authority", ["a b:1", "a:1\r\nX: y", "a:1\n", "a\x00:1", "\u560a:1", "a:1 HTTP/1.0", ""])
def test_an_authority_that_cannot_be_sent_is_refused(authority: str) -> None:
    with pytest.raises(ValueError, match="target can't be sent"):
        build_connect(authority, [])


@pytest.mark.parametrize("field", [("X Y", "1"), ("", "1"), ("X", "a\r\nY: b"), ("X", "a\nb"), ("X", "\u560a")])
def test_fields_that_cannot_be_sent_are_refused(field: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="invalid"):
        build_connect(AUTHORITY, [field])


# The response


@pytest.mark.parametrize("status", [b"200 Connection established", b"204 No Content", b"299 X", b"200"])
@pytest.mark.parametrize(
    "fields", [b"", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"Connection: close\r\n"]
)
def test_any_2xx_opens_a_tunnel_regardless_of_its_fields(status: bytes, fields: bytes) -> None:
    stream = ScriptedStream([b"HTTP/1.1 " + status + b"\r\n" + fields + b"\r\n", b"from the target"], answers=[0, 1000])
    head = open_over(stream)
    assert 200 <= head.status < 300
    assert stream.written == CONNECT
    assert stream.unread == b"from the target"
    assert not stream.is_aborted


def test_interim_responses_before_the_tunnel_are_skipped() -> None:
    assert open_over(ScriptedStream([b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"])).status == 200


def test_too_many_interim_responses_open_no_tunnel() -> None:
    error = refusal_of(b"HTTP/1.1 100 Continue\r\n\r\n" * 5, limits=Limits(interim=4))
    assert "interim" in str(error)


@pytest.mark.parametrize("early", [b"X", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"\x16\x03\x01"])
def test_bytes_after_the_response_are_refused(early: bytes) -> None:
    error = refusal_of(b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\n" + early)
    assert (error.status, error.reason, error.headers) == (200, "OK", (("Via", "x"),))
    assert error.body == b""


def test_bytes_right_after_the_response_are_refused() -> None:
    with pytest.raises(ProxyError, match="sent more than its response, or closed"):
        open_over(ScriptedStream([b"HTTP/1.1 200 OK\r\n\r\n", b"X"], answers=[0, 0]))


def test_a_proxy_that_closes_after_its_response_opens_no_tunnel() -> None:
    with pytest.raises(ProxyError, match="or closed"):
        open_over(ScriptedStream([b"HTTP/1.1 200 OK\r\n\r\n"], answers=[0, 0]))


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"Content-Length: 5\r\n", b"hello"),
        (b"Transfer-Encoding: chunked\r\n", b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
        (b"", b"hello"),
    ],
)
@pytest.mark.parametrize("status", [300, 302, 400, 403, 407, 500, 502])
def test_any_other_response_is_a_refusal_with_its_body(status: int, framing: bytes, body: bytes) -> None:
    error = refusal_of(b"HTTP/1.1 %d No way\r\nProxy-Authenticate: Basic\r\n%b\r\n%b" % (status, framing, body))
    assert (error.status, error.reason, error.body) == (status, "No way", b"hello")
    assert error.headers[0] == ("Proxy-Authenticate", "Basic")
    assert f"the proxy answered {status} No way" in str(error)


def test_switching_protocols_opens_no_tunnel() -> None:
    error = refusal_of(b"HTTP/1.1 101 Switching Protocols\r\n\r\nhello")
    assert (error.status, error.body) == (101, b"")


def test_the_body_of_a_refusal_is_cut() -> None:
    error = refusal_of(b"HTTP/1.1 403 No\r\n\r\n", *[b"x" * 1000] * 1000)
    assert error.body == b"x" * DRAIN


@pytest.mark.parametrize(
    ("rest", "body"),
    [
        ((b"Content-Length: 9\r\n\r\nhello",), b"hello"),
        ((b"Content-Length: 9\r\n\r\nhello", ReadTimeout("slow", "read", 1.0)), b"hello"),
        ((b"\r\nhello", ReadTimeout("slow", "read", 1.0)), b"hello"),
        ((b"Content-Length: x\r\n\r\nhello",), b""),
        ((b"Transfer-Encoding: gzip\r\n\r\nhello",), b""),
        ((b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX",), b""),
        ((b"Content-Length: 9\r\n\r\n", OSError("gone")), b""),
    ],
)
def test_a_refusal_with_an_invalid_body_is_still_reported(rest: tuple[bytes | Exception, ...], body: bytes) -> None:
    error = refusal_of(b"HTTP/1.1 403 No\r\n" + rest[0], *rest[1:])  # type: ignore[operator]
    assert (error.status, error.body) == (403, body)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nX\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 1000 + b"\r\n",
    ],
)
def test_an_invalid_response_opens_no_tunnel(answer: bytes) -> None:
    error = refusal_of(answer)
    assert (error.status, error.reason, error.headers, error.body) == (None, "", (), b"")
    assert isinstance(error.__cause__, HTTPException)


def test_a_response_of_any_size_is_refused_in_time() -> None:
    stream = ScriptedStream([b"HTTP/1.1 200 OK\r\n", *[b"X: " + b"x" * 9990 + b"\r\n"] * 1000])
    with pytest.raises(ProxyError) as raised:
        open_over(stream)
    assert isinstance(raised.value.__cause__, LineTooLong)
    assert len(stream.unread) > 9_000_000


def test_a_proxy_that_resets_is_a_proxy_error() -> None:
    loss = ConnectionResetError(104, "reset")
    error = refusal_of(loss=loss)
    assert isinstance(error, ConnectError)
    assert isinstance(refusal_of(loss).__cause__, ConnectionResetError)


@pytest.mark.parametrize("late", [ReadTimeout("no response", "read", 2.0), WriteTimeout("not taken", "write", 2.0)])
@pytest.mark.parametrize("before", [[], [b"HTTP/1.1 100 Continue\r\n\r\n"], [b"HTTP/1.1 2"]])
def test_a_silent_proxy_is_a_timeout_of_connecting(before: list[bytes], late: HTTPException) -> None:
    with pytest.raises(ConnectTimeout, match=r"no tunnel to example\.com:443") as raised:
        open_over(ScriptedStream([*before, late]))
    assert (raised.value.phase, raised.value.seconds) == ("proxy", 2.0)
    assert raised.value.__cause__ is late
