"""Heads of multipart/form-data parts; a name cannot add fields or end its part."""

import mimetypes
import re
from email import message_from_bytes
from email.message import Message
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asyncclient.message.multipart import (
    PART_END,
    build_boundary,
    build_content_type,
    build_end,
    build_part_head,
    guess_content_type,
)

DISPOSITION = b"--b\r\nContent-Disposition: form-data; "


@pytest.mark.parametrize(
    ("arguments", "head"),
    [
        (("a",), b'name="a"\r\n\r\n'),
        (("a", "f.txt"), b'name="a"; filename="f.txt"\r\n\r\n'),
        (("", ""), b'name=""; filename=""\r\n\r\n'),
        (("a", None, "text/plain"), b'name="a"\r\nContent-Type: text/plain\r\n\r\n'),
        (("a", "f", ""), b'name="a"; filename="f"\r\n\r\n'),
        (("a", "f", "x/y", [("X-A", "1"), ("X-B", "2")]),
         b'name="a"; filename="f"\r\nContent-Type: x/y\r\nX-A: 1\r\nX-B: 2\r\n\r\n'),
        (("a", "f", "x/y", [("CONTENT-type", "z/z")]), b'name="a"; filename="f"\r\nCONTENT-type: z/z\r\n\r\n'),
    ],
)  # fmt: skip
def test_head_of_a_part(arguments: tuple[Any, ...], head: bytes) -> None:
    assert build_part_head("b", *arguments) == DISPOSITION + head


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ('a"b', b"a%22b"),
        ("a\r\nb", b"a%0D%0Ab"),
        ("a\\b", b"a\\b"),
        ("a\\", b"a%5C"),
        ("a\\\\", b"a\\%5C"),
        ('\\"', b"\\%22"),
        ("a\0\x0b\x7f\t", b"a%00%0B%7F%09"),
        ("\x85\u2028", b"%C2%85%E2%80%A8"),
        ("a%22b", b"a%22b"),
        ("naïve €.txt", "naïve €.txt".encode()),
        ("caf\udce9.txt", b"caf\xe9.txt"),
        ("; filename=x", b"; filename=x"),
    ],
)
def test_names_are_quoted(name: str, quoted: bytes) -> None:
    assert build_part_head("b", name, name) == b'%bname="%b"; filename="%b"\r\n\r\n' % (DISPOSITION, quoted, quoted)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((5,), TypeError, "expected str as name of a part, got int"),
        (("a", b"f"), TypeError, "expected str as name of a part, got bytes"),
        (("\ud800",), ValueError, "expected what UTF-8 can encode"),
        (("a", "f", "text/plain\r\nX: y"), ValueError, "invalid value of header Content-Type"),
        (("a", "f", "text/plain\0"), ValueError, "invalid value of header Content-Type"),
        (("a", "f", None, [("X", "y\nz")]), ValueError, "invalid value of header X"),
        (("a", "f", None, [("X: y\r\nZ", "z")]), ValueError, "invalid header name"),
        (("a", "f", None, [("content-Disposition", "attachment")]), ValueError, "other headers of a part"),
    ],
)
def test_invalid_names_and_fields_are_refused(arguments: tuple[Any, ...], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        build_part_head("b", *arguments)


def parse(body: bytes) -> list[Message]:
    """The parts as the standard library's email parser reads them."""
    message = message_from_bytes(b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" + body)
    assert message.is_multipart()
    return list(message.walk())[1:]


EVIL = st.lists(
    st.sampled_from([*'"\\\r\n\0\t\x0b\x0c\x1c\x85\u2028;:=-b', "--b", "\r\n\r\n", "name", "filename"])
).map("".join)


@given(st.text() | EVIL, st.text() | EVIL)
@example('"; filename="evil', 'x"\r\nContent-Type: text/html\r\n\r\n')
@example("x\\", "; name=admin; x=")
@example("\r\n--b--\r\n", "\r\n--b\r\n\r\n")
def test_no_name_can_add_a_part_a_field_or_a_parameter(name: str, filename: str) -> None:
    head = build_part_head("b", name, filename, "text/plain", [("X-A", "1")])
    # In bytes and in text, and however lines are split: these lines and no other.
    for lines in (head.splitlines(), head.decode().splitlines(), re.split(rb"\r\n|\r|\n", head)[:-1]):
        assert len(lines) == 5
    (part,) = parse(head + b"content" + PART_END + build_end("b"))
    assert part.keys() == ["Content-Disposition", "Content-Type", "X-A"]
    assert part.get_payload() == "content"
    assert [key for key, _ in part.get_params([], "content-disposition")] == ["form-data", "name", "filename"]


@given(st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters='"\\')))
def test_other_names_are_sent_unchanged(name: str) -> None:
    head = build_part_head("b", name, name)
    assert head == f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'.encode()


def test_boundaries_differ_and_need_no_quotes() -> None:
    boundaries = {build_boundary() for _ in range(100)}
    assert len(boundaries) == 100
    assert all(re.fullmatch("[0-9a-f]{32}", boundary) for boundary in boundaries)
    assert build_content_type("x1") == "multipart/form-data; boundary=x1"


def test_parts_make_a_body() -> None:
    heads = [build_part_head("b", "a"), build_part_head("b", "f", "f.bin", "x/y")]
    body = heads[0] + b"1" + PART_END + heads[1] + b"\r\n--\r\n" + PART_END + build_end("b")
    assert [part.get_payload(decode=True) for part in parse(body)] == [b"1", b"\r\n--\r\n"]


def test_a_form_without_parts_is_its_end() -> None:
    assert build_end("b") == b"--b--\r\n"


@pytest.mark.parametrize(
    ("filename", "content_type"),
    [("a.txt", "text/plain"), ("A.PNG", "image/png"), ("a.b.json", "application/json"), ("a", None), ("", None),
     (".png", None), ("a.unheard-of", None), ("dir.txt/a", None)],
)  # fmt: skip
def test_types_by_file_name(filename: str, content_type: str | None) -> None:
    assert guess_content_type(filename) == content_type


def test_types_may_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(mimetypes.types_map, ".ours", "application/x-ours")
    assert guess_content_type("a.ours") == "application/x-ours"
