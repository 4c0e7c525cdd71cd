"""Responses that begin before the whole request is sent: at each point of an upload, and to an expectation."""

import pytest

from asyncclient.errors import BadStatusLine, HTTPException, ProtocolError, RemoteDisconnected, WriteTimeout
from asyncclient.exchange.body import Body
from asyncclient.limits import DEFAULT, Limits
from tests.exchange.sending import (
    CONTINUE,
    FAILED,
    HEAD,
    HINTS,
    LAST_CHUNK,
    TOO_LARGE,
    UNAUTHORIZED,
    join_in_chunks,
    open_with_length,
    send,
    sent_content,
)
from tests.scripted import ScriptedStream, run_now

PIECES = [b"aaaa", b"bbbb", b"cccc"]


@pytest.mark.parametrize("after", range(3))
@pytest.mark.parametrize("chunked", [False, True])
def test_a_final_response_ends_the_upload_where_it_is_received(after: int, chunked: bool) -> None:
    before = [join_in_chunks(piece).removesuffix(LAST_CHUNK) if chunked else piece for piece in PIECES[:after]]
    stream = ScriptedStream([TOO_LARGE], answers=[len(HEAD) + len(b"".join(before))])
    answer = send(stream, open_with_length(PIECES, 12), chunked=chunked)
    assert sent_content(stream) == b"".join(before)
    assert answer.final is not None
    assert answer.final is not None
    assert answer.final.status == 413


def test_a_final_response_before_the_last_chunk_is_received_too() -> None:
    stream = ScriptedStream([TOO_LARGE], answers=[len(HEAD + join_in_chunks(*PIECES)) - len(LAST_CHUNK)])
    answer = send(stream, PIECES)
    assert sent_content(stream) == join_in_chunks(*PIECES).removesuffix(LAST_CHUNK)
    assert answer.final is not None


@pytest.mark.parametrize("chunked", [False, True])
def test_interim_responses_do_not_end_an_upload(chunked: bool) -> None:
    stream = ScriptedStream([HINTS, CONTINUE, TOO_LARGE], answers=[0, len(HEAD) + 4])
    answer = send(stream, open_with_length(PIECES, 12), chunked=chunked)
    assert sent_content(stream) == (join_in_chunks(*PIECES) if chunked else b"".join(PIECES))
    assert [head.status for head in answer.interim] == [103, 100]
    assert answer.final is None
    assert run_now(answer.receive(stream, DEFAULT)).status == 413


def test_a_flood_of_interim_responses_ends_an_upload() -> None:
    with pytest.raises(ProtocolError, match="interim"):
        send(ScriptedStream([HINTS] * 5, answers=[0] * 5), PIECES, limits=Limits(interim=4))


@pytest.mark.parametrize("chunked", [False, True])
def test_garbage_in_the_middle_of_an_upload_is_an_error(chunked: bool) -> None:
    with pytest.raises(BadStatusLine):
        send(ScriptedStream([b"garbage"], answers=[len(HEAD)]), open_with_length(PIECES, 12), chunked=chunked)


def test_a_peer_that_closes_in_the_middle_of_an_upload_has_disconnected() -> None:
    stream = ScriptedStream(answers=[len(HEAD)])
    with pytest.raises(RemoteDisconnected):
        send(stream, PIECES)
    assert sent_content(stream) == b""


@pytest.mark.parametrize("chunked", [False, True])
def test_a_peer_that_takes_nothing_is_an_error(chunked: bool) -> None:
    error = WriteTimeout("nothing taken", "write", 1.0)
    stream = ScriptedStream(breaks=(len(HEAD) + 4, error))
    with pytest.raises(WriteTimeout):
        send(stream, open_with_length(PIECES, 12), chunked=chunked)
    assert LAST_CHUNK not in sent_content(stream)


# 100-continue


@pytest.mark.parametrize("body", [b"hello", [b"he", b"llo"]])
def test_the_body_is_sent_after_100_continue(body: Body) -> None:
    stream = ScriptedStream([CONTINUE], answers=[len(HEAD)])
    answer = send(stream, body, expect=1.0)
    assert sent_content(stream) == (b"hello" if body == b"hello" else join_in_chunks(b"he", b"llo"))
    assert stream.waits == [pytest.approx(1.0, abs=0.1)]
    assert [head.status for head in answer.interim] == [100]


@pytest.mark.parametrize("refusal", [FAILED, UNAUTHORIZED, TOO_LARGE])
@pytest.mark.parametrize("before", [b"", HINTS])
def test_no_body_is_sent_after_a_final_response(refusal: bytes, before: bytes) -> None:
    stream = ScriptedStream([before + refusal], answers=[len(HEAD)])
    answer = send(stream, b"hello", expect=1.0)
    assert sent_content(stream) == b""
    assert answer.final is not None
    assert answer.final is not None


def test_other_interim_responses_do_not_release_the_body() -> None:
    stream = ScriptedStream([HINTS, HINTS, CONTINUE], answers=[0, 0, 0])
    answer = send(stream, b"hello", expect=1.0)
    assert sent_content(stream) == b"hello"
    assert stream.waits == [pytest.approx(1.0, abs=0.1)] * 3
    assert stream.waits == sorted(stream.waits, reverse=True)  # one limit for all of them
    assert len(answer.interim) == 3


@pytest.mark.parametrize("before", [[], [HINTS]])
def test_the_body_is_sent_if_the_peer_stays_silent(before: list[bytes]) -> None:
    stream = ScriptedStream(before, answers=[0] * len(before))
    send(stream, b"hello", expect=0.5)
    assert sent_content(stream) == b"hello"


@pytest.mark.parametrize(("answer", "error"), [(b"", RemoteDisconnected), (b"garbage", BadStatusLine)])
def test_no_body_is_sent_if_the_response_to_the_expectation_is_invalid(
    answer: bytes, error: type[HTTPException]
) -> None:
    stream = ScriptedStream([answer] if answer else [], answers=[0])
    with pytest.raises(error):
        send(stream, b"hello", expect=1.0)
    assert sent_content(stream) == b""
