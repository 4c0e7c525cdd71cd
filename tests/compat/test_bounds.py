"""How long a line and how many of them a head may have, wherever a program changes that (R11)."""

import http.client as std
import io
import sys
from types import ModuleType
from typing import Any

import pytest

from compat import client
from compat.message import HTTPMessage, parse_headers
from compat.names import replaced
from tests.compat.connections import connection_with_replies, fetch, unread_response
from tests.connection.conversations import OK

OVER = pytest.mark.parametrize("over", ["own", "plain", "file"])


def head(lines: int, size: int = 1) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + (b"A: %b\r\n" % (b"x" * size)) * (lines - 1) + b"\r\n"


@OVER
@pytest.mark.parametrize("lines", [1, 98, 99])
def test_head_of_so_many_lines_is_read(lines: int, over: str) -> None:
    with unread_response(head(lines), over) as response:
        response.begin()
        assert len(response.getheaders()) == lines


@OVER
@pytest.mark.parametrize("lines", [100, 101, 1000])
def test_head_of_more_lines_is_refused(lines: int, over: str) -> None:
    error = pytest.raises(client.HTTPException, match=r"^got more than 100 headers$")
    with unread_response(head(lines), over) as response, error:
        response.begin()


@OVER
def test_longest_line_is_read_and_a_longer_one_refused(over: str) -> None:
    longest = 65_536 - len(b"A: \r\n")
    with unread_response(head(2, longest), over) as response:
        response.begin()
        assert len(response.getheader("A")) == longest
    error = pytest.raises(client.LineTooLong, match=r"^got more than 65536 bytes when reading header line$")
    with unread_response(head(2, longest + 1), over) as response, error:
        response.begin()


@pytest.mark.parametrize("most", [5, 300])
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
def test_a_connection_may_set_its_number_of_fields(answer: bytes, most: int) -> None:
    for lines, is_read in ((most - 1, True), (most, False)):
        with connection_with_replies(answer + head(lines), max_response_headers=most) as connection:
            connection.request("GET", "/")
            if is_read:
                assert len(connection.getresponse().getheaders()) == lines
            else:
                with pytest.raises(client.HTTPException, match=f"^got more than {most} headers$"):
                    connection.getresponse()


@OVER
@pytest.mark.parametrize("module", [std, client], ids=["http.client", "compat.client"])
def test_lines_may_be_bounded_on_the_module(module: ModuleType, over: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAXHEADERS", 5)
    with unread_response(head(4), over) as response:
        response.begin()
    with unread_response(head(5), over) as response, pytest.raises(client.HTTPException, match="more than 5 headers"):
        response.begin()


def test_head_that_is_equal_to_the_last_one_is_held_to_a_new_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    with connection_with_replies(head(5), head(5), head(5)) as connection:
        assert fetch(connection) == fetch(connection) == (200, b"")
        monkeypatch.setattr(client, "_MAXHEADERS", 5)
        with pytest.raises(client.HTTPException, match="got more than 5 headers"):
            fetch(connection)


@OVER
@pytest.mark.parametrize("module", [std, client], ids=["http.client", "compat.client"])
@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 %b\r\n\r\n" % (b"x" * 99), head(2, 99), b"x" * 200])
def test_length_of_a_line_may_be_bounded_on_the_module(
    answer: bytes, module: ModuleType, over: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAXLINE", 100)
    with unread_response(answer, over) as response, pytest.raises(client.LineTooLong):
        response.begin()


@pytest.mark.parametrize("module", [std, client], ids=["http.client", "compat.client"])
def test_bounds_are_as_they_were_when_a_change_is_taken_back(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = replaced.limits
    monkeypatch.setattr(module, "_MAXLINE", 100)
    assert replaced.limits.line == 100
    monkeypatch.undo()
    assert replaced.limits == before


def test_fields_are_parsed_from_a_file_within_the_same_bounds() -> None:
    found = parse_headers(io.BytesIO(b"A: b\r\nA: c\r\n\r\nrest"))
    assert (type(found), found.get_all("a")) == (HTTPMessage, ["b", "c"])
    with pytest.raises(client.HTTPException, match="got more than 100 headers"):
        parse_headers(io.BytesIO(b"A: b\r\n" * 100))
    with pytest.raises(client.LineTooLong, match="header line"):
        parse_headers(io.BytesIO(b"A: " + b"b" * 65_536))


def test_fields_are_parsed_in_place() -> None:
    file = io.BytesIO(b"A: b\r\n\r\n" + OK)
    assert parse_headers(file).items() == [("A", "b")]
    assert file.read() == OK


@OVER
@pytest.mark.parametrize(
    ("value", "line"), [(float("inf"), sys.maxsize - 1), (2**70, sys.maxsize - 1), (None, 65_536), ("x", 65_536)]
)
def test_any_value_may_be_assigned_as_a_bound(
    value: Any, line: int, over: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(std, "_MAXLINE", value)
    assert replaced.limits.line == line
    with unread_response(head(2), over) as response:
        response.begin()
        assert response.status == 200
