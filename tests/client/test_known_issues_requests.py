"""Known issues of other HTTP clients about requests: uploads, URLs, cookies, text; each test names them."""

import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient import BodyNotReplayable, Client, ConnectError, Part
from asyncclient.testing import RawConnection, RawServer
from tests.client.answering import Answering, Asked, is_clean, redirect
from tests.connection.conversations import OK, UPLOAD, EarlyAnswer, reply, zeros

# Uploads


@pytest.mark.parametrize("then", ["reads", "closes", "resets"])
@pytest.mark.parametrize("build", [zeros, lambda: bytes(UPLOAD), lambda: zeros], ids=["generator", "bytes", "factory"])
async def test_an_early_413_is_the_response(build: Callable[[], Any], then: str) -> None:
    """psf/requests#2422, #5296, urllib3/urllib3#1524, aio-libs/aiohttp#8191: BrokenPipe instead of the answer."""
    script = EarlyAnswer(then)
    with RawServer(script) as server:
        async with Client() as client:
            response = await client.post(server.url, body=build())
            assert (response.status, response.content) == (413, b"too large")
            assert await is_clean(client)
            assert (await client.get(server.url)).content == b"ok"
    assert script.received[0] < UPLOAD


def pieces() -> Iterator[bytes]:
    yield from (b"con", b"tent")


async def async_pieces() -> AsyncIterator[bytes]:
    for piece in (b"con", b"tent"):
        yield piece


REPLAYABLE: dict[str, Callable[[Path], Any]] = {
    "bytes": lambda path: b"content",
    "str": lambda path: "content",
    "list": lambda path: [b"con", b"tent"],
    "path": lambda path: path,
    "file": lambda path: io.BytesIO(b"content"),
    "factory": lambda path: async_pieces,
}
USED_UP: dict[str, Callable[[Path], Any]] = {
    "generator": lambda path: pieces(),
    "async generator": lambda path: async_pieces(),
    "pipe": lambda path: Unseekable(b"content"),
}


class Unseekable(io.BytesIO):
    def seekable(self) -> bool:
        return False

    def seek(self, *args: Any) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise io.UnsupportedOperation


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "content.txt"
    path.write_bytes(b"content")
    return path


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("build", REPLAYABLE.values(), ids=REPLAYABLE)
async def test_a_redirect_resends_the_body(path: Path, build: Callable[[Path], Any], status: int) -> None:
    """aio-libs/aiohttp#12195, #11290: after a redirect an upload is silently empty; a file at its end has length 0."""
    with Answering({"/": redirect("/to", status), "/to": OK}) as server:
        async with Client() as client:
            assert (await client.put(server.url, body=build(path))).status == 200
    assert [asked.content for asked in server.asked] == [b"content", b"content"]


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("build", USED_UP.values(), ids=USED_UP)
async def test_a_body_that_cannot_be_resent_is_an_error(path: Path, build: Callable[[Path], Any], status: int) -> None:
    """aio-libs/aiohttp#12195: never a silent empty body."""
    with Answering({"/": redirect("/to", status), "/to": OK}) as server:
        async with Client() as client:
            with pytest.raises(BodyNotReplayable):
                await client.put(server.url, body=build(path))
            assert await is_clean(client)
    assert [(asked.target, asked.content) for asked in server.asked] == [("/", b"content")]


async def test_a_file_is_resent_from_its_first_position() -> None:
    """aio-libs/aiohttp#11290: also the second time."""
    file = io.BytesIO(b"left out, content")
    file.seek(10)
    with Answering({"/": redirect("/to", 307), "/to": OK}) as server:
        async with Client() as client:
            await client.put(server.url, body=file)
    assert [asked.content for asked in server.asked] == [b"content", b"content"]


def multipart_contents(asked: Asked) -> list[bytes]:
    boundary = (asked["content-type"] or "").partition("boundary=")[2].encode()
    first, *parts, last = asked.content.split(b"--" + boundary)
    assert (first, last) == (b"", b"--\r\n")
    return [part[:-2].partition(b"\r\n\r\n")[2] for part in parts]


PARTS: dict[str, tuple[Callable[[Path], Any], bool]] = {
    "path": (lambda path: path, True),
    "bytes": (lambda path: b"content", True),
    "file": (lambda path: io.BytesIO(b"content"), True),
    "async, of known length": (lambda path: Part("name", async_pieces, length=7), True),
    "async": (lambda path: ("name", async_pieces), False),
}


@pytest.mark.parametrize(("build", "has_length"), PARTS.values(), ids=PARTS)
async def test_parts_of_a_form_of_any_source_are_resent_after_a_redirect(
    path: Path, build: Callable[[Path], Any], has_length: bool
) -> None:
    """encode/httpx#1015, psf/requests-toolbelt#393: multipart from async sources, and rewound after a 307."""
    with Answering({"/": redirect("/to", 307), "/to": OK}) as server:
        async with Client() as client:
            await client.post(server.url, data={"field": "value"}, files={"part": build(path), "more": b"more"})
    for asked in server.asked:
        assert multipart_contents(asked) == [b"value", b"content", b"more"]
        assert asked["content-length"] == (str(len(asked.content)) if has_length else None)
    assert len(server.asked) == 2


# Nothing slips in

EVIL = ["\r\n", "\n", "\r", "\r\nX: y", "\r\n ", "\r\n\r\nGET /evil HTTP/1.1\r\n\r\n"]
EVIL += ["\0", "\x0b", "\x85", "\u2028", "\uff0d", "\u560a", "\ud800"]  # U+560A ends in the byte of LF
TEXT = st.lists(st.sampled_from(EVIL) | st.text(max_size=3), min_size=1, max_size=3).map("".join)

OUTGOING: dict[str, Callable[[Client, str, str], Any]] = {
    "method": lambda client, url, text: client.request(text, url),
    "path": lambda client, url, text: client.get(f"{url}/{text}"),
    "query": lambda client, url, text: client.get(f"{url}/?{text}"),
    "url": lambda client, url, text: client.get(f"{url}{text}"),
    "userinfo": lambda client, url, text: client.get(url.replace("://", f"://{text}@")),
    "params": lambda client, url, text: client.get(url, params={text: text}),
    "encoded params": lambda client, url, text: client.get(url, params=text),
    "field name": lambda client, url, text: client.get(url, headers={text: "1"}),
    "field value": lambda client, url, text: client.get(url, headers={"X-Own": text}),
    "field bytes": lambda client, url, text: client.get(url, headers={"X-Own": text.encode()}),
    "host": lambda client, url, text: client.get(url, headers={"Host": text}),
    "cookie": lambda client, url, text: client.get(url, cookies={"a": text, text: "b"}),
    "user": lambda client, url, text: client.get(url, auth=(text, text)),
    "auth": lambda client, url, text: client.get(url, auth=lambda _: text),
    "auth field": lambda client, url, text: client.get(url, auth=lambda _: {text: text}),
    "json": lambda client, url, text: client.post(url, json={text: text}),
    "form": lambda client, url, text: client.post(url, data={text: text}),
    "file name": lambda client, url, text: client.post(url, files={"a": (text, b"x")}),
    "part name": lambda client, url, text: client.post(url, files={text: b"x"}, data={text: text}),
    "part type": lambda client, url, text: client.post(url, files={"a": ("n", b"x", text)}),
    "part field": lambda client, url, text: client.post(url, files={"a": Part("n", b"x", None, {text: text})}),
    "trailer": lambda client, url, text: client.post(url, body=b"x", trailers={"X": text}),
    "trailer name": lambda client, url, text: client.post(url, body=b"x", trailers=lambda: {text: "x"}),
    "length": lambda client, url, text: client.post(url, body=b"x", headers={"Content-Length": text}),
    "coding": lambda client, url, text: client.post(url, body=b"x", headers={"Transfer-Encoding": text}),
}

_FIELD = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: ?[^\0\r\n]*\r\n"  # other control characters do no harm
REQUEST = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~]+ HTTP/1\.1\r\n(?:" + _FIELD + rb")+\r\n")
TRAILERS = re.compile(rb"(?:[0-9a-f]+\r\n.*\r\n)*0\r\n(?:" + _FIELD + rb")*\r\n", re.DOTALL)


class Strict(RawServer):
    """A server that takes one well-formed request for each connection, and no byte more."""

    def __init__(self) -> None:
        super().__init__(self._take_one)

    def _take_one(self, connection: RawConnection) -> None:
        head, _ = connection.read_request()
        if not head:
            return
        assert REQUEST.fullmatch(head), head
        if b"\r\nTransfer-Encoding: chunked\r\n" in head:
            assert TRAILERS.fullmatch(connection.raw_body), connection.raw_body
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        assert connection.read() == b""


class Nowhere:
    """A resolver that knows no host, so that no name made up here is looked up outside."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        return ()


@pytest.mark.asyncio(loop_factories=["asyncio"])
@pytest.mark.parametrize("send", OUTGOING.values(), ids=OUTGOING)
@given(text=TEXT)
async def test_injected_line_ends_never_make_a_second_request(
    send: Callable[[Client, str, str], Awaitable[object]], text: str
) -> None:
    """GHSA-q3qx-c6g2-7pw2, CVE-2019-9740: CR and LF in methods, URLs, fields, names of parts."""
    with Strict() as server:
        async with Client(resolver=Nowhere(), timeout=5) as client:
            try:
                await send(client, server.url, text)
            except (ValueError, TypeError, ConnectError):
                pass
            assert await is_clean(client)


# Bytes as given

SIGNED = [
    "/bucket/a%2Fb/%7euser/key%20name?X-Amz-Credential=AK%2F2026%2Fus&X-Amz-Signature=ab%2fCD%3D",
    "/video.m3u8?Policy=eyJ~_-&Signature=a-b~c_&Key-Pair-Id=K&Expires=1+2",
    "/b/o?Signature=%2b%2F%3d&response-content-disposition=attachment;%20filename*=UTF-8''x",
    "/a//b/;v=1,2/!$()*?a=1&a=2&&=&b&/../?",
]


@pytest.mark.parametrize("target", SIGNED)
async def test_a_signed_url_is_sent_unchanged_also_after_a_redirect(target: str) -> None:
    """aio-libs/aiohttp#4307, #7183, #7222, #9721, #11410: requoting breaks signatures of S3, CloudFront, GCS."""
    answers = {"/absolute": "", "/relative": target}
    with Answering(default=OK) as server:
        for start, location in answers.items():
            server.answers[start] = [redirect(location or server.url + target)]
        async with Client() as client:
            for url in (target, *answers):
                assert (await client.get(server.url + url)).url == server.url + target
    assert server.targets == [target, "/absolute", target, "/relative", target]


COOKIES = [
    b'a="quoted"',
    b"a=a=b=c",
    b"a={json: [1]}",
    b"a=\xff\xfe",
    b"a=\xc3\xa9",
    b"a=b c",
    b'a=\\"',
    b"a=%20%2C",
    b"a=b:c/d@e,f",
    b"nameless",
]


@pytest.mark.parametrize("pair", COOKIES)
async def test_the_value_of_a_cookie_is_returned_byte_by_byte(pair: bytes) -> None:
    """aio-libs/aiohttp#5397, #7478, #2571, #11112: values are quoted, unquoted, or dropped."""
    with Answering({"/": reply(b"", b"Set-Cookie: " + pair + b"; Path=/"), "/next": OK}) as server:
        async with Client() as client:
            await client.get(server.url)
            await client.get(f"{server.url}/next")
    assert server.asked[1].fields["cookie"] == [pair.decode("latin-1")]


BAD_COOKIES = [
    b"",
    b";",
    b"=",
    b"a=\x01; path=/",
    b"a=b; expires=junk; max-age=x",
    b"\xff" * 5000,
    b"a=b; domain=.",
    b",;,",
]


@pytest.mark.parametrize("cookie", BAD_COOKIES)
async def test_an_invalid_cookie_never_breaks_a_response(cookie: bytes) -> None:
    """aio-libs/aiohttp#9336, #5397: one bad cookie, and the others are lost, or the response."""
    fields = (b"Set-Cookie: one=1", b"Set-Cookie: " + cookie, b"Set-Cookie: two=2")
    with Answering({"/": reply(b"ok", *fields), "/next": OK}) as server:
        async with Client() as client:
            assert (await client.get(server.url)).content == b"ok"
            await client.get(f"{server.url}/next")
    (sent,) = server.asked[1].fields["cookie"]
    assert {"one=1", "two=2"} <= set(sent.split("; "))


# Text


async def test_text_is_sent_as_utf_8_and_declared_so() -> None:
    """psf/requests#2838, #2637, urllib3/urllib3#2014, yt-dlp#14111: latin-1 errors for str bodies and fields."""
    with Answering(default=OK) as server:
        async with Client() as client:
            await client.post(server.url, body="Ünïcödé – ы", headers={"X-Latin": "é", "X-Bytes": "ы".encode()})
            with pytest.raises(ValueError, match="X-Name") as raised:
                await client.get(server.url, headers={"X-Name": "ы"})
            assert not isinstance(raised.value, UnicodeError) or "latin-1" in str(raised.value)
    (asked,) = server.asked
    assert asked.content == "Ünïcödé – ы".encode()
    assert asked["content-type"] == "text/plain; charset=utf-8"
    assert (asked["x-latin"], asked["x-bytes"]) == ("é", "ы".encode().decode("latin-1"))


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/é".encode("latin-1"), "/%E9"),
        ("/ы?ы#ы".encode(), "/%D1%8B?%D1%8B"),
        (b"/a b", "/a%20b"),
        ("/é%20".encode(), "/%C3%A9%20"),
    ],
)
async def test_a_location_that_is_not_ascii_is_percent_encoded(location: bytes, target: str) -> None:
    """psf/requests#2838, yt-dlp#14111: an error also for redirects."""
    with Answering({"/": redirect(location), target: OK}) as server:
        async with Client() as client:
            assert (await client.get(server.url)).status == 200
    assert server.targets == ["/", target]
