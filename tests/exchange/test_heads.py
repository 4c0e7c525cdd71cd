"""Heads of responses over a scripted stream: interim ones and final ones, whole ones and others."""

import pytest

from asyncclient.errors import (
    BadStatusLine,
    IncompleteRead,
    LineTooLong,
    ProtocolError,
    RemoteDisconnected,
    UnknownProtocol,
)
from asyncclient.exchange.receive import ResponseHeads
from asyncclient.limits import DEFAULT, Limits
from tests.scripted import ScriptedStream, run_now

FINAL = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def interim(status: int, fields: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d Wait\r\n%b\r\n" % (status, fields)


def receive(*pieces: bytes, limits: Limits = DEFAULT) -> tuple[ResponseHeads, ScriptedStream]:
    answer, stream = ResponseHeads(), ScriptedStream(pieces)
    run_now(answer.receive(stream, limits))
    return answer, stream


def test_a_head_may_be_received_byte_by_byte() -> None:
    answer, stream = receive(*(bytes((byte,)) for byte in FINAL), b"next")
    assert answer.final is not None
    assert (answer.final.status, answer.final.reason) == (200, "OK")
    assert stream.unread == b"next"


@pytest.mark.parametrize("status", [100, 102, 103, 104, 199])
def test_interim_responses_are_skipped_and_kept(status: int) -> None:
    answer, _ = receive(interim(status, b"Link: </style.css>\r\n") + interim(100) + FINAL)
    assert [head.status for head in answer.interim] == [status, 100]
    assert answer.interim[0].fields["link"] == "</style.css>"
    assert answer.final is not None
    assert answer.final.status == 200


def test_switching_protocols_is_final_and_later_bytes_stay_in_the_stream() -> None:
    answer, stream = receive(interim(100) + interim(101, b"Upgrade: chat\r\n") + b"hello")
    assert answer.final is not None
    assert answer.final.status == 101
    assert run_now(stream.read(100)) == b"hello"


def test_as_many_interim_responses_as_the_limit_are_accepted() -> None:
    answer, _ = receive(interim(103) * 3 + FINAL, limits=Limits(interim=3))
    assert len(answer.interim) == 3


def test_more_interim_responses_are_refused() -> None:
    with pytest.raises(ProtocolError, match="more than 3 interim responses"):
        receive(interim(103) * 4 + FINAL, limits=Limits(interim=3))


def test_endless_interim_responses_are_refused_at_the_default_limit() -> None:
    stream = ScriptedStream([interim(103)] * 1000)
    with pytest.raises(ProtocolError):
        run_now(ResponseHeads().receive(stream, DEFAULT))
    assert len(stream.unread) == 899 * len(interim(103))


def test_interim_responses_are_bounded_in_bytes_together() -> None:
    big = interim(103, b"".join(b"X-%d: %b\r\n" % (number, b"x" * 60_000) for number in range(3)))
    stream = ScriptedStream([big] * 99 + [FINAL])
    with pytest.raises((ProtocolError, LineTooLong)):
        run_now(ResponseHeads().receive(stream, DEFAULT))


@pytest.mark.parametrize("value", [b"", b"x", b"0x5", b"5, 6"])
def test_interim_response_with_an_invalid_length_is_refused(value: bytes) -> None:
    with pytest.raises(ProtocolError, match="content length"):
        receive(interim(103, b"Content-Length: %b\r\n" % value) + FINAL)


@pytest.mark.parametrize("fields", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: x\r\n"])
def test_interim_response_ignores_framing_fields(fields: bytes) -> None:
    answer, stream = receive(interim(103, fields) + FINAL)
    assert answer.final is not None
    assert not stream.unread


def test_the_time_of_the_first_head_is_noted_once() -> None:
    answer, stream = ResponseHeads(), ScriptedStream([interim(103), FINAL])
    run_now(answer.receive_one(stream, DEFAULT))
    first = answer.first_at
    run_now(answer.receive(stream, DEFAULT))
    assert first is not None
    assert answer.first_at == first


def test_a_final_head_is_received_once() -> None:
    answer, stream = ResponseHeads(), ScriptedStream([FINAL, FINAL])
    assert run_now(answer.receive(stream, DEFAULT)) is run_now(answer.receive(stream, DEFAULT))
    assert stream.unread == FINAL


@pytest.mark.parametrize("before", [b"", interim(100)])
def test_a_peer_that_closes_before_a_head_has_disconnected(before: bytes) -> None:
    with pytest.raises(RemoteDisconnected):
        receive(before)


@pytest.mark.parametrize("before", [b"", interim(103)])
def test_a_truncated_head_is_an_error(before: bytes) -> None:
    for end in range(1, len(FINAL)):
        with pytest.raises(IncompleteRead) as raised:
            receive(before + FINAL[:end])
        assert raised.value.partial == FINAL[:end]


@pytest.mark.parametrize(
    ("head", "error"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", BadStatusLine),
        (b"<html>", BadStatusLine),
        (b"http/1.1 200 OK\r\n\r\n", BadStatusLine),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", BadStatusLine),
        (b"HTTP/1.1 099 Low\r\n\r\n", BadStatusLine),
        (b"\r\n" + FINAL, BadStatusLine),
        (b"HTTP/2.0 200 OK\r\n\r\n", UnknownProtocol),
        (b"HTTP/0.9 200 OK\r\n\r\n", UnknownProtocol),
        (b"HTTP/1.1 200 OK\r\nX: \x00\r\n\r\n", ProtocolError),
        (b"HTTP/1.1 200 OK\r\nX : 1\r\n\r\n", ProtocolError),
        (b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 257 + b"\r\n", ProtocolError),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 65_536 + b"\r\n\r\n", LineTooLong),
        (b"HTTP/1.1 200 " + b"x" * 300_000, LineTooLong),
    ],
)
def test_invalid_head_is_refused_at_once(head: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        receive(head)
