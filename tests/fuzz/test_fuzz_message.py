"""Any input to the functions of message/: they return or raise as documented, and their results are clean."""

import re
from collections.abc import Callable, Sequence

from hypothesis import event, example, given
from hypothesis import strategies as st

from asyncclient.errors import HTTPException, InvalidURL
from asyncclient.limits import Limits
from asyncclient.message.cycle import CloseReason
from asyncclient.message.framing import decide_framing
from asyncclient.message.head import build_field, build_request_line, parse_head, parse_status_line
from asyncclient.message.request import RequestHead
from asyncclient.message.target import build_authority, encode_host, find_authority, parse_host_port
from asyncclient.message.url import parse_url

HEADS = [
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n",
    b"HTTP/1.0 301 Moved\nLocation: http://x/\nSet-Cookie: a=1\nset-cookie: b=2\nConnection: close\n\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip,\r\n chunked\r\nConnection: a, b\r\nX:\r\n\r\n",
    b"HTTP/1.1 204\r\n\r\n",
]
SPOILERS = [
    b"\r",
    b"\n",
    b"\0",
    b" ",
    b"\t",
    b":",
    b",",
    b"\r\n",
    b"\n ",
    b"\r\n\r\n",
    b"\x85",
    b"\xff",
    b"\x0b",
    b"0",
    b"-",
    b"x",
]
MUTATION = st.tuples(
    st.integers(0, 120),
    st.integers(0, 4),
    st.sampled_from([*SPOILERS, b"", b"\r\nContent-Length: 6", b"\nTransfer-Encoding:chunked", b"\r\n folded"])
    | st.binary(max_size=3),
)
MUTATED = st.tuples(st.sampled_from(HEADS), st.lists(MUTATION, max_size=4))
CUTS = st.integers(0, 200)
TEXT = st.text(max_size=30) | st.text(st.sampled_from("\r\n\0\t :,;@/\\[]%?#.aé\u560a\u0085\u2028\uff0f"), max_size=12)
LINE_END = re.compile(rb"[\r\n\0]")
LIMITS = Limits(line=200, fields=8)


def mutate(head: bytes, mutations: Sequence[tuple[int, int, bytes]]) -> bytes:
    for at, removed, added in mutations:
        head = head[:at] + added + head[at + removed :]
    return head


def check_head(block: bytes) -> None:
    try:
        head = parse_head(block, LIMITS)
    except HTTPException as error:
        event(type(error).__name__)
        return
    event("accepted")
    assert head.version in (10, 11)
    assert 100 <= head.status <= 999
    assert not LINE_END.search(head.reason.encode("latin-1"))
    for name, value in head.fields.pairs():
        assert re.fullmatch(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", name)
        assert not LINE_END.search(value.encode("latin-1"))
        assert value == value.strip(" \t")
    try:
        _, length, reason = decide_framing(head, "GET")
    except HTTPException as error:
        event(type(error).__name__)
    else:
        assert 0 <= length < 10**18
        assert reason is None or isinstance(reason, CloseReason)


@given(MUTATED)
def test_spoiled_head_is_refused_or_clean(spoiled: tuple[bytes, list[tuple[int, int, bytes]]]) -> None:
    check_head(mutate(*spoiled))


@given(MUTATED, CUTS)
def test_head_cut_anywhere_is_refused_or_clean(spoiled: tuple[bytes, list[tuple[int, int, bytes]]], cut: int) -> None:
    check_head(mutate(*spoiled)[:cut])


@given(st.binary(max_size=60), st.booleans())
@example(b"", True)
@example(b"A: b", True)
def test_any_bytes_for_a_head_are_refused_or_clean(data: bytes, after_status_line: bool) -> None:
    check_head(b"HTTP/1.1 200 OK\r\n" * after_status_line + data)


@given(
    st.binary(max_size=40) | st.lists(st.sampled_from([b"HTTP/", b"1.1", b"200", *SPOILERS]), max_size=9).map(b"".join)
)
def test_any_bytes_for_a_status_line_are_refused_or_http(line: bytes) -> None:
    try:
        version, status, reason = parse_status_line(line)
    except HTTPException:
        return
    assert re.fullmatch(rb"HTTP/1\.[0-9] %d( [^\r\n]*)?\r?\n" % status, line)
    assert reason.encode("latin-1") in line
    assert version in (10, 11)


@given(TEXT | TEXT.map(str.encode), st.lists(TEXT | st.binary(max_size=9) | st.integers(), max_size=3))
def test_field_that_is_built_is_one_field(name: str | bytes, values: list[str | bytes | int]) -> None:
    check_field(build_field, name, values)


@given(st.lists(TEXT | st.binary(max_size=9) | st.integers(), max_size=3))
def test_value_that_is_built_ends_no_line(values: list[str | bytes | int]) -> None:
    check_field(build_field, "A", values)


def check_field(build: Callable[..., bytes], name: str | bytes, values: list[str | bytes | int]) -> None:
    try:
        line = build(name, *values)
    except ValueError:
        event("refused")
        return
    assert line.count(b"\r\n\t") == max(len(values) - 1, 0)
    assert not LINE_END.search(line.replace(b"\r\n\t", b""))
    ((parsed, _),) = parse_head(b"HTTP/1.1 200 OK\r\n" + line + b"\r\n\r\n").fields.pairs()
    assert parsed == (name if isinstance(name, str) else name.decode())


@given(TEXT, TEXT)
def test_request_line_is_three_words(method: str, target: str) -> None:
    for args in ((method, target), ("GET", target), (method, "/")):
        try:
            line = build_request_line(*args)
        except ValueError:
            continue
        assert line.decode("ascii").split() == line.decode("ascii").split(" ") == [*args, "HTTP/1.1"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Content-Length", "content-length", "Transfer-Encoding", "TRANSFER-ENCODING", "A"]),
            st.sampled_from(["5", "05", "chunked", "gzip, chunked", "x", "5\r\n", "\x85chunked", 5, b"5"]) | TEXT,
        ),
        max_size=4,
    ),
    st.none() | st.integers(0, 9),
    st.booleans(),
)
def test_request_never_has_two_framings(
    fields: list[tuple[str, str | bytes | int]], length: int | None, chunked: bool
) -> None:
    head = RequestHead("POST", "/")
    for name, value in fields:
        try:
            head.add(name, value)
        except ValueError:
            event("refused")
    try:
        head.frame(length, encode_chunked=chunked)
    except ValueError:
        return
    framing = re.findall(
        rb"\n(?:content-length: (\d+)|transfer-encoding: (?:.*, *)?chunked[ \t]*)\r", head.build(), re.IGNORECASE
    )
    assert len(framing) == len(re.findall(rb"(?:content-length|transfer-encoding):", head.build(), re.IGNORECASE)) == 1
    assert not framing[0] or length in (None, int(framing[0]))


@given(TEXT, st.none() | st.integers() | TEXT)
def test_host_and_port_are_refused_or_fit_into_a_host_field(host: str, port: int | str | None) -> None:
    try:
        parsed = parse_host_port(host, port, 80)
        authority = build_authority(*parsed)
    except InvalidURL:
        return
    assert re.fullmatch(r"(?:\[[!-Z_a-z~]+\]|[!-9;-Z_a-z~]+):\d{1,5}", authority, re.ASCII)
    assert 0 <= parsed[1] <= 65535


@given(TEXT)
def test_any_host_is_encoded_to_ascii_or_refused(host: str) -> None:
    try:
        assert encode_host(host).isascii()
    except InvalidURL:
        event("refused")


@given(
    st.lists(
        st.sampled_from(
            ["http", "https", "://", ":", "/", "@", "[", "]", "::1", "a.b", "80", "?", "#", "%", "\\", "\r\n", " "]
        ),
        max_size=9,
    ),
    TEXT,
)
def test_any_url_is_refused_or_has_a_server(parts: list[str], text: str) -> None:
    for url in ("".join(parts), "http://" + "".join(parts), text, f"https://{text}", "http://a/" + text):
        find_authority(url)
        try:
            scheme, host, port, target, *_ = parse_url(url)
        except InvalidURL:
            continue
        event(scheme)
        assert scheme in ("http", "https")
        assert not re.search(r"[\x00-\x20\x7f/?#@\\\[\]]", host)
        assert host
        assert 0 <= port <= 65535
        assert target.startswith("/")
        assert "#" not in target
