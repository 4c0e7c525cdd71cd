"""Whatever a peer can send many of takes time in proportion to their number, not to its square.

Measured is the growth from a number to 16 times it: linear work takes about 16 times as long, quadratic 256. Where the
library has a bound on the number, it is lifted: the bound does not excuse the work below it.
"""

import asyncio
import itertools
import zlib
from collections.abc import Callable
from functools import partial

import pytest

from asyncclient import AuthRequest, Client, Digest
from asyncclient.client.content.decoding import open_decoder, parse_content_encoding
from asyncclient.client.content.text import LineSplitter
from asyncclient.client.cookies.jar import CookieJar
from asyncclient.exchange.content import Content, open_content
from asyncclient.exchange.receive import ResponseHeads
from asyncclient.limits import Limits
from asyncclient.message.challenges import parse_auth_params, parse_challenges
from asyncclient.message.disposition import parse_filename, suggest_filename
from asyncclient.message.fields import Fields
from asyncclient.message.framing import decide_framing
from asyncclient.message.head import parse_head
from asyncclient.message.links import index_links, parse_links
from asyncclient.message.media import choose_content_type, find_charset, parse_parameters
from asyncclient.stream.dial import Route, open_stream
from asyncclient.stream.opening import Opening
from asyncclient.stream.resolve import StaticResolver
from asyncclient.testing import RawConnection, RawServer
from asyncclient.timeouts import Timeout
from tests.fuzz.growth import assert_grows_less
from tests.scripted import ScriptedStream, run_now

SMALL, TIMES, BOUND = 250, 16, 64

LIMITS = Limits(line=1 << 24, head=1 << 24, fields=1 << 20, interim=1 << 20)
OK = b"HTTP/1.1 200 OK\r\n"
HOST = "www.example.com"


def assert_linear(make: Callable[[int], Callable[[], object]], small: int = SMALL) -> None:
    assert_grows_less(make, small, TIMES, BOUND)


# Cookies


def open_jar(clock: Callable[[], float] = lambda: 0.0) -> CookieJar:
    """A jar that holds as many cookies as it is given."""
    return CookieJar(max_cookies=1 << 20, max_per_domain=1 << 20, clock=clock)


def fill(jar: CookieJar, fields: list[str]) -> CookieJar:
    jar.store(HOST, "/", False, fields)
    return jar


COOKIES: dict[str, Callable[[int], str]] = {
    "names": lambda number: f"n{number}=v",
    "names for a domain": lambda number: f"n{number}=v; Domain=example.com",
    "paths": lambda number: f"n=v; Path=/{number}",
    "deep paths": lambda number: f"n=v; Path=/{'a/' * (number % 500)}{number}",
    "one cookie": lambda number: f"n={number}",
    "times": lambda number: f"n{number}=v; Max-Age={number}",
    "one cookie at many times": lambda number: f"n=v; Max-Age={number + 1}",
    "removals": lambda number: f"n{number}=v; Max-Age=0",
}


@pytest.mark.parametrize("make_jar", [open_jar, CookieJar])
@pytest.mark.parametrize("name", COOKIES)
def test_cookies_of_a_response(name: str, make_jar: Callable[[], CookieJar]) -> None:
    def make(count: int) -> Callable[[], object]:
        fields = [COOKIES[name](number) for number in range(count)]
        return lambda: fill(make_jar(), fields)

    assert_linear(make)


@pytest.mark.parametrize("domain", ["", "; Domain=example.com"])
def test_cookies_without_tls_and_as_many_secure_cookies_of_the_same_name(domain: str) -> None:
    def make(count: int) -> Callable[[], object]:
        jar = open_jar()
        for number in range(count):
            jar.store(f"h{number}.{HOST}", "/", True, [f"n=v; Secure; Path=/p{number}"])
        fields = [f"n=v; Path=/x{number}{domain}" for number in range(count)]
        return lambda: jar.store(HOST, "/", False, fields)

    assert_linear(make)


@pytest.mark.parametrize("path", ["/", "/p/q", "/" + "a/" * 500])
@pytest.mark.parametrize("name", ["n", "other"])
def test_a_cookie_costs_the_same_however_full_the_jar_is(name: str, path: str) -> None:
    def make(count: int) -> Callable[[], object]:
        jar = open_jar()
        for number in range(count):
            jar.store(f"h{number}.{HOST}", "/", True, [f"n=v; Secure; Path=/p{number}"])
        field = f"{name}=v; Path={path}"
        return lambda: [fill(jar, [field]) for _ in range(200)]

    assert_grows_less(make, SMALL, TIMES, 4)


def test_responses_that_each_see_a_cookie_expire() -> None:
    def make(count: int) -> Callable[[], object]:
        def run() -> None:
            seconds = itertools.count()
            jar = open_jar(lambda: float(next(seconds)))
            jar.store(HOST, "/", False, [f"n{number}=v; Max-Age=1000000" for number in range(count)])
            for _ in range(count):
                jar.store(HOST, "/", False, ["n=v; Max-Age=1"])

        return run

    assert_linear(make)


def test_cookies_of_a_request() -> None:
    def make(count: int) -> Callable[[], object]:
        jar = fill(open_jar(), [f"n{number}=v; Path=/{'a' * (number % 50)}" for number in range(count)])
        return lambda: jar.build_header(HOST, "/" + "a" * 50, False)

    assert_linear(make)


# Values with many members


MEMBERS: dict[str, tuple[str, Callable[[str], object]]] = {
    "challenges": ("Digest realm=a,nonce=b,", lambda value: parse_challenges([value])),
    "challenges without commas": ("realm=a nonce=b ", lambda value: parse_challenges(["Digest " + value])),
    "authentication parameters": ('a="b" , ', parse_auth_params),
    "qualities of protection": ("auth,", lambda value: answer_challenge(f'Digest realm=a,nonce=b,qop="{value}"')),
    "domains of a challenge": ("/a /b ", lambda value: answer_challenge(f'Digest realm=a,nonce=b,domain="{value}"')),
    "links": ("<./a>;rel=b,", lambda value: index_links(parse_links([value], "http://h/a/b"))),
    "relations of a link": ("a ", lambda value: index_links(parse_links([f'<a>;rel="{value}"'], "http://h/"))),
    "parameters": ('; a="b"', lambda value: parse_parameters(value)),
    "content types": ("a/b;charset=c, ", lambda value: find_charset(choose_content_type([value, value]))),
    "file names": ("; filename*=UTF-8''a", lambda value: parse_filename("attachment" + value)),
    "codings": ("gzip, ", parse_content_encoding),
    "words that are not codings": ("none, ", parse_content_encoding),
}


def answer_challenge(challenge: str) -> None:
    request = AuthRequest("GET", "http://h/", "/", "h", 80)
    Digest("user", "password").answer(request, 401, [challenge], 1)


@pytest.mark.parametrize("name", MEMBERS)
def test_members_of_a_value(name: str) -> None:
    member, read = MEMBERS[name]
    assert_linear(lambda count: partial(read, member * count))


# Fields and heads


def read_fields(fields: Fields) -> None:
    for name in ("a", "n1", "none"):
        fields.get(name)
        fields.get_all(name)
        fields.get_single(name)
    assert len([*fields]) == len(fields) <= len(fields.pairs())
    str(fields)


@pytest.mark.parametrize("line", ["A: b", "N{number}: b", "A: {number}", "Set-Cookie: a=b", "Content-Type: a/b;c=d"])
def test_fields_of_a_head(line: str) -> None:
    def make(count: int) -> Callable[[], object]:
        lines = "".join(line.format(number=number) + "\r\n" for number in range(count))
        block = OK + lines.encode() + b"\r\n"
        return lambda: read_fields(parse_head(block, LIMITS).fields)

    assert_linear(make)


@pytest.mark.parametrize("line", [b"Content-Length: 5\r\n", b"Connection: a\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_fields_of_framing(line: bytes) -> None:
    def make(count: int) -> Callable[[], object]:
        block = OK + line * count + b"\r\n"
        return lambda: decide_framing(parse_head(block, LIMITS), "GET")

    assert_linear(make)


def test_file_names_of_a_head() -> None:
    assert_linear(lambda count: partial(suggest_filename, ["attachment; filename=''"] * count, "/"))


def test_interim_responses() -> None:
    def make(count: int) -> Callable[[], object]:
        def run() -> None:
            answer = ResponseHeads()
            for _ in range(count):
                answer.add(b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n", LIMITS)
            answer.add(OK + b"\r\n", LIMITS)
            assert len(answer.interim) == count

        return run

    assert_linear(make)


# Content


def read_content(data: bytes) -> Content:
    stream = ScriptedStream([data])
    head = parse_head(OK + b"Transfer-Encoding: chunked\r\n\r\n", LIMITS)
    content = open_content(stream, decide_framing(head, "GET"), LIMITS)
    run_now(content.readall())
    return content


@pytest.mark.parametrize(
    ("chunk", "end"),
    [
        (b"1\r\nx\r\n", b"0\r\n\r\n"),
        (b"1;a\r\nx\r\n", b"0\r\n\r\n"),
        (b"8;a=b;c=d\r\nxxxxxxxx\r\n", b"0\r\n\r\n"),
        (b"A: b\r\n", b"\r\n"),
    ],
)
def test_chunks_their_extensions_and_trailers(chunk: bytes, end: bytes) -> None:
    start = b"0\r\n" if chunk.startswith(b"A") else b""

    def make(count: int) -> Callable[[], object]:
        data = start + chunk * count + end
        assert read_content(data).is_done
        return lambda: read_content(data)

    assert_linear(make)


@pytest.mark.parametrize("text", [b"x", b""])
def test_members_of_compressed_content(text: bytes) -> None:
    coder = zlib.compressobj(wbits=31)
    member = coder.compress(text) + coder.flush()

    def make(count: int) -> Callable[[], object]:
        pieces = [member * 100] * (count // 100)

        def run() -> None:
            decoder = open_decoder("gzip", max_size=None, max_ratio=None)
            assert decoder is not None
            for piece in pieces:
                decoder.feed(piece)
                while decoder.take(1 << 16):
                    pass

        return run

    assert_linear(make, 800)


@pytest.mark.parametrize("piece", ["x", "x\n", "\r", "\n", "\r\n"])
def test_pieces_of_text(piece: str) -> None:
    def make(count: int) -> Callable[[], object]:
        def run() -> None:
            splitter = LineSplitter()
            for _ in range(count):
                splitter.feed(piece)
            splitter.finish()

        return run

    assert_linear(make)


# Addresses and redirects


def test_addresses_of_a_name() -> None:
    with RawServer(RawConnection.wait_closed) as server:
        port = server.port  # nothing listens there on other addresses, which refuse at once

        def make(count: int) -> Callable[[], object]:
            addresses = [f"127.{1 + number // 250}.0.{1 + number % 250}" for number in range(count)]
            route = Route("many.example", port, resolver=StaticResolver({"many.example": addresses}))

            async def connect() -> None:
                await open_stream(route, Timeout(connect=60), Opening(0.0))

            return lambda: asyncio.run(connect())

        assert_linear(make, 20)


def test_redirects_of_a_request() -> None:
    def answer(connection: RawConnection) -> None:
        while head := connection.read_head():
            number = int(head.split()[1].strip(b"/"))
            if number:
                connection.send(b"HTTP/1.1 302 X\r\nLocation: /%d\r\nContent-Length: 0\r\n\r\n" % (number - 1))
            else:
                connection.send(OK + b"Content-Length: 0\r\n\r\n")

    with RawServer(answer) as server:

        def make(count: int) -> Callable[[], object]:
            async def follow() -> None:
                async with Client(max_redirects=count) as client:
                    response = await client.get(f"{server.url}/{count}")
                    assert len(response.history) == count

            return lambda: asyncio.run(follow())

        assert_linear(make, 50)
