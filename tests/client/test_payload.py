"""The payload that the arguments of a request make; JSON, and forms without files."""

import io
import json
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient.client.body.arguments import UNSET, build_payload
from tests.client.bodies import build, send_all

FORM = "application/x-www-form-urlencoded"


def test_no_arguments_make_no_body() -> None:
    assert build_payload() is None
    assert build_payload(json=UNSET) is None
    assert repr(UNSET) == "<unset>"


@pytest.mark.parametrize(
    "arguments",
    [
        {"body": b"", "json": None},
        {"body": b"", "data": {}},
        {"body": "", "files": {}},
        {"json": 1, "data": {}},
        {"json": None, "files": {}, "data": {}},
    ],
)
def test_one_body_at_most(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected one of body, json, and data or files"):
        build_payload(**arguments)


@pytest.mark.parametrize(
    ("arguments", "content_type", "data"),
    [
        ({"body": b"x"}, None, b"x"),
        ({"body": "é"}, "text/plain; charset=utf-8", b"\xc3\xa9"),
        ({"body": bytearray(b"x")}, None, b"x"),
        ({"body": lambda: io.BytesIO(b"x")}, None, None),
        ({"body": [b"x"]}, None, None),
        ({"json": {"a": [1, None, "é"]}}, "application/json", '{"a":[1,null,"é"]}'.encode()),
        ({"json": None}, "application/json", b"null"),
        ({"json": "\ud83d\ude00\udc00\ud800x"}, "application/json", b'"\\ud83d\\ude00\\udc00\\ud800x"'),
        ({"json": 5, "encode_json": lambda value: b"<%d>" % value}, "application/json", b"<5>"),
        ({"json": "é", "encode_json": str}, "application/json", "é".encode()),
        ({"data": {"a": "1"}}, FORM, b"a=1"),
        ({"data": "a=%20"}, FORM, b"a=%20"),
        ({"data": b"a=1"}, FORM, b"a=1"),
    ],
)
async def test_content_type_and_bytes_in_memory(
    arguments: dict[str, Any], content_type: str | None, data: bytes | None
) -> None:
    payload = build(**arguments)
    assert payload.content_type == content_type
    assert payload.data == data
    assert (await send_all(payload))[1] == (data or b"x")


@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_encoded_json_decodes_to_the_same_value(value: Any) -> None:
    data = build(json=value).data
    assert data is not None
    assert json.loads(bytes(data)) == value


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"json": float("nan")}, ValueError),
        ({"json": [float("inf")]}, ValueError),
        ({"json": object()}, TypeError),
        ({"json": 1, "encode_json": lambda value: value}, TypeError),
        ({"data": 5}, TypeError),
        ({"data": [("a",)]}, TypeError),
        ({"data": ["ab"]}, TypeError),
        ({"data": {5: "a"}}, TypeError),
        ({"data": {"a": {}}}, TypeError),
        ({"data": {"a": [[]]}}, TypeError),
        ({"data": {"a": "\ud800"}}, ValueError),
        ({"data": {"\ud800": "a"}}, ValueError),
        ({"data": io.BytesIO(b"a=1")}, TypeError),
        ({"data": "a=1", "files": {}}, TypeError),
        ({"data": b"a=1", "files": {}}, TypeError),
        ({"files": 5}, TypeError),
        ({"files": ["f"]}, TypeError),
        ({"files": {"f": 5}}, TypeError),
        ({"files": {"f": ("name",)}}, TypeError),
        ({"files": {"f": ("name", b"", "a/b", (), None, None)}}, TypeError),
        ({"files": {"f": ("name", b"", "a/b\r\nX: y")}}, ValueError),
        ({"files": {"f": ("name", b"", None, {"X": "y\n"})}}, ValueError),
        ({"files": {"f": ("name", b"", None, {"Content-Disposition": "x"})}}, ValueError),
    ],
)
def test_bodies_that_cannot_be_encoded_are_refused_at_once(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        build_payload(**arguments)


# Forms


@pytest.mark.parametrize(
    ("data", "encoded"),
    [
        ({}, b""),
        ({"a b": "c+d&e=f"}, b"a+b=c%2Bd%26e%3Df"),
        ([("a", "1"), ("b", "2"), ("a", "3")], b"a=1&b=2&a=3"),
        (iter([["a", "1"]]), b"a=1"),
        ({"a": ["1", 2], "b": ("3",), "c": []}, b"a=1&a=2&b=3"),
        ({"t": True, "f": False, "n": None, "l": [None, 1], "e": ""}, b"t=true&f=false&l=1&e="),
        ({"i": -5, "f": 1.5, "big": 1e20, "b": b"\xff\x00"}, b"i=-5&f=1.5&big=1e%2B20&b=%FF%00"),
        ({"é€": "~*-._%"}, b"%C3%A9%E2%82%AC=%7E*-._%25"),
        ({"a": "\r\n"}, b"a=%0D%0A"),
    ],
)
def test_forms(data: Any, encoded: bytes) -> None:
    assert build(data=data).data == encoded


@given(st.lists(st.tuples(st.text(), st.text() | st.binary(max_size=20))))
def test_encoded_forms_decode_to_the_same_fields(pairs: list[tuple[str, str | bytes]]) -> None:
    encoded = build(data=pairs).data
    assert isinstance(encoded, bytes)
    got = parse_qsl(encoded.decode("ascii"), keep_blank_values=True, errors="surrogateescape")
    assert [(name, value.encode("utf-8", "surrogateescape")) for name, value in got] == [
        (name, value if isinstance(value, bytes) else value.encode()) for name, value in pairs
    ]
