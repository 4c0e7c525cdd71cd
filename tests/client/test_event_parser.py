"""The parser of text/event-stream: the examples of the WHATWG HTML standard, its rules, and the limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient import ContentTooLarge
from asyncclient.client.content.events import EventParser, ServerSentEvent

Parsed = list[tuple[str, str, str]]


def parse(text: str | bytes, size: int | None = None) -> Parsed:
    """Return the events as (type, data, id), given the stream in pieces of a size."""
    data = text.encode() if isinstance(text, str) else text
    parser, step = EventParser(1000), size or len(data) or 1
    pieces = [data[start : start + step] for start in range(0, len(data), step)]
    return [event[:3] for piece in pieces for event in parser.feed(piece)]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        ("data: YHOO\ndata: +2\ndata: 10\n\n", [("message", "YHOO\n+2\n10", "")]),
        (
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
            [("message", "first event", "1"), ("message", "second event", "")],
        ),
        ("data\n\ndata\ndata\n\ndata:", [("message", "", ""), ("message", "\n", "")]),
        ("data:test\n\ndata: test\n\n", [("message", "test", "")] * 2),
        ("event: add\ndata: 73857293\n\n", [("add", "73857293", "")]),
    ],
)
def test_examples_of_the_standard(stream: str, events: Parsed) -> None:
    assert parse(stream) == events


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        ("data: a\r\rdata: b\r\n\r\ndata: c\n\n", [("message", text, "") for text in "abc"]),
        ("\ufeffdata: a\n\n", [("message", "a", "")]),
        ("\ufeff\ufeffdata: a\n\n", []),
        ("data: a\u2028b\x0bc\n\n", [("message", "a\u2028b\x0bc", "")]),
        (b"data: \xff\xe2\x82\n\n", [("message", "\ufffd\ufffd", "")]),
        ("event: add\n\ndata: a\n\n", [("message", "a", "")]),
        ("event: add\nevent: remove\ndata: a\n\n", [("remove", "a", "")]),
        ("id: 1\ndata: a\n\nid: 2\n\ndata: b\n\n", [("message", "a", "1"), ("message", "b", "2")]),
        ("id: 1\x002\ndata: a\n\n", [("message", "a", "")]),
        ("Data: a\n data: b\nother: c\ndata : d\n\n", []),
        ("data: a:b\n\n", [("message", "a:b", "")]),
        (": comment\n: another\n\n", []),
        ("data: a\n", []),
        ("", []),
    ],
)
def test_rules_of_the_standard(stream: str | bytes, events: Parsed) -> None:
    assert parse(stream) == events
    assert parse(stream, 1) == events


@given(st.text("\r\n :\0\ufeffaditné€\U0001f600", max_size=60), st.integers(1, 9))
def test_the_cutting_of_a_stream_does_not_matter(text: str, size: int) -> None:
    assert parse(text, size) == parse(text)


def test_an_event_is_given_as_soon_as_its_empty_line_has_begun() -> None:
    parser = EventParser(1000)
    assert parser.feed(b"data: a\r\n\r") == [ServerSentEvent("message", "a")]
    assert parser.feed(b"\ndata: b\n\n") == [ServerSentEvent("message", "b")]


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("retry: 1500", 1.5),
        ("retry:0", 0.0),
        ("retry: -1", None),
        ("retry: 1.5", None),
        ("retry: ٣", None),
        ("retry", None),
        ("retry: " + "9" * 500, float("inf")),
    ],
)
def test_retry_is_taken_at_once_and_in_seconds(line: str, seconds: float | None) -> None:
    parser = EventParser(1000)
    assert parser.feed(line.encode() + b"\n") == []
    assert parser.retry == seconds


def test_events_have_the_retry_of_the_stream() -> None:
    parser = EventParser(1000)
    first, second = parser.feed(b"data: a\n\nretry: 20\n\ndata: b\n\n")
    assert (first.retry, second.retry) == (None, 0.02)


def test_an_id_counts_from_the_end_of_its_event() -> None:
    parser = EventParser(1000, last_id="7")
    parser.feed(b"id: 8\ndata: a\n")
    assert parser.last_id == "7"
    parser.feed(b"\n")
    assert parser.last_id == "8"


@pytest.mark.parametrize(
    "stream",
    [
        b"data: " + b"x" * 1000,
        b": " + b"x" * 1000,
        b"data: %b\n" % (b"x" * 100) * 10,
        b"data\n" * 1001,
        b"data: %b\ndata: %b" % (b"x" * 600, b"x" * 600),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_an_event_or_a_line_larger_than_the_limit_is_an_error(stream: bytes, size: int) -> None:
    with pytest.raises(ContentTooLarge, match=r"event is larger than 1000 characters") as caught:
        parse(stream, size)
    assert caught.value.limit == 1000


def test_small_events_and_comments_do_not_add_up() -> None:
    assert len(parse(b"data: %b\n\n: comment\n" % (b"x" * 900) * 100)) == 100


def test_the_data_as_json() -> None:
    assert ServerSentEvent("message", '{"a": 1.5}').json(parse_float=str) == {"a": "1.5"}
    with pytest.raises(ValueError, match="Expecting value"):
        ServerSentEvent("message", "[DONE").json()
