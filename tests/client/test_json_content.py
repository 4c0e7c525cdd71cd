"""JSON of responses: its encoding, and its errors."""

import json
import pickle
import sys
from typing import Any

import pytest

from asyncclient import Client, DecodingError, InvalidJSON, Response
from asyncclient.testing import RawServer
from tests.client.answering import Answering
from tests.connection.conversations import reply

JSON = b"Content-Type: application/json"


async def get(content: bytes, *fields: bytes, target: str = "/") -> Response:
    with Answering(default=reply(content, *fields)) as server:
        async with Client() as client:
            return await client.get(server.url + target)


NAME = {"name": "Müller"}
TEXT = '{"name": "Müller"}'


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (TEXT.encode(), [JSON]),
        (TEXT.encode(), []),
        (TEXT.encode(), [b"Content-Type: text/html"]),
        (TEXT.encode(), [b"Content-Type: application/json; charset=nonsense"]),
        (TEXT.encode("utf-8-sig"), [JSON]),
        (TEXT.encode("utf-8-sig"), [b"Content-Type: application/json; charset=iso-8859-1"]),
        (TEXT.encode("latin-1"), [b"Content-Type: application/json; charset=iso-8859-1"]),
        (TEXT.encode("latin-1"), [b"Content-Type: application/problem+json;charset=windows-1252"]),
        (TEXT.encode("latin-1"), [b"Content-Type: text/plain; charset=latin1"]),
        (TEXT.encode("latin-1"), [b"Content-Type: application/json;charset=latin1"] * 2),
        (TEXT.encode("utf-16-le"), [JSON]),
        (TEXT.encode("utf-16"), [b"Content-Type: application/json; charset=utf-16"]),
        (TEXT.encode("utf-32-be"), []),
    ],
)
async def test_json_is_in_the_encoding_that_text_is_in(content: bytes, fields: list[bytes]) -> None:
    response = await get(content, *fields)
    assert response.json() == NAME


async def test_encoding_that_is_set_is_used_for_json() -> None:
    response = await get(TEXT.encode("latin-1"), JSON)
    with pytest.raises(InvalidJSON):
        response.json()
    response.encoding = "iso-8859-1"
    assert (response.json(), response.text) == (NAME, TEXT)
    response = await get(TEXT.encode("utf-8-sig"), JSON)
    response.encoding = "utf-8"
    assert response.json() == NAME


async def test_default_encoding_is_not_for_json() -> None:
    with Answering(default=reply(TEXT.encode(), b"Content-Type: text/plain")) as server:
        async with Client(default_encoding="gbk") as client:
            assert (await client.get(server.url)).json() == NAME


async def test_lone_surrogates_are_taken_as_json_loads_takes_them() -> None:
    content = b'["\xed\xa0\x80"]'
    assert (await get(content, JSON)).json() == json.loads(content) == ["\ud800"]


@pytest.mark.parametrize(
    ("content", "field", "text"),
    [
        (b"<html>", b"Content-Type: text/html; charset=utf-8", "'text/html' from {url}: Expecting value: line 1"),
        (b"", JSON, "'application/json' from {url}: Expecting value: line 1 column 1"),
        (b"{}x", b"X: y", "an unknown type from {url}: Extra data: line 1 column 3"),
        (b"[1,]", b"Content-Type: x\xff/" + b"y" * 200, "'xÿ/yyyy"),
    ],
)
async def test_the_error_for_malformed_json_names_the_request(content: bytes, field: bytes, text: str) -> None:
    response = await get(content, field, target="/path?token=secret")
    with pytest.raises(InvalidJSON, match=r"^invalid JSON in content of ") as raised:
        response.json()
    error = raised.value
    assert text.format(url=repr(response.url.partition("?")[0])) in str(error)
    assert "secret" not in str(error)
    assert len(str(error)) < 400
    assert isinstance(error, json.JSONDecodeError)
    with pytest.raises(json.JSONDecodeError) as expected:
        json.loads(content)
    for name in ("msg", "doc", "pos", "lineno", "colno"):
        assert getattr(error, name) == getattr(expected.value, name)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


async def test_bytes_that_are_not_in_the_encoding_are_an_error() -> None:
    response = await get(b'{"a": "\xff"}', JSON)
    with pytest.raises(InvalidJSON, match=r"utf-8 can't decode byte 0xff at position 7$") as raised:
        response.json()
    assert isinstance(raised.value.__cause__, UnicodeDecodeError)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
async def test_json_that_is_nested_too_deeply_is_an_error(opening: bytes) -> None:
    response = await get(opening * 100_000, JSON)
    with pytest.raises(InvalidJSON, match=r"application/json' from .*: it is nested too deeply") as raised:
        response.json()
    assert isinstance(raised.value, DecodingError)
    assert isinstance(raised.value, ValueError)


async def test_number_of_too_many_digits_is_an_error() -> None:
    response = await get(b"1" * (sys.get_int_max_str_digits() + 1), JSON)
    with pytest.raises(InvalidJSON, match=r"invalid JSON in content of .*: Exceeds the limit"):
        response.json()
    assert response.json(parse_int=len) == sys.get_int_max_str_digits() + 1


async def test_exceptions_of_a_json_hook_are_not_wrapped() -> None:
    def refuse(_: Any) -> Any:
        raise ValueError("not mine")

    response = await get(b"{}", JSON)
    with pytest.raises(ValueError, match=r"^not mine$") as raised:
        response.json(object_hook=refuse)
    assert type(raised.value) is ValueError


async def test_the_error_for_invalid_json_names_a_status_other_than_200() -> None:
    for status, text in (
        (b"413 Too Large", r" from 'http://\S+' \(status 413\): "),
        (b"200 OK", r" from 'http://[^ (]+': "),
    ):
        with RawServer.replying(reply(b"too large", JSON, status=status)) as server:
            async with Client() as client:
                response = await client.get(server.url)
        with pytest.raises(InvalidJSON, match=text):
            response.json()
