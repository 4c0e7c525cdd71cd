"""compat.Client, used by one thread: the results are asyncclient's, blocking."""

import asyncio
import gzip
import inspect
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import asyncclient
import compat
from asyncclient.blocking.response import Response, Upgraded
from asyncclient.testing import DemoServer, RawConnection, RawServer
from asyncclient.testing.raw import TIMEOUT
from tests.compat.connections import in_thread
from tests.connection.conversations import NOT_FOUND, OK, chunked, echo_target, reply
from tests.servers import ROOT, Certificates

Client = compat.Client

REDIRECT = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"
LOOP = b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"
DENIED = b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="r"\r\nContent-Length: 0\r\n\r\n'
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n"


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(timeout=TIMEOUT) as made:
        yield made


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    """The URL of a demo server, which runs on a loop in a thread."""
    begun: Future[tuple[str, Callable[[], object]]] = Future()

    async def serve() -> None:
        over = asyncio.Event()
        async with DemoServer() as server:
            begun.set_result((server.url, partial(asyncio.get_running_loop().call_soon_threadsafe, over.set)))
            await over.wait()

    with in_thread(lambda: asyncio.run(serve())):
        url, end = begun.result(TIMEOUT)
        yield url
        end()


# The same as asyncclient's

ATTRIBUTES: dict[str, Callable[[Any], object]] = {
    **{
        name: lambda response, name=name: getattr(response, name)  # type: ignore[misc]
        for name in ("status", "reason", "version", "url", "content", "text", "lines", "encoding", "ok", "closed")
    },
    **{name: lambda response, name=name: getattr(response, name) for name in ("links", "tls", "upgraded")},  # type: ignore[misc]
    "headers": lambda response: [pair for pair in response.headers.items() if pair[0] != "Date"],
    "trailers": lambda response: response.trailers and list(response.trailers.items()),
    "interim": lambda response: [(one.status, one.headers["Link"]) for one in response.interim],
    "history": lambda response: [one.url for one in response.history],
    "peer": lambda response: response.peer,
    "timings": lambda response: response.timings.done is not None,
    "request": lambda response: (response.request.method, response.request.url),
    "repr": repr,
    "iter_chunks": lambda response: b"".join(response.iter_chunks()),
}


@pytest.mark.parametrize("path", ["/json", "/chunked/3000", "/early-hints", "/gzip", "/status/404", "/status/204", "/"])
def test_responses_are_those_of_asyncclient(client: Client, demo: str, path: str) -> None:
    async def fetch() -> dict[str, object]:
        async with asyncclient.Client() as awaitable:
            response = await awaitable.get(demo + path)
            found = {name: show(response) for name, show in ATTRIBUTES.items() if name != "iter_chunks"}
            return {**found, "iter_chunks": b"".join([chunk async for chunk in response.iter_chunks()])}

    response = client.get(demo + path)
    found = {name: show(response) for name, show in ATTRIBUTES.items()}
    assert found == asyncio.run(fetch())


def names_of(one: object) -> set[str]:
    return {name for name in dir(one) if not name.startswith("_")}


def arguments(function: Any) -> list[tuple[str, Any, Any]]:
    return [(one.name, one.kind, one.default) for one in inspect.signature(function).parameters.values()]


def test_names_and_arguments_are_those_of_asyncclient(client: Client, demo: str) -> None:
    async def fetch() -> tuple[asyncclient.Client, asyncclient.Response]:
        async with asyncclient.Client() as awaitable:
            return awaitable, await awaitable.get(demo)

    awaitable, awaitable_response = asyncio.run(fetch())
    response = client.get(demo)
    assert inspect.signature(Client) == inspect.signature(asyncclient.Client)
    assert names_of(awaitable) - {"aclose"} == names_of(client) - {"close"}
    assert names_of(awaitable_response) - {"aclose", "take"} == names_of(response)
    for theirs, ours in ((awaitable, client), (awaitable_response, response)):
        for name in names_of(theirs) & names_of(ours):
            if inspect.ismethod(getattr(theirs, name)):
                assert arguments(getattr(theirs, name)) == arguments(getattr(ours, name)), name


@pytest.mark.parametrize("method", ["get", "head", "options", "post", "put", "patch", "delete"])
def test_verbs(client: Client, method: str) -> None:
    def echo_method(connection: RawConnection) -> None:
        answer = reply(connection.read_request()[0].split()[0])
        connection.send(answer[: -len(method)] if method == "head" else answer)
        connection.wait_closed()

    with RawServer(echo_method) as server:
        response = getattr(client, method)(server.url, headers={"X-One": "1"})
        assert response.content == (b"" if method == "head" else method.upper().encode())
        assert b"\r\nX-One: 1\r\n" in server.requests[0]


@pytest.mark.parametrize("method", ["get", "head", "options", "post", "put", "patch", "delete"])
def test_an_unknown_option_of_a_verb_is_an_error_that_names_ours(client: Client, method: str) -> None:
    with pytest.raises(TypeError, match="a request got an unexpected keyword argument 'content': use body="):
        getattr(client, method)("http://h/", content=b"")


def test_settings_of_the_client_and_of_a_request() -> None:
    with RawServer(echo_target) as server:
        with Client(
            base_url=f"{server.url}/base/", params={"a": "1"}, cookies={"c": "d"}, headers={"X-A": "b"}
        ) as client:
            assert client.base_url == f"{server.url}/base/"
            assert client.get("one", params={"b": 2}).text == "/base/one?a=1&b=2"
            assert [cookie.value for cookie in client.cookies] == ["d"]
            request = client.build_request("PUT", "two", body=b"12")
            assert (client.send(request).text, client.send(request).text) == ("/base/two?a=1", "/base/two?a=1")
        assert b"\r\nX-A: b\r\n" in server.requests[0]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"body": b"", "json": 1}, ValueError),
        ({"body": 3}, TypeError),
        ({"files": 3}, TypeError),
        ({"files": [3]}, TypeError),
    ],
)
def test_invalid_arguments_are_refused_before_anything_begins(
    client: Client, wrong: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as theirs:
        asyncclient.Request("POST", "http://none.invalid/", **wrong)
    with pytest.raises(error) as ours:
        client.post("http://none.invalid/", **wrong)
    assert str(ours.value) == str(theirs.value)
    assert not client._portal.is_running


def test_wrong_settings_are_refused_without_a_warning_of_the_garbage_collector() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        Client(colour="red")  # type: ignore[call-arg]


# Content that is not read yet


def test_stream_gives_chunks_as_they_are_received(client: Client) -> None:
    seen = threading.Semaphore(0)

    def drip(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        for piece in (b"ab", b"cd", b"ef"):
            connection.send(piece)
            assert seen.acquire(timeout=TIMEOUT)
        connection.wait_closed()

    with RawServer(drip) as server, client.stream("GET", server.url) as response:
        assert (response.status, response.closed) == (200, False)
        pieces = []
        for piece in response.iter_chunks():
            pieces.append(piece)
            seen.release()
        assert (pieces, response.closed) == ([b"ab", b"cd", b"ef"], True)


TEXT = "ä\r\nzwei\n\nvïer".encode()


@pytest.mark.parametrize("cut", range(len(TEXT)))
def test_text_and_lines_of_pieces(client: Client, cut: int) -> None:
    answer = chunked(*filter(None, (TEXT[:cut], TEXT[cut:])))
    with RawServer.replying(answer, answer, answer) as server:
        with client.stream("GET", server.url) as response:
            assert list(response.iter_lines()) == ["ä", "zwei", "", "vïer"]
        with client.stream("GET", server.url) as response:
            assert "".join(response.iter_text()) == TEXT.decode()
        with client.stream("GET", server.url) as response:
            response.encoding = "latin-1"
            assert "".join(response.iter_text()) == TEXT.decode("latin-1")


def test_text_by_default_encoding_and_by_the_encoding_set_later() -> None:
    content = "家".encode("gbk")
    threads: list[int] = []

    def detect(start: bytes) -> str | None:
        threads.append(threading.get_ident())
        return "gb2312" if start == content else None

    with RawServer.replying(reply(content), reply(content)) as server, Client(default_encoding=detect) as client:
        response = client.get(server.url)
        assert (response.text, response.encoding) == ("家", "gb18030")
        response.encoding = "latin-1"
        assert (response.text, response.encoding) == (content.decode("latin-1"), "iso8859-1")
        with client.stream("GET", server.url) as response:
            assert "".join(response.iter_text()) == "家"
    assert set(threads) == {threading.get_ident()}


def test_content_that_is_not_json_is_an_error_that_names_its_url(client: Client) -> None:
    with RawServer.replying(reply(b"[" * 100_000)) as server:
        response = client.get(server.url)
    with pytest.raises(asyncclient.InvalidJSON, match=f"from '{server.url}.*nested too deeply"):
        response.json()


def test_pieces_of_a_size(client: Client) -> None:
    with RawServer.replying(chunked(b"abc", b"defg"), chunked(b"abc", b"defg")) as server:
        with client.stream("GET", server.url) as response:
            assert list(response.iter_chunks(3)) == [b"abc", b"def", b"g"]
        response = client.get(server.url)
        assert list(response.iter_chunks(3)) == [b"abc", b"def", b"g"]
        with pytest.raises(ValueError, match="at least 1 byte, got 0"):
            response.iter_chunks(0)


def test_content_that_was_read_needs_no_client(client: Client) -> None:
    with RawServer.replying(reply(b"one\ntwo"), reply(b"")) as server:
        response, empty = client.get(server.url), client.get(server.url)
        client.close()
    for _ in range(2):
        assert (response.read(), list(response.iter_chunks()), list(response.iter_lines())) == (
            b"one\ntwo",
            [b"one\ntwo"],
            ["one", "two"],
        )
    assert list(empty.iter_chunks()) == []
    assert response.tls is None


def test_reading_a_stream_at_once(client: Client) -> None:
    with RawServer.replying(OK) as server, client.stream("GET", server.url) as response:
        with pytest.raises(
            asyncclient.ResponseNotRead, match=r"has not been read: read\(\) returns it whole, iter_chunks\(\) in parts"
        ):
            response.content  # noqa: B018
        assert (response.read(), response.content, response.read()) == (b"ok", b"ok", b"ok")


LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(1000)


@pytest.mark.parametrize(
    ("answer", "leaves", "kept"),
    [
        (reply(b"short"), "quietly", 1),
        (reply(b"short"), "by an error", 0),
        (reply(b"short"), "closing", 0),
        (LONG, "quietly", 0),
    ],
)
def test_leaving_a_stream(client: Client, answer: bytes, leaves: str, kept: int) -> None:
    def leave(response: Response) -> None:
        if leaves == "closing":
            response.close()
        elif leaves == "by an error":
            raise LookupError

    with RawServer.replying(answer) as server:
        try:
            with client.stream("GET", server.url) as response:
                assert client.stats().active == 1
                leave(response)
        except LookupError:
            pass
        assert client.stats()[:2] == (0, kept)


# Downloads


def test_download(client: Client, demo: str, tmp_path: Path) -> None:
    told: list[tuple[int, int | None, threading.Thread]] = []
    path = tmp_path / "downloaded"

    def progress(size: int, total: int | None) -> None:
        told.append((size, total, threading.current_thread()))

    response = client.download(f"{demo}/bytes/1000000", path, progress=progress)
    assert (response.status, isinstance(response, Response)) == (200, True)
    assert path.read_bytes()[:256] == bytes(range(256))
    assert path.stat().st_size == 1_000_000
    assert told[-1] == (1_000_000, 1_000_000, threading.current_thread())
    assert sorted(told, key=lambda one: one[0]) == told
    with pytest.raises(asyncclient.ChecksumError):
        client.download(f"{demo}/bytes/10", path, checksum="md5:" + "0" * 32)
    assert path.stat().st_size == 1_000_000
    with pytest.raises(asyncclient.StatusError) as caught:
        client.download(f"{demo}/status/404", tmp_path / "missing")
    assert isinstance(caught.value.response, Response)


def test_progress_that_raises_ends_a_download(client: Client, tmp_path: Path) -> None:
    def begin(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n" + bytes(2_000_000))
        connection.wait_closed()

    def progress(size: int, total: int | None) -> None:
        raise LookupError

    with RawServer(begin) as server:
        with pytest.raises(LookupError):
            client.download(server.url, tmp_path / "downloaded", progress=progress)
        assert client.stats().active == 0
    assert not list(tmp_path.iterdir())


# Errors


def test_errors_are_raised_unchanged(client: Client) -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"
    with (
        RawServer.replying(half, then=RawConnection.close) as server,
        pytest.raises(asyncclient.IncompleteRead) as caught,
    ):
        client.get(server.url)
    assert (caught.value.partial, caught.value.expected) == (b"half", 5)
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names[:3] == ["test_errors_are_raised_unchanged", "get", "request"]
    with pytest.raises(asyncclient.ConnectError):
        client.get(server.url)
    with pytest.raises(asyncclient.InvalidURL):
        client.get("gopher://example.com/")


@pytest.mark.parametrize(
    ("timeout", "error"), [(0.01, asyncclient.TotalTimeout), (asyncclient.Timeout(read=0.01), asyncclient.ReadTimeout)]
)
def test_timeouts(client: Client, timeout: Any, error: type[Exception]) -> None:
    def hold_the_second(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(OK)
        connection.hold()

    # The time is over while the response is waited for: the connection is open already.
    with RawServer(hold_the_second) as server:
        client.get(server.url)
        with pytest.raises(error):
            client.get(server.url, timeout=timeout)
        assert client.stats()[:2] == (0, 0)


def test_errors_about_responses_have_a_blocking_one() -> None:
    def answer(connection: RawConnection) -> None:
        while head := connection.read_head():
            connection.send(NOT_FOUND if b"/gone" in head else LOOP)

    with RawServer(answer) as server, Client(max_redirects=1) as client:
        response = client.get(f"{server.url}/gone")
        with pytest.raises(asyncclient.StatusError) as status:
            response.raise_for_status()
        assert status.value.response is response
        with pytest.raises(asyncclient.TooManyRedirects) as redirects:
            client.get(server.url)
        assert isinstance(redirects.value.response, Response)
        with pytest.raises(asyncclient.TooManyRedirects) as redirects:
            client.stream("GET", server.url).__enter__()
        assert isinstance(redirects.value.response, Response)
    with RawServer.replying(OK) as server, Client() as client:
        response = client.get(server.url)
        assert response.raise_for_status() is response


# Callbacks


def test_callbacks_run_in_their_callers_context(client: Client) -> None:
    user = ContextVar("user", default="nobody")
    threads: list[str] = []

    def login(request: asyncclient.AuthRequest) -> dict[str, str]:
        threads.append(threading.current_thread().name)
        return {"Authorization": user.get()}

    user.set("somebody")
    with RawServer.replying(OK) as server:
        assert client.get(server.url, auth=login).status == 200
    assert b"\r\nAuthorization: somebody\r\n" in server.requests[0]
    assert threads == ["compat.Client"]


def test_callback_can_inspect_the_client_but_not_use_it(client: Client) -> None:
    looked: list[object] = []

    def login(request: asyncclient.AuthRequest) -> dict[str, str]:
        looked.extend([client.stats().active, repr(client)])
        client.get(request.url)
        return {}

    with RawServer.replying(OK) as server:
        with pytest.raises(asyncclient.ImproperConnectionState, match="from another thread"):
            client.get(server.url, auth=login)
        assert client.get(server.url).content == b"ok"
    assert looked == [0, "<compat.Client <Pool 0 active, 0 idle, 0 connecting, 0 waiting>>"]


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_exceptions_of_callbacks_reach_the_caller(client: Client, error: type[BaseException]) -> None:
    def login(request: asyncclient.AuthRequest) -> None:
        raise error

    with RawServer.replying(OK) as server:
        with pytest.raises(error):
            client.get(server.url, auth=login)
        assert client.get(server.url).content == b"ok"


# The connection


def test_tls(tls: Certificates) -> None:
    with RawServer(echo_target, tls=tls.server_context()) as server, Client(ssl=tls.client_context()) as client:
        url = server.url.replace("127.0.0.1", "localhost")
        client.preconnect(url, 2)
        assert client.stats()[:2] == (0, 2)
        with client.stream("GET", f"{url}/secret") as response:
            found = response.tls
            assert found is not None
            assert found.version == "TLSv1.3"
            assert response.read() == b"/secret"
        assert server.accepted == 2
        assert client.close_idle() == 2
        assert client.stats()[:2] == (0, 0)


def test_upgrade(client: Client) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "shout"}

    def shout(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(SWITCHED + b"welcome\n")
        while data := connection.read(64):
            connection.send(data.upper())

    with RawServer(shout) as server:
        response = client.get(server.url, headers=headers)
        assert isinstance(response.upgraded, Upgraded)
        with response.upgraded as connection:
            assert connection.readline() == b"welcome\n"
            connection.write(b"hello")
            assert connection.readexactly(4) == b"HELL"
            assert connection.read(9) == b"O"
            assert client.stats()[:2] == (0, 0)
        left_open = client.get(server.url, headers=headers).upgraded
        assert left_open is not None
        client.close()
        with pytest.raises(asyncclient.ClientClosed):
            left_open.read()


def test_an_upgraded_connection_that_is_dropped_is_closed(client: Client) -> None:
    ends: list[str] = []

    def switch(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(SWITCHED)
        ends.append(connection.wait_closed())

    with RawServer(switch) as server:
        kept = [client.get(server.url, headers={"Connection": "Upgrade", "Upgrade": "shout"}).upgraded]
        with pytest.warns(ResourceWarning, match=r"unclosed <asyncclient\.blocking\.response\.Upgraded"):
            kept.clear()
    assert ends == ["eof"]


def test_gzip_is_decoded_unless_turned_off(client: Client) -> None:
    packed = gzip.compress(b"plain")
    with RawServer.replying(*[reply(packed, b"Content-Encoding: gzip")] * 2) as server:
        assert client.get(server.url).content == b"plain"
        assert client.get(server.url, decode=False).content == packed


# The module


def test_compat_imports_no_client_before_its_first_use() -> None:
    code = (
        "import sys, compat\n"
        "high = ('asyncclient.client', 'asyncclient.pool')\n"
        "floors = lambda: [name for name in sys.modules if name.startswith(high)]\n"
        "assert not floors()\n"
        "compat.Client, compat.Response\n"
        "assert floors()\n"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True).returncode == 0


def test_compat_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="module 'compat' has no attribute 'Pool'"):
        compat.Pool  # type: ignore[attr-defined]  # noqa: B018
