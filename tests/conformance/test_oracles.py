"""Whole responses, read by this engine and by two parsers that others rely on.

Each message stands in one of two tables. In the first all three agree. In the second they do not, and a line says why
ours is right; a message on which all come to agree after all has to move, so that no reason goes stale.
"""

from typing import NamedTuple

import h11
import httptools
import pytest

from asyncclient.errors import HTTPException
from asyncclient.exchange.content import open_content
from asyncclient.exchange.receive import ResponseHeads
from asyncclient.limits import DEFAULT
from asyncclient.message.framing import decide_framing
from tests.scripted import ScriptedStream, run_now


class Reading(NamedTuple):
    """The result of a parser: the final status, the content, and whether another message may follow."""

    status: int
    content: bytes
    goes_on: bool


REFUSED = "refused"  # also: incomplete, for the connection has ended
Outcome = Reading | str


def read_ours(message: bytes, method: str, step: int) -> Outcome:
    stream = ScriptedStream([message[at : at + step] for at in range(0, len(message), step)])
    try:
        head = run_now(ResponseHeads().receive(stream, DEFAULT))
        framing = decide_framing(head, method)
        return Reading(head.status, run_now(open_content(stream, framing, DEFAULT).readall()), framing[2] is None)
    except HTTPException:
        return REFUSED


def read_h11(message: bytes, method: str, step: int) -> Outcome:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=method, target="/" if method != "CONNECT" else "h:1", headers=[("Host", "h")]))
    connection.send(h11.EndOfMessage())
    parts = [message[at : at + step] for at in range(0, len(message), step)]
    status, content, has_ended = 0, b"", False
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                has_ended = not parts
                connection.receive_data(parts.pop(0) if parts else b"")
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                content += event.data
            elif isinstance(event, h11.EndOfMessage | h11.PAUSED | h11.ConnectionClosed):
                goes_on = not has_ended and connection.their_state in (h11.DONE, h11.SWITCHED_PROTOCOL)
                return Reading(status, content, goes_on)
    except h11.RemoteProtocolError:
        return REFUSED


class Collector:
    """The callbacks of httptools, which knows neither the method nor the end of the connection."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.fields: dict[bytes, bytes] = {}
        self.content = b""
        self.reading: Reading | None = None

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields[name.lower()] = value.lower()

    def on_body(self, data: bytes) -> None:
        self.content += data

    def on_message_complete(self) -> None:
        status = self.parser.get_status_code()
        if self.reading is None and (status >= 200 or status == 101):
            self.reading = Reading(status, self.content, self.parser.should_keep_alive())
        self.fields.clear()

    def end(self) -> Outcome:
        """The connection has ended: so has the content if nothing else ends it."""
        if self.reading is not None:
            return self.reading
        status = self.parser.get_status_code()
        last_coding = self.fields.get(b"transfer-encoding", b"").rpartition(b",")[2].strip()
        if status < 200 or b"content-length" in self.fields or last_coding == b"chunked":
            return REFUSED
        return Reading(status, self.content, False)


def read_httptools(message: bytes, method: str, step: int) -> Outcome:
    collector = Collector()
    try:
        for at in range(0, len(message), step):
            collector.parser.feed_data(message[at : at + step])
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError:  # after the first message it is about what follows
        return collector.reading or REFUSED
    return collector.end() if b"\r\n\r\n" in message else REFUSED


OK = b"HTTP/1.1 200 OK\r\n"
OK_10 = b"HTTP/1.0 200 OK\r\n"
LENGTH = b"Content-Length: 5\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CLOSE = b"Connection: close\r\n"
IN_CHUNKS = OK + CHUNKED + b"\r\n"
HELLO_CHUNK = b"5\r\nhello\r\n"
END = b"\r\nhello"
CHUNKS_END = b"\r\n" + HELLO_CHUNK + b"0\r\n\r\n"

LENGTHS_REFUSED = [
    b"",
    b"+5",
    b"-5",
    b"0x5",
    b"5_0",
    b"5 0",
    b"5a",
    b"5.0",
    b"\xb2",
    b"\x0b5",
    b"\x855",
    b"5, 6",
    b"5,",
    b",5",
]
LENGTHS_REFUSED += [b"9" * count for count in (18, 19, 20, 40)]

STATUS_LINES_REFUSED = [
    b"http/1.1 200 OK",
    b"HTTP/1.10 200 OK",
    b"HTTP/1 200 OK",
    b"HTTP/1.1  200 OK",
    b"HTTP/1.1\t200 OK",
]
STATUS_LINES_REFUSED += [
    b"HTTP/1.1 20 OK",
    b"HTTP/1.1 2000 OK",
    b"HTTP/1.1 000 OK",
    b"HTTP/1.1 099 OK",
    b"HTTP/1.1 2x0 OK",
]
STATUS_LINES_REFUSED += [
    b"HTTP/1.1 200OK",
    b"HTTP/1.1 \xb2\xb2\xb2 OK",
    b"HTTP/1.1 -20 OK",
    b"ICY 200 OK",
    b"HTTP/1.1 200 O\rK",
]

FIELD_LINES_REFUSED = [
    b" A: b",
    b"\tA: b",
    b"A : b",
    b"A\t: b",
    b"A",
    b": b",
    b"A b: c",
    b"A(: b",
    b"A\x85: b",
    b"\xc3\x84: b",
]
FIELD_LINES_REFUSED += [
    b"A\0: b",
    b"A: b\0",
    b"A: b\rc",
    b"A: b\r",
    b"A: b\rContent-Length: 0",
    b"A\r: b",
    b"A\r\n : b",
]

LENGTHS_UNUSED = [b"", b"0x5", b"x", b"-5", b"5, 6", b"5_0"]


def interim(length: bytes) -> bytes:
    return b"HTTP/1.1 103 x\r\nContent-Length: %b\r\n\r\n" % length


CODINGS_REFUSED = [b"Transfer-Encoding: \x0bchunked", b"Transfer-Encoding : chunked", b"Transfer-Encoding\t: chunked"]

BODIES_REFUSED = [HELLO_CHUNK, HELLO_CHUNK + b"0\r\n", b"5\r\nhel", b"5\r\nhello0\r\n\r\n", b"5\nhello\n0\n\n"]
BODIES_REFUSED += [b"5\r\nhello\n0\r\n\r\n", b"5;a\nb\r\nhello\r\n0\r\n\r\n", HELLO_CHUNK + b"0\r\nA b\r\n\r\n"]
BODIES_REFUSED += [
    size + b"\r\nhello\r\n0\r\n\r\n"
    for size in (b"", b"0x5", b"+5", b"-5", b" 5", b"5_0", b"g", b"\xb2", b"1" * 17, b"5 5", b"5,", b"5.0", b"\x0b5")
]

HELLO = Reading(200, b"hello", True)
HELLO_LAST = Reading(200, b"hello", False)

AGREED: list[tuple[bytes, Outcome]] = [
    # content by length
    (OK + LENGTH + END, HELLO),
    (OK + LENGTH + END + b"!", HELLO),
    (OK + LENGTH + b"\r\nhell", REFUSED),
    (OK + b"content-length:5\r\n" + END, HELLO),
    (OK + b"CONTENT-LENGTH: 5 \t\r\n" + END, HELLO),
    (OK + b"Content-Length: 05\r\n" + END, HELLO),
    (OK + b"Content-Length: 0\r\n\r\n", Reading(200, b"", True)),
    (b"HTTP/1.1 205 x\r\n" + LENGTH + END, Reading(205, b"hello", True)),
    (b"HTTP/1.1 999 x\r\n" + LENGTH + END, Reading(999, b"hello", True)),
    (OK + LENGTH + b"Content-Length: 6\r\n" + END + b"!", REFUSED),
    (OK + b"Content-Length : 5\r\n" + END, REFUSED),
    (OK + b"Content-Length: 5\r\n 0\r\n" + END, REFUSED),
    *((OK + b"Content-Length: " + value + b"\r\n" + END, REFUSED) for value in LENGTHS_REFUSED),
    # content until the end
    (OK + END, HELLO_LAST),
    (OK + CLOSE + END, HELLO_LAST),
    (OK_10 + END, HELLO_LAST),
    (OK + b"\r\n" + LENGTH + END, Reading(200, LENGTH + END, False)),
    # whether the connection goes on
    (OK_10 + LENGTH + END, HELLO_LAST),
    (OK + CLOSE + LENGTH + END, HELLO_LAST),
    (OK + b"connection: x, CLOSE\r\n" + LENGTH + END, HELLO_LAST),
    (OK + b"Connection: keep-alive\r\n" + CLOSE + LENGTH + END, HELLO_LAST),
    (OK + b"Connection: keep-alive\r\n" + LENGTH + END, HELLO),
    # status lines
    (b"HTTP/1.1 200\r\n" + LENGTH + END, HELLO),
    (b"HTTP/1.1 200 \r\n" + LENGTH + END, HELLO),
    (b"HTTP/1.1 200 \xe9\x85\r\n" + LENGTH + END, HELLO),
    *((line + b"\r\n" + LENGTH + END, REFUSED) for line in STATUS_LINES_REFUSED),
    (b"HTTP/1.1 200 OK\r" + LENGTH + END, REFUSED),
    (b" " + OK + LENGTH + END, REFUSED),
    (b"<html>hello", REFUSED),
    (b"", REFUSED),
    (b"HTTP/1.1 20", REFUSED),
    (OK + LENGTH, REFUSED),
    # interim responses, and those without content
    (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + LENGTH + END, HELLO),
    (b"HTTP/1.1 103 x\r\nLink: y\r\n\r\n" * 3 + OK + LENGTH + END, HELLO),
    (b"HTTP/1.1 199 x\r\n\r\n" + OK + LENGTH + END, HELLO),
    (b"HTTP/1.1 100 Continue\r\n\r\n", REFUSED),
    (b"HTTP/1.1 204 x\r\n\r\n", Reading(204, b"", True)),
    (b"HTTP/1.1 204 x\r\n" + LENGTH + END, Reading(204, b"", True)),
    (b"HTTP/1.1 304 x\r\n" + LENGTH + b"\r\n", Reading(304, b"", True)),
    (b"HTTP/1.1 304 x\r\n" + CHUNKED + b"\r\n", Reading(304, b"", True)),
    (b"HTTP/1.1 304 x\r\n" + CLOSE + b"\r\n", Reading(304, b"", False)),
    # fields
    (OK + b"A:\r\n" + LENGTH + END, HELLO),
    (OK + b"A: \x85Content-Length: 9\xff\r\n" + LENGTH + END, HELLO),
    (OK + b"!#$%&'*+-.^_`|~: b\r\n" + LENGTH + END, HELLO),
    *((OK + line + b"\r\n" + LENGTH + END, REFUSED) for line in FIELD_LINES_REFUSED),
    # chunks
    (OK + CHUNKED + CHUNKS_END, HELLO),
    (OK + b"transfer-encoding: CHUNKED\r\n\r\n005\r\nhello\r\n000\r\n\r\n", HELLO),
    (IN_CHUNKS + b"2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\nA: b\r\n\r\n", HELLO),
    (OK + CLOSE + CHUNKED + CHUNKS_END, HELLO_LAST),
    (OK_10 + CHUNKED + CHUNKS_END, HELLO_LAST),
    *((IN_CHUNKS + body, REFUSED) for body in BODIES_REFUSED),
    *((OK + line + b"\r\n" + CHUNKS_END, REFUSED) for line in CODINGS_REFUSED),
    (OK + b"Transfer-Encoding: identity\r\n" + LENGTH + END, REFUSED),
    # lengths that delimit nothing, and trailers
    *((interim(value) + OK + LENGTH + END, REFUSED) for value in LENGTHS_UNUSED),
    *((OK + CHUNKED + b"Content-Length: %b\r\n" % value + CHUNKS_END, REFUSED) for value in LENGTHS_UNUSED),
    *((b"HTTP/1.1 304 x\r\nContent-Length: %b\r\n\r\n" % value, REFUSED) for value in LENGTHS_UNUSED),
    (interim(b"5") + OK + LENGTH + END, HELLO),
    *((IN_CHUNKS + HELLO_CHUNK + b"0\r\nA: %b\r\n\r\n" % value, REFUSED) for value in (b"b\x0bc", b"\x0c", b"b\0")),
    (IN_CHUNKS + HELLO_CHUNK + b"0\r\nContent-Length: 0x5\r\n\r\n", REFUSED),
]

CHUNKED_WINS = "RFC 9112 §6.3: chunked wins, and the connection ends with it; h11 reuses it, llhttp refuses"
BARE_LF = "RFC 9112 §2.2: a bare LF may end a line; llhttp is strict"
CONTROLS = "RFC 9110 §5.5: a head may keep control characters, as http.client does; llhttp refuses all, h11 VT and FF"
FOLDS = "RFC 9112 §5.2: a recipient unfolds; llhttp refuses"
EQUAL = "RFC 9112 §6.3: equal lengths count as one; llhttp refuses"
UNKNOWN = (
    "RFC 9112 §6.1: no coding but chunked is known here; llhttp reads until the end, or looks at the last one only"
)
MAJOR = "RFC 9110 §2.5: another major version is another protocol; h11 and llhttp take it"
EMPTY_LINES = "RFC 9112 §2.2 has servers skip empty lines, not clients; llhttp skips them"

DIFFERING: list[tuple[bytes, Outcome, str]] = [
    (b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", HELLO, BARE_LF),
    (OK + b"A: b\nC: d\r\n" + LENGTH + END, HELLO, BARE_LF),
    (OK + b"A: b\r\n c\r\n" + LENGTH + END, HELLO, FOLDS),
    (OK + b"A:\n b\r\n" + LENGTH + END, HELLO, FOLDS),
    (OK + b"Transfer-Encoding:\r\n chunked\r\n" + CHUNKS_END, HELLO, FOLDS),
    (
        OK + b"Transfer-Encoding:\tchunked\t\r\n" + CHUNKS_END,
        HELLO,
        "RFC 9110 §5.6.3: a tab is a blank, not for llhttp",
    ),
    (OK + LENGTH + LENGTH + END, HELLO, EQUAL),
    (OK + b"Content-Length: 5, 5\r\n" + END, HELLO, EQUAL),
    (OK + b"A: b\x0bc\r\n" + LENGTH + END, HELLO, CONTROLS),
    (OK + b"A: \x01\x7f\r\n" + LENGTH + END, HELLO, CONTROLS),
    (OK + CHUNKED + LENGTH + CHUNKS_END, HELLO_LAST, CHUNKED_WINS),
    (OK + LENGTH + CHUNKED + CHUNKS_END, HELLO_LAST, CHUNKED_WINS),
    (OK + b"Transfer-Encoding: gzip, chunked\r\n" + CHUNKS_END, REFUSED, UNKNOWN),
    (OK + b"Transfer-Encoding: chunked, gzip\r\n" + CHUNKS_END, REFUSED, UNKNOWN),
    (OK + b"Transfer-Encoding: chunked;a=b\r\n" + CHUNKS_END, REFUSED, UNKNOWN),
    (OK + b"Transfer-Encoding: xchunked\r\n" + CHUNKS_END, REFUSED, UNKNOWN),
    (OK + b"Transfer-Encoding: gzip\r\n" + END, REFUSED, UNKNOWN),
    (OK + b"Transfer-Encoding: chunked, chunked\r\n" + CHUNKS_END, REFUSED, UNKNOWN),
    (OK + CHUNKED + CHUNKED + CHUNKS_END, REFUSED, UNKNOWN),
    (IN_CHUNKS + b"5 \r\nhello\r\n0\r\n\r\n", HELLO, "servers pad sizes with blanks; llhttp refuses"),
    (IN_CHUNKS + b"5;a\rb\r\nhello\r\n0\r\n\r\n", REFUSED, "a bare CR ends lines for some; h11 takes it"),
    (IN_CHUNKS + b"5;a\0\r\nhello\r\n0\r\n\r\n", REFUSED, "NUL is no part of an extension; h11 takes it"),
    (IN_CHUNKS + HELLO_CHUNK + b"0\r\nA: b\n\r\n", REFUSED, "around chunks a bare LF is never right; h11 takes it"),
    (IN_CHUNKS + HELLO_CHUNK + b"0\r\n" + LENGTH + b"\r\n", HELLO, "RFC 9110 §6.5.1: it is dropped; llhttp refuses"),
    (IN_CHUNKS + HELLO_CHUNK + b"0\r\nA: \x01\r\n\r\n", REFUSED, "RFC 9110 §5.5: no control characters; h11 takes it"),
    (OK_10 + b"Connection: keep-alive\r\n" + LENGTH + END, HELLO, "RFC 9112 §9.3; h11 never keeps HTTP/1.0 open"),
    (
        b"HTTP/1.1 101 x\r\n\r\n",
        Reading(101, b"", True),
        "the connection refuses what was not asked for; h11 does so here",
    ),
    (b"HTTP/1.2 200 OK\r\n" + LENGTH + END, HELLO, "RFC 9110 §2.5: 1.2 is read as 1.1; llhttp refuses"),
    (b"HTTP/2.0 200 OK\r\n" + LENGTH + END, REFUSED, MAJOR),
    (b"HTTP/0.9 200 OK\r\n" + LENGTH + END, REFUSED, MAJOR),
    (b"HTTP/1.1 200 O\0K\r\n" + LENGTH + END, REFUSED, "RFC 9112 §4: no NUL in a reason; llhttp takes it"),
    (b"\r\n" + OK + LENGTH + END, REFUSED, EMPTY_LINES),
]

BY_METHOD: list[tuple[str, bytes, Outcome]] = [
    ("HEAD", OK + LENGTH + b"\r\n", Reading(200, b"", True)),
    ("HEAD", OK + CHUNKED + b"\r\n", Reading(200, b"", True)),
    ("HEAD", OK + b"\r\n", Reading(200, b"", True)),
    ("HEAD", OK + CLOSE + b"\r\n", Reading(200, b"", False)),
    ("CONNECT", OK + b"\r\n", Reading(200, b"", True)),
    ("CONNECT", OK + LENGTH + b"\r\n", Reading(200, b"", True)),
    ("CONNECT", b"HTTP/1.1 407 x\r\n" + LENGTH + END, Reading(407, b"hello", True)),
    ("POST", b"HTTP/1.1 413 x\r\n" + CLOSE + LENGTH + END, Reading(413, b"hello", False)),
]


@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize(("message", "outcome"), AGREED)
def test_message_that_all_parsers_read_alike(message: bytes, outcome: Outcome, step: int) -> None:
    assert read_ours(message, "GET", step) == outcome
    assert read_h11(message, "GET", step) == outcome
    assert read_httptools(message, "GET", step) == outcome


@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize(("message", "outcome", "reason"), DIFFERING)
def test_message_that_is_parsed_differently_by_choice(message: bytes, outcome: Outcome, reason: str, step: int) -> None:
    assert read_ours(message, "GET", step) == outcome, reason
    others = {read_h11(message, "GET", step), read_httptools(message, "GET", step)}
    assert others != {outcome}, "all agree now: move it to AGREED"


@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize(("method", "message", "outcome"), BY_METHOD)
def test_message_that_depends_on_the_method(method: str, message: bytes, outcome: Outcome, step: int) -> None:
    assert read_ours(message, method, step) == read_h11(message, method, step) == outcome


def test_each_message_is_in_the_table_once() -> None:
    messages = [message for message, *_ in AGREED] + [message for message, *_ in DIFFERING]
    assert len(messages) == len(set(messages))
