"""Content-Range: which bytes a response brings."""

import pytest

from asyncclient.message.ranges import ContentRange, parse_content_range


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("bytes 0-0/1", ContentRange(0, 1, 1)),
        ("bytes 5-9/100", ContentRange(5, 10, 100)),
        ("Bytes 5-9/*", ContentRange(5, 10, None)),
        ("bytes 0-999999999999999998/999999999999999999", ContentRange(0, 10**18 - 1, 10**18 - 1)),
    ],
)
def test_a_range_is_read(value: str, found: ContentRange) -> None:
    assert parse_content_range(value) == found


@pytest.mark.parametrize(
    "value",
    [
        "",
        "bytes */100",
        "bytes 9-5/100",
        "bytes 5-9/9",
        "bytes 5-9",
        "bytes 5-/100",
        "bytes=5-9/100",
        "bytes 5-9/100, bytes 5-9/100",
        "bytes ٥-٩/100",
        "lines 5-9/100",
        f"bytes 5-9/{'9' * 5000}",
    ],
)
def test_a_malformed_range_is_not_read(value: str) -> None:
    assert parse_content_range(value) is None


@pytest.mark.parametrize(
    ("value", "is_whole"),
    [("bytes 0-9/10", True), ("bytes 0-9/11", False), ("bytes 1-9/10", False), ("bytes 0-9/*", False)],
)
def test_whether_a_range_is_the_whole(value: str, is_whole: bool) -> None:
    found = parse_content_range(value)
    assert found is not None
    assert found.is_whole is is_whole
