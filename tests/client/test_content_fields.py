"""Content-Type and Content-Encoding of a caller, compared with the body that the client encodes."""

import io
import re
from typing import Any

import pytest

from asyncclient import Client, Request
from asyncclient.message.multipart import BoundaryCheck
from tests.client.answering import Answering, Asked, is_clean, redirect
from tests.connection.conversations import OK

URLENCODED = "application/x-www-form-urlencoded"


async def ask(headers: Any, client: Any = None, **options: Any) -> Asked:
    with Answering(default=OK) as server:
        async with Client(headers=client) as asking:
            await asking.post(server.url, headers=headers, **options)
            assert await is_clean(asking)
    (asked,) = server.asked
    return asked


def contents(asked: Asked) -> list[bytes]:
    """The contents of the parts of a form, taken apart by the boundary that its Content-Type names."""
    match = re.fullmatch(r'(?i)multipart/form-data;.*?boundary="?([^";]+)"?.*', asked["content-type"] or "")
    assert match is not None, asked["content-type"]
    before, *parts, after = (b"\r\n" + asked.content).split(b"\r\n--" + match[1].encode())
    assert (before, after) == (b"", b"--\r\n")
    return [part.split(b"\r\n\r\n", 1)[1] for part in parts]


FILES: list[Any] = [("a.txt", b"hi"), ("a.txt", [b"h", b"i"]), ("a.txt", lambda: io.BytesIO(b"hi"))]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("multipart/form-data", r"multipart/form-data; boundary=[0-9a-f]{32}"),
        (b"Multipart/Form-Data;", r"Multipart/Form-Data; boundary=[0-9a-f]{32}"),
        ("multipart/form-data; charset=utf-8", r"multipart/form-data; charset=utf-8; boundary=[0-9a-f]{32}"),
        ("multipart/form-data; boundary=abc123", "multipart/form-data; boundary=abc123"),
        ('multipart/form-data; Boundary="a.b"; charset=utf-8', 'multipart/form-data; Boundary="a.b"; charset=utf-8'),
        ("", r"multipart/form-data; boundary=[0-9a-f]{32}"),
    ],
)
async def test_a_form_can_be_taken_apart_by_its_own_content_type(file: Any, given: Any, sent: str) -> None:
    asked = await ask({"content-type": given}, data={"a": "1"}, files={"f": file})
    assert re.fullmatch(sent, asked["content-type"] or "")
    assert contents(asked) == [b"1", b"hi"]


async def test_a_form_keeps_its_boundary_when_it_is_sent_again() -> None:
    for given in ("multipart/form-data", "multipart/form-data; boundary=abc"):
        with Answering({"/": redirect("/to", 307), "/to": OK}) as server:
            async with Client() as client:
                await client.post(server.url, headers={"Content-Type": given}, files={"f": [b"hi"]})
        assert [contents(asked) for asked in server.asked] == [[b"hi"], [b"hi"]]


async def test_a_content_type_of_the_client_gives_way_to_that_of_a_body() -> None:
    client = {"Content-Type": "application/json"}
    assert contents(await ask(None, client, files={"f": b"hi"})) == [b"hi"]
    assert (await ask(None, client, data={"a": "1"}))["content-type"] == URLENCODED
    assert (await ask(None, client, body=b"{}"))["content-type"] == "application/json"


@pytest.mark.parametrize(
    "given",
    [
        "multipart/mixed",
        "application/json",
        URLENCODED,
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="a b"',
        "multipart/form-data; boundary=" + "a" * 71,
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary=a\xe9",
        None,
    ],
)
def test_a_content_type_that_no_form_with_files_has_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match=r"files=|expected one boundary"):
        Request("POST", "http://h/", headers={"Content-Type": given}, files={"f": b"hi"})


@pytest.mark.parametrize("content", [b"x--abc", b"--abcdef", bytearray(b"x\r\n--abc--")])
def test_content_in_memory_that_has_the_callers_boundary_is_refused(content: Any) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=abc"}
    for files in ({"f": content}, {"g": [b"x"], "f": content}):
        with pytest.raises(ValueError, match="content of a part has the boundary of Content-Type"):
            Request("POST", "http://h/", headers=headers, files=files)
    with pytest.raises(ValueError, match="content of a part has the boundary of Content-Type"):
        Request("POST", "http://h/", headers=headers, files={}, data={"a": bytes(content)})


async def test_content_that_has_the_callers_boundary_is_sent_without_its_end() -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=abc"}
    with Answering(default=OK) as server:
        async with Client() as client:
            with pytest.raises(ValueError, match="content of a part has the boundary of Content-Type"):
                await client.post(server.url, headers=headers, files={"f": [b"x\r\n-", b"", b"-a", b"bc--\r\n"]})
            assert await is_clean(client)
            assert client.stats().idle == 0
    assert server.asked == []


@pytest.mark.parametrize("pieces", [[b"--ab", b"d--a", b"-bc"], [b"-", b"-", b"x"], [b"--ab"], []])
def test_a_boundary_is_found_only_whole(pieces: list[bytes]) -> None:
    check = BoundaryCheck("abc")
    for piece in pieces:
        check.feed(piece)
    with pytest.raises(ValueError, match="boundary"):
        check.feed(b"--abc")


# JSON, forms and text


@pytest.mark.parametrize(
    "given",
    [
        "application/json",
        "application/vnd.api+json",
        "text/plain; charset=UTF-8",
        "application/csp-report",
        'application/json; charset="utf8"',
        b"application/json",
        None,
    ],
)
async def test_json_under_another_name_is_sent(given: Any) -> None:
    asked = await ask({"Content-Type": given}, json={"a": "é"})
    sent = given.decode() if isinstance(given, bytes) else given
    assert (asked["content-type"], asked.content) == (sent, '{"a":"é"}'.encode())


@pytest.mark.parametrize(
    ("given", "options", "text"),
    [
        (URLENCODED, {"json": {}}, "json= makes JSON, .* give a form as data= or files="),
        ("multipart/form-data", {"json": {}}, "json= makes JSON"),
        ("application/json; charset=iso-8859-1", {"json": "é"}, "sent as UTF-8, Content-Type says 'iso-8859-1'"),
        ("application/json", {"data": {"a": "1"}}, "data= makes .* give JSON as json="),
        ("multipart/form-data", {"data": {"a": "1"}}, "data= makes .* give files=, which may be empty"),
        ("text/plain", {"data": [("a", "1")]}, "data= makes"),
        (URLENCODED + "; charset=latin-1", {"data": {"a": "é"}}, "sent as UTF-8"),
        (URLENCODED + "; charset=latin-1", {"data": "a=é"}, "sent as UTF-8"),
        ("text/plain; charset=cp1252", {"body": "é"}, "sent as UTF-8, .* give encoded bytes as body="),
    ],
)
def test_a_content_type_that_contradicts_the_body_is_refused(given: str, options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Request("POST", "http://h/", headers={"CONTENT-type": given}, **options)


@pytest.mark.parametrize(
    ("given", "options"),
    [
        (URLENCODED, {"data": {"a": "1"}}),
        (URLENCODED + "; charset=utf-8", {"data": {"a": "é"}}),
        (URLENCODED + "; charset=iso-8859-1", {"data": {"a": "1 2&3"}}),
        ("application/json", {"data": "{}"}),
        ("application/json", {"data": b"{}"}),
        ("multipart/form-data; boundary=x", {"data": b"--x--\r\n"}),
        ("text/plain; charset=cp1252", {"body": "e"}),
        ("text/plain; charset=cp1252", {"body": "é".encode("cp1252")}),
        ("application/json; charset=utf-16", {"json": "é", "encode_json": lambda value: value.encode("utf-16")}),
    ],
)
def test_callers_content_type_is_kept_for_encoded_bodies(given: str, options: dict[str, Any]) -> None:
    request = Request("POST", "http://h/", headers={"Content-Type": given}, **options)
    assert request.headers == [("Content-Type", given)]


@pytest.mark.parametrize("options", [{"json": 1}, {"data": {"a": "1"}}, {"files": {"f": b"x"}}])
@pytest.mark.parametrize("coding", ["gzip", b"br", "identity, gzip"])
def test_a_content_coding_that_was_not_applied_is_refused(options: dict[str, Any], coding: Any) -> None:
    with pytest.raises(ValueError, match=r"is sent as it is, .* give the compressed bytes as body="):
        Request("POST", "http://h/", headers={"Content-Encoding": coding}, **options)


@pytest.mark.parametrize(
    ("coding", "options"),
    [("gzip", {"body": b"\x1f\x8b"}), ("gzip", {"data": b"\x1f\x8b"}), ("identity", {"json": 1}), (None, {"json": 1})],
)
def test_a_content_coding_of_the_callers_own_bytes_is_taken(coding: Any, options: dict[str, Any]) -> None:
    headers = {"Content-Encoding": coding}
    assert Request("POST", "http://h/", headers=headers, **options).headers == [("Content-Encoding", coding)]


def test_one_content_type_is_taken() -> None:
    for options in ({}, {"body": b"x"}, {"json": 1}):
        with pytest.raises(ValueError, match="expected one Content-Type field, got 2"):
            Request("POST", "http://h/", headers=[("Content-Type", "a/b"), ("content-type", "c/d")], **options)
