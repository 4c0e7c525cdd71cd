"""Each pattern accepts the RFC's grammar and nothing else, and none can backtrack."""

import re

import pytest

from asyncclient.message import syntax

TCHAR = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PATTERNS = {name: value for name, value in vars(syntax).items() if isinstance(value, re.Pattern)}


def test_token_is_made_of_tchars_only() -> None:
    taken = {chr(code) for code in range(0x500) if syntax.TOKEN.fullmatch(chr(code))}
    assert taken == set(TCHAR)
    assert not syntax.TOKEN.fullmatch("")


def test_target_is_made_of_visible_ascii_only() -> None:
    taken = {chr(code) for code in range(0x500) if syntax.REQUEST_TARGET.fullmatch(chr(code))}
    assert taken == {chr(code) for code in range(0x21, 0x7F)}


def test_value_may_contain_all_characters_but_nul_cr_and_lf() -> None:
    refused = {code for code in range(0x500) if not syntax.FIELD_VALUE.fullmatch(chr(code))}
    assert refused == {0, 10, 13}
    refused = {code for code in range(256) if not syntax.FIELD_LINE.fullmatch(b"A:" + bytes([code]) + b"\r\n")}
    assert refused == {0, 10, 13}


@pytest.mark.parametrize("eol", [b"\r\n", b"\n"])
@pytest.mark.parametrize("name", ["STATUS_LINE", "FIELD_LINE", "FIELD_LINES"])
def test_line_ends_with_crlf_or_lf(name: str, eol: bytes) -> None:
    line = {"STATUS_LINE": b"HTTP/1.1 200 OK", "FIELD_LINE": b"A: b", "FIELD_LINES": b""}[name]
    assert PATTERNS[name].fullmatch(line + eol)
    for other in (b"", b"\r", b"\r\r\n", b"\n\r", b"\n\n", b" \x85", b"\x0b\r"):
        assert not PATTERNS[name].fullmatch(line + other)


@pytest.mark.parametrize(
    "name", ["content-length", "Transfer-Encoding", "CONNECTION", "Content-Encoding", "set-cookie"]
)
def test_inspected_field_is_found_in_any_case_at_the_start_of_a_line_only(name: str) -> None:
    for spelled in (name, name.lower(), name.upper(), name.swapcase()):
        found = syntax.INSPECTED_FIELD.findall(
            b"\nA: " + name.encode() + b": 1\r\n" + spelled.encode() + b":\t 2\r\n\r\n"
        )
        assert found == [(spelled.encode(), b"2")]


def unbounded(pattern: str | bytes) -> list[str]:
    """The repetitions of a pattern without an upper bound, a possessive one with its second plus."""
    text = pattern if isinstance(pattern, str) else pattern.decode("latin-1")
    bare = re.sub(r"\\.", "x", text)
    bare = re.sub(r"\[[^\]]*\]", "x", bare)
    return [found for found in re.findall(r"(?:[*+?]|\{[0-9,]*\})\+?", bare) if found[0] in "*+" or ",}" in found]


@pytest.mark.parametrize("name", PATTERNS)
def test_all_unbounded_quantifiers_are_possessive(name: str) -> None:
    assert {"++", "*+", "?+"} >= set(unbounded(PATTERNS[name].pattern))


def test_quantifiers_that_are_not_possessive_are_found() -> None:
    assert unbounded(r"a*b(?:[+*]?)c\+d{2,}e{1,3}f?+g*?h++") == ["*", "{2,}", "*", "++"]
