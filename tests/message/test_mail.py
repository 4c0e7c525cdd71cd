"""HTTPMessage is equal to the message that http.client's parser makes of the same fields."""

import http.client
import io

import pytest

from asyncclient.message.head import parse_head
from asyncclient.message.mail import HTTPMessage, build_message

SECTIONS = [
    b"\r\n",
    b"Content-Type: text/html; charset=UTF-8\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n\r\n",
    b"A:\r\nB: \xe9\xff\r\nC: d:e\r\n\r\n",
    b"Content-Disposition: attachment; filename*=utf-8''%e2%82%ac\r\n\r\n",
]


@pytest.mark.parametrize("section", SECTIONS)
def test_message_equals_that_of_http_client(section: bytes) -> None:
    message = build_message(parse_head(b"HTTP/1.1 200 OK\r\n" + section).fields.pairs())
    expected = http.client.parse_headers(io.BytesIO(section))
    assert message.items() == expected.items()
    assert message.get_all("SET-COOKIE") == expected.get_all("set-cookie")
    assert message.get_content_type() == expected.get_content_type()
    assert message.get_content_charset() == expected.get_content_charset()
    assert message.get_filename() == expected.get_filename()
    assert message.get_payload() == expected.get_payload() == ""
    assert str(message) == str(expected)


def test_value_that_an_email_parser_would_split_stays_whole() -> None:
    value = "a\x85b\x0bc\x1cEvil: d"
    assert build_message([("A", value), ("A", "b")])["a"] == value


def test_matching_headers_are_lines() -> None:
    message = build_message([("Via", "a"), ("X", "y"), ("VIA", "b: c")])
    assert isinstance(message, HTTPMessage)
    assert message.getallmatchingheaders("via") == ["Via: a", "VIA: b: c"]
    assert message.getallmatchingheaders("nothing") == []
