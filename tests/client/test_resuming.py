"""The proof that a response continues a part, or has the whole content."""

import pytest

from asyncclient import ProtocolError
from asyncclient.client.download.resuming import Note, Span, find_span, make_note
from asyncclient.message.fields import Fields

NOW, BEFORE = "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:36 GMT"
DATED = [("last-modified", BEFORE), ("date", NOW)]


@pytest.mark.parametrize(
    ("pairs", "validator"),
    [
        ([("etag", '"x"')], '"x"'),
        ([("etag", '"x"'), ("ETag", '"x"')], '"x"'),
        ([("etag", '"x"'), *DATED], '"x"'),
        ([("etag", 'W/"x"'), *DATED], BEFORE),
        ([("etag", "x"), *DATED], BEFORE),
        ([("etag", '"x"'), ("etag", '"y"'), *DATED], BEFORE),
        ([("etag", '"x"'), ("content-encoding", "gzip")], '"x"'),
        (DATED, BEFORE),
    ],
)
def test_validators_of_a_part(pairs: list[tuple[str, str]], validator: str) -> None:
    note = make_note("0" * 64, Fields(pairs), 10, "name")
    assert note is not None
    assert (note.validator, note.total, note.name) == (validator, 10, "name")


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [("etag", 'W/"x"')],
        [("etag", "x")],
        [("etag", '"x", "y"')],
        [("etag", '"x"'), ("etag", '"y"')],
        [("last-modified", NOW), ("date", NOW)],
        [("last-modified", NOW), ("date", BEFORE)],
        [("last-modified", BEFORE)],
        [("last-modified", "parrot"), ("date", NOW)],
        [("last-modified", BEFORE), ("last-modified", NOW), ("date", NOW)],
        [("date", NOW)],
        [*DATED, ("content-encoding", "gzip")],
        [("etag", 'W/"x"'), *DATED, ("content-encoding", "gzip")],
    ],
)
def test_responses_without_a_validator_get_no_note(pairs: list[tuple[str, str]]) -> None:
    assert make_note("0" * 64, Fields(pairs), 10, "name") is None


STRONG = Note("", '"x"', BEFORE, "", 10)
WEAK = Note("", 'W/"x"', BEFORE, "", 10)
BY_DATE = Note("", "", BEFORE, "", 10)
UNSIZED = Note("", '"x"', "", "", None)
PACKED = Note("", '"x"', "", "gzip", 10)
REST = ("content-range", "bytes 4-9/10")
X = ("etag", '"x"')


@pytest.mark.parametrize(
    ("note", "pairs", "length", "span"),
    [
        (STRONG, [REST, X], 6, Span(4, 10, 10)),
        (STRONG, [REST, X], None, Span(4, 10, 10)),
        (STRONG, [REST, X, ("last-modified", BEFORE)], 6, Span(4, 10, 10)),
        (STRONG, [("content-range", "bytes 4-6/10"), X], 3, Span(4, 7, 10)),
        (STRONG, [("content-range", "bytes 4-9/*"), X], 6, Span(4, 10, 10)),
        (UNSIZED, [REST, X], 6, Span(4, 10, 10)),
        (WEAK, [REST, ("etag", 'W/"x"')], 6, Span(4, 10, 10)),
        (BY_DATE, [REST], 6, Span(4, 10, 10)),
        (BY_DATE, [REST, ("last-modified", BEFORE)], 6, Span(4, 10, 10)),
        (PACKED, [REST, X, ("content-encoding", "gzip")], 6, Span(4, 10, 10)),
        (PACKED, [REST, X], 6, Span(4, 10, 10)),
        (STRONG, [REST], 6, None),
        (STRONG, [REST, X, ("etag", '"y"')], 6, None),
        (STRONG, [REST, ("etag", '"y"')], 6, None),
        (STRONG, [REST, X, ("last-modified", NOW)], 6, None),
        (STRONG, [REST, X, ("content-encoding", "gzip")], 6, None),
        (STRONG, [REST, X], 5, None),
        (STRONG, [X], 6, None),
        (STRONG, [REST, ("content-range", "bytes 3-9/10"), X], 6, None),
        (STRONG, [("content-range", "bytes 3-9/10"), X], 7, None),
        (STRONG, [("content-range", "bytes 3-9/10"), X], None, None),
        (STRONG, [("content-range", "bytes 5-9/10"), X], None, None),
        (STRONG, [("content-range", "bytes 4-9/11"), X], 6, None),
        (STRONG, [("content-range", "bytes 4-10/*"), X], 7, None),
        (UNSIZED, [("content-range", "bytes 4-9/*"), X], 6, None),
        (WEAK, [REST], 6, None),
        (WEAK, [REST, ("etag", 'W/"y"')], 6, None),
        (WEAK, [REST, ("etag", 'W/"x"'), ("last-modified", NOW)], 6, None),
        (BY_DATE, [REST, ("last-modified", NOW)], 6, None),
        (BY_DATE, [REST, X], 6, None),
        (PACKED, [REST, X, ("content-encoding", "br")], 6, None),
    ],
)
def test_partial_content_is_resumed_if_all_evidence_agrees(
    note: Note, pairs: list[tuple[str, str]], length: int | None, span: Span | None
) -> None:
    assert find_span(note, 4, 206, Fields(pairs), length) == span


@pytest.mark.parametrize(
    ("note", "status", "pairs", "length", "is_believed"),
    [
        (STRONG, 200, [X], 10, True),
        (STRONG, 200, [], 10, True),
        (STRONG, 200, [X, ("content-range", "bytes 0-9/10")], 10, True),
        (STRONG, 200, [("etag", '"y"')], 6, True),
        (STRONG, 200, [("etag", '"y"')], None, True),
        (BY_DATE, 200, [("last-modified", NOW)], 20, True),
        (UNSIZED, 200, [("etag", '"y"')], 10, True),
        (STRONG, 200, [X], 6, False),
        (STRONG, 200, [], 6, False),
        (STRONG, 200, [X], None, False),
        (STRONG, 200, [X, REST], 6, False),
        (STRONG, 200, [("etag", '"y"'), REST], 6, False),
        (STRONG, 200, [X, ("content-range", "bytes 4-9/*")], 10, False),
        (STRONG, 200, [X, ("content-range", "4-9")], 10, False),
        (STRONG, 200, [X, ("etag", '"y"')], 6, False),
        (UNSIZED, 200, [X], 10, False),
        (STRONG, 204, [X], 0, False),
    ],
)
def test_a_whole_response_to_a_range_is_accepted_if_changed_or_as_long_as_before(
    note: Note, status: int, pairs: list[tuple[str, str]], length: int | None, is_believed: bool
) -> None:
    expected = Span(0, length, length) if is_believed else None
    assert find_span(note, 4, status, Fields(pairs), length) == expected


@pytest.mark.parametrize(
    ("pairs", "length", "span"),
    [
        ([], 10, Span(0, 10, 10)),
        ([], None, Span(0, None, None)),
        ([("content-range", "bytes 0-9/10")], None, Span(0, 10, 10)),
        ([("content-range", "bytes 0-9/*")], 10, Span(0, 10, 10)),
        ([("content-range", "parrot")], 10, Span(0, 10, 10)),
    ],
)
@pytest.mark.parametrize(("note", "start"), [(None, 0), (STRONG, 0), (None, 4)])
def test_a_response_without_a_range_is_the_whole(
    note: Note | None, start: int, pairs: list[tuple[str, str]], length: int | None, span: Span
) -> None:
    assert find_span(note, start, 200, Fields(pairs), length) == span


@pytest.mark.parametrize(
    ("status", "value", "length"),
    [
        (206, "bytes 0-9/10", 10),
        (206, "", 10),
        (200, "bytes 4-9/10", 6),
        (200, "bytes 0-3/10", 4),
        (200, "bytes 0-3/10", None),
        (200, "bytes 0-9/10", 9),
        (200, "bytes 0-9/*", 9),
    ],
)
def test_a_range_that_was_not_asked_for_is_an_error(status: int, value: str, length: int | None) -> None:
    with pytest.raises(ProtocolError, match="for a request without Range"):
        find_span(None, 0, status, Fields([("content-range", value)]), length)


@pytest.mark.parametrize(
    ("known", "pairs", "length", "span"),
    [
        (STRONG, [X], 10, Span(0, 10, 10)),
        (STRONG, [X], None, Span(0, 10, 10)),
        (STRONG, [X, ("last-modified", NOW)], 6, Span(0, 6, 6)),
        (STRONG, [("etag", '"y"')], 6, Span(0, 6, 6)),
        (STRONG, [], 6, Span(0, 6, 6)),
        (WEAK, [("etag", 'W/"x"')], 6, Span(0, 6, 6)),
        (UNSIZED, [X], 6, Span(0, 6, 6)),
        (PACKED, [X, ("content-encoding", "br")], 6, Span(0, 6, 6)),
        (STRONG, [X], 6, None),
        (STRONG, [X], 11, None),
        (STRONG, [X, ("content-range", "bytes 0-5/6")], 6, None),
        (PACKED, [X, ("content-encoding", "gzip")], 6, None),
    ],
)
def test_the_same_strong_etag_has_the_same_length(
    known: Note, pairs: list[tuple[str, str]], length: int | None, span: Span | None
) -> None:
    if span is not None:
        assert find_span(known, 0, 200, Fields(pairs), length) == span
    else:
        with pytest.raises(ProtocolError, match=r"^got \d+ bytes of content, which had 10 with the same ETag before$"):
            find_span(known, 0, 200, Fields(pairs), length)
