"""The time to parse grows with the size of the input, not with its square: hostile runs of bytes and of short strings.

Measured is the growth from a size to 32 times it. Linear work takes about 32 times as long, quadratic 1024; the bound
lies between, and the best of some runs counts, since other work on the machine only ever adds.
"""

from collections.abc import Callable

import pytest

from asyncclient.limits import Limits
from asyncclient.message.framing import decide_framing, parse_chunk_size
from asyncclient.message.head import build_field, build_request_line, parse_head
from asyncclient.message.repairs import parse_head_leniently
from asyncclient.message.request import ChunkValidator, RequestHead
from asyncclient.message.target import find_authority, parse_host_port
from asyncclient.message.url import parse_url
from tests.fuzz.growth import assert_grows_less

SMALL, TIMES, BOUND = 2 * 1024, 32, 160

LIMITS = Limits(line=1 << 20, head=1 << 20, fields=1 << 20)
OK = b"HTTP/1.1 200 OK\r\n"

HEADS: dict[str, Callable[[int], bytes]] = {
    "blanks": lambda n: OK + b"F: a\r\n b\r\nA: " + b" " * n + b"b\r\n\r\n",
    "blanks, no fold": lambda n: OK + b"A: " + b" " * n + b"b\r\nno field\r\n\r\n",
    "tabs in the status line": lambda n: b"HTTP/1.1 200 " + b"\t" * n + b"x\r\n\r\n",
    "no status line": lambda n: b"HTTP/1.1 " + b"2" * n + b"\r\n\r\n",
    "folds": lambda n: OK + b"A: b\r\n" + b" \r\n" * (n // 3) + b"\r\n",
    "folds of blanks": lambda n: OK + b"A: b\r\n" + (b" " * 50 + b"\r\n") * (n // 52) + b"\r\n",
    "CRs": lambda n: OK + b"A: b" + b"\r" * n + b"\n\r\n",
    "LFs": lambda n: OK + b"\n" * n,
    "colons": lambda n: OK + b":" * n + b"\r\n\r\n",
    "a name": lambda n: OK + b"A" * n + b"\r\n\r\n",
    "a name like a framing field's": lambda n: OK + b"Content-Lengt" * (n // 13) + b": 5\r\n\r\n",
    "fields": lambda n: OK + b"A:\n" * (n // 3) + b"\n",
    "fields, the last one bad": lambda n: OK + b"A:\n" * (n // 3) + b"B\n\n",
    "framing fields": lambda n: OK + b"Content-Length: 5\r\n" * (n // 19) + b"\r\n",
    "length list": lambda n: OK + b"Content-Length: 5" + b" ,5" * (n // 3) + b"\r\n\r\n",
    "length list, broken": lambda n: OK + b"Content-Length: 5" + b"\t,\t5" * (n // 4) + b",\r\n\r\n",
    "length and blanks": lambda n: OK + b"Content-Length: 5" + b" " * n + b"5\r\n\r\n",
    "digits": lambda n: OK + b"Content-Length: " + b"5" * n + b"\r\n\r\n",
    "codings": lambda n: OK + b"Transfer-Encoding: " + b"chunked," * (n // 8) + b"\r\n\r\n",
    "options": lambda n: OK + b"Connection: " + b"x , " * (n // 4) + b"\r\n\r\n",
}

TEXTS: dict[str, Callable[[str], object]] = {
    "url": lambda text: parse_url("http://" + text),
    "url with userinfo": lambda text: parse_url(f"http://{text}@{text}:{text}"),
    "url with port": lambda text: parse_url(f"http://a:{text}/{text}?{text}#{text}\n"),
    "authority": lambda text: find_authority(f"http://{text}"),
    "host": lambda text: parse_host_port(text, None, 80),
    "host in brackets": lambda text: parse_host_port(f"[{text}]:80", None, 80),
    "method": lambda text: build_request_line(text, "/"),
    "target": lambda text: build_request_line("GET", f"/{text}\n"),
    "name": lambda text: build_field(text, "b"),
    "value": lambda text: build_field("A", text, f"{text}\n"),
    "length": lambda text: RequestHead("POST", "/").add("Content-Length", text),
    "coding": lambda text: RequestHead("POST", "/").add("Transfer-Encoding", f"{text},chunked"),
    "chunk size": lambda text: parse_chunk_size(text.encode()),
    "chunk size and blanks": lambda text: parse_chunk_size(b"5" + text.encode() + b"\r\n"),
    "extension": lambda text: parse_chunk_size(b"5;" + text.encode()),
}


def assert_linear(make: Callable[[int], Callable[[], object]]) -> None:
    assert_grows_less(make, SMALL, TIMES, BOUND)


def read_head(block: bytes) -> None:
    head = parse_head(block, LIMITS)
    head.fields.get("a")
    decide_framing(head, "GET")


@pytest.mark.parametrize("name", HEADS)
def test_time_for_a_head_grows_with_its_size(name: str) -> None:
    def make(n: int) -> Callable[[], object]:
        block = HEADS[name](n)
        return lambda: read_head(block)

    assert_linear(make)


FAULTY_HEADS: dict[str, Callable[[int], bytes]] = {
    **HEADS,
    "stray lines": lambda n: OK + b"no colon\r\n" * (n // 10) + b"\r\n",
    "stray lines with folds": lambda n: OK + b"no colon\r\n x\r\n" * (n // 14) + b"\r\n",
    "folds of a stray line": lambda n: OK + b"no colon\r\n" + b" x\r\n" * (n // 4) + b"\r\n",
    "blanks before a colon": lambda n: OK + b"A" + b" " * n + b": b\r\n\r\n",
    "CRs in a value": lambda n: OK + b"A: b" + b"\rc" * (n // 2) + b"\r\n\r\n",
    "half of a framing name": lambda n: OK + b"content" * (n // 7) + b"\r\n\r\n",
    "blanks in a framing name": lambda n: OK + (b"content" + b"-" * 50) * (n // 57) + b"\r\n\r\n",
    "blanks in the status line": lambda n: b"HTTP/1.1 " + b" " * n + b"200\r\n\r\n",
    "chunked, chunked": lambda n: OK + b"Transfer-Encoding: " + b"chunked, " * (n // 9) + b"chunked\r\n\r\n",
}


@pytest.mark.parametrize("name", FAULTY_HEADS)
def test_time_to_repair_a_head_grows_with_its_size(name: str) -> None:
    def make(n: int) -> Callable[[], object]:
        block = FAULTY_HEADS[name](n)
        return lambda: parse_head_leniently(block, LIMITS)

    assert_linear(make)


@pytest.mark.parametrize("run", ["a", " ", "\t", ":", "/", "@", "[", "%", ",", "0", "x,", "a@", ":a", " \t"])
@pytest.mark.parametrize("name", TEXTS)
def test_time_for_a_text_grows_with_its_size(name: str, run: str) -> None:
    def make(n: int) -> Callable[[], object]:
        text = run * (n // len(run))
        return lambda: TEXTS[name](text)

    assert_linear(make)


@pytest.mark.parametrize("body", [b"1\r\nx\r\n", b"1" + b";x" * 500 + b"\r\nx\r\n", b"A: b\r\n", b"F" * 8 + b"\r\n"])
def test_time_for_own_chunks_grows_with_their_size(body: bytes) -> None:
    def make(n: int) -> Callable[[], object]:
        data = b"0\r\n" * body.startswith(b"A") + body * (8 * n // len(body))
        return lambda: ChunkValidator().feed(data)

    assert_linear(make)
