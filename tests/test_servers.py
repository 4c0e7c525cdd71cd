"""The servers that other tests rely on behave as documented; tested with http.client and bare sockets."""

import asyncio
import gzip
import hashlib
import http.client
import itertools
import json
import re
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, nullcontext, suppress
from functools import partial
from queue import SimpleQueue
from threading import Event
from typing import Any, TypeVar

import pytest

from asyncclient.testing import DemoServer, RawConnection, RawServer, demo_certificates
from tests import servers
from tests.servers import HOST, App, Caddy, Certificates, ConnectProxy, ProxyPy

T = TypeVar("T")
StartProxy = Callable[..., ConnectProxy]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HTTP = b" HTTP/1.1\r\nHost: x\r\n"
GET = b"GET /" + HTTP + b"\r\n"
PUT = b"PUT /echo" + HTTP
ECHO = rb'HTTP/1.1 200 .*"method": "PUT".*"Host",\s*"x".*"length": 3.*'


def http_to(server: RawServer | App | Caddy | ProxyPy) -> closing[http.client.HTTPConnection]:
    return closing(http.client.HTTPConnection(server.host, server.port, timeout=10))


def https_to(port: int, context: ssl.SSLContext) -> closing[http.client.HTTPSConnection]:
    return closing(http.client.HTTPSConnection("localhost", port, timeout=10, context=context))


def socket_to(server: RawServer) -> socket.socket:
    return socket.create_connection((server.host, server.port), timeout=10)


def fetch(connection: http.client.HTTPConnection, method: str, path: str, **options: object) -> tuple[int, bytes]:
    connection.request(method, path, **options)  # type: ignore[arg-type]
    response = connection.getresponse()
    return response.status, response.read()


def read_all(sock: socket.socket) -> bytes:
    return b"".join(iter(lambda: sock.recv(65536), b""))


def test_replies_are_sent_in_order_and_heads_are_kept() -> None:
    with RawServer.replying(OK, OK.replace(b"ok", b"no"), host="::1") as server, http_to(server) as connection:
        assert fetch(connection, "GET", "/a") == (200, b"ok")
        assert fetch(connection, "POST", "/b", body=b"content") == (200, b"no")
    assert [head.split(b" HTTP")[0] for head in server.requests] == [b"GET /a", b"POST /b"]
    assert (server.accepted, server.url) == (1, f"http://[::1]:{server.port}")


def test_chunked_content_is_decoded() -> None:
    bodies = []

    def handler(connection: RawConnection) -> None:
        bodies.append((connection.read_request()[1], connection.raw_body))
        connection.send(OK)

    with RawServer(handler) as server, http_to(server) as connection:
        fetch(connection, "POST", "/", body=iter([b"hel", b"lo"]))
    assert bodies == [(b"hello", b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n")]


def fail(connection: RawConnection) -> None:
    raise LookupError("handler's own")


@pytest.mark.parametrize(("connections", "error"), [(1, LookupError), (2, ExceptionGroup)])
def test_errors_of_handlers_fail_the_test(connections: int, error: type[Exception]) -> None:
    with pytest.raises(error), RawServer(fail) as server:
        for _ in range(connections):
            with socket_to(server) as sock:
                assert read_all(sock) == b""


def test_error_of_a_handler_is_noted_on_the_error_of_the_test() -> None:
    with pytest.raises(KeyError) as raised, RawServer(fail) as server, socket_to(server) as sock:
        read_all(sock)
        raise KeyError
    assert "handler's own" in raised.value.__notes__[0]


@pytest.mark.parametrize("sent", [b"", b"GET / HT"])
def test_client_that_leaves_early_is_forgiven(sent: bytes) -> None:
    with RawServer(RawConnection.read_request) as server, socket_to(server) as sock:
        sock.sendall(sent)


def test_reset_is_a_reset() -> None:
    server = RawServer.replying(OK, then=RawConnection.reset)
    with server, socket_to(server) as sock, pytest.raises(ConnectionResetError):
        sock.sendall(GET)
        read_all(sock)


@pytest.mark.parametrize(("n", "ending"), [(len(OK), "eof"), (1, "reset")])
def test_handler_sees_how_the_client_closed(n: int, ending: str) -> None:
    seen = SimpleQueue[str]()

    def handler(connection: RawConnection) -> None:
        connection.send(OK)
        seen.put(connection.wait_closed())

    with RawServer(handler) as server:
        with socket_to(server) as sock:
            sock.recv(n)  # closing with bytes unread resets
        assert seen.get(timeout=10) == ending


def test_half_close_leaves_the_other_half_open() -> None:
    received = SimpleQueue[bytes]()

    def handler(connection: RawConnection) -> None:
        connection.send(OK)
        connection.half_close()
        received.put(connection.read_body(4))

    with RawServer(handler) as server, socket_to(server) as sock:
        assert read_all(sock) == OK
        sock.sendall(b"late")
        assert received.get(timeout=10) == b"late"


def test_pieces_that_wait_for_the_client_are_read_one_by_one() -> None:
    def pieces(connection: RawConnection) -> Iterator[bytes]:
        for piece in (b"HT", b"TP", b"/1"):
            yield piece
            connection.read_body(1)

    server = RawServer(lambda connection: connection.send_slowly(pieces(connection), pause=0))
    with server, socket_to(server) as sock:
        for piece in (b"HT", b"TP", b"/1"):
            assert sock.recv(100) == piece
            sock.sendall(b".")


@pytest.mark.parametrize("wait", [RawConnection.hold, RawConnection.read_head, RawConnection.wait_closed])
def test_end_of_the_context_ends_a_handler_that_waits(wait: Callable[[RawConnection], object]) -> None:
    def handler(connection: RawConnection) -> None:
        connection.send(OK)
        wait(connection)

    with ExitStack() as stack:
        with RawServer(handler) as server:
            sock = stack.enter_context(socket_to(server))
            assert sock.recv(100) == OK
        assert sock.recv(100) == b""


def test_end_of_the_context_ends_slow_sending() -> None:
    ended = []

    def handler(connection: RawConnection) -> None:
        with pytest.raises(ConnectionAbortedError, match="server stopped"):
            connection.send_slowly(itertools.repeat(b"x"))
        ended.append(True)

    with RawServer(handler) as server, socket_to(server) as sock:
        assert sock.recv(1) == b"x"
    assert ended == [True]


def test_end_of_the_context_lets_a_handler_read_all_that_was_sent() -> None:
    begun, received, sent = Event(), [], 0

    def handler(connection: RawConnection) -> None:
        begun.set()
        connection.hold()
        Event().wait(0.05)  # a busy machine: the server stops before the handler reads
        received.append(sum(map(len, iter(connection.read, b""))))

    with RawServer(handler) as server, socket_to(server) as sock:
        assert begun.wait(10)
        sock.setblocking(False)
        with suppress(BlockingIOError):  # the kernel's buffers are full, on both sides
            while True:
                sent += sock.send(bytes(65536))
    assert received == [sent]


def test_server_and_client_contexts_fit(tls: Certificates) -> None:
    server = RawServer.replying(OK, tls=tls.server_context())
    with server, https_to(server.port, tls.client_context()) as connection:
        assert fetch(connection, "GET", "/") == (200, b"ok")


@pytest.mark.parametrize(
    ("kind", "reason"), [("expired", "expired"), ("wrong_host", "not valid for"), ("self_signed", "self-signed")]
)
def test_bad_certificates_are_refused(tls: Certificates, kind: str, reason: str) -> None:
    server = RawServer.replying(OK, tls=getattr(tls, f"{kind}_context")())
    refusal = pytest.raises(ssl.SSLCertVerificationError, match=reason)
    with server, https_to(server.port, tls.client_context()) as connection, refusal:
        connection.connect()
    assert (server.accepted, server.requests) == (1, [])


@pytest.mark.parametrize("ending", [RawConnection.close, RawConnection.unwrap, RawConnection.close_without_notify])
def test_tls_ends_with_or_without_notice(tls: Certificates, ending: Callable[[RawConnection], None]) -> None:
    wrap = partial(tls.client_context().wrap_socket, server_hostname="localhost", suppress_ragged_eofs=False)
    is_rude = ending is RawConnection.close_without_notify
    server = RawServer.replying(OK, then=ending, tls=tls.server_context())
    with server, socket_to(server) as sock, wrap(sock) as inner:
        inner.sendall(GET)
        assert inner.recv(100) == OK
        with pytest.raises(ssl.SSLEOFError) if is_rude else nullcontext():
            assert inner.recv(100) == b""


def ask_demo(ask: Callable[[int], T], tls: ssl.SSLContext | None = None) -> T:
    """Call a blocking function with the port of the demo server, in a thread while its loop runs."""

    async def main() -> T:
        async with DemoServer(tls) as demo:
            return await asyncio.to_thread(ask, int(demo.url.rpartition(":")[2]))

    return asyncio.run(main())


def talk_to_demo(sent: bytes) -> bytes:
    """Send bytes, end the sending half, and return all bytes of the answer."""

    def talk(port: int) -> bytes:
        with socket.create_connection((HOST, port), timeout=10) as sock:
            sock.sendall(sent)
            sock.shutdown(socket.SHUT_WR)
            return read_all(sock)

    return ask_demo(talk)


def test_demo_routes_on_one_connection() -> None:
    def ask(port: int) -> None:
        with closing(http.client.HTTPConnection(HOST, port, timeout=10)) as connection:
            get = partial(fetch, connection, "GET")
            assert get("/")[1].startswith(b"<!doctype html>")
            sock = connection.sock
            assert json.loads(get("/json?a=b")[1])
            assert [len(get(f"/{kind}/200001")[1]) for kind in ("bytes", "chunked")] == [200001] * 2
            assert get("/bytes/0") == get("/chunked/0") == (200, b"")
            assert get("/delay/0.001") == (200, b"0.001 s\n")
            assert gzip.decompress(get("/gzip")[1]).startswith(b"{")
            assert [get(f"/status/{code}")[0] for code in (204, 304, 299, 503)] == [204, 304, 299, 503]
            assert get("/nothing")[0] == get("/status/199")[0] == 404
            assert connection.sock is sock

    ask_demo(ask)


DEMO_BYTES = (bytes(range(256)) * 782)[:200_001]


@pytest.mark.parametrize(
    ("fields", "status", "content"),
    [
        ({"Range": "bytes=255-257"}, 206, b"\xff\x00\x01"),
        ({"Range": "bytes=-1"}, 206, b"@"),
        ({"Range": "bytes=65530-131080"}, 206, DEMO_BYTES[65530:131081]),
        ({"Range": "bytes=298-", "If-Range": '"bytes-200001"'}, 206, DEMO_BYTES[298:]),
        ({"Range": "bytes=298-", "If-Range": '"bytes-7"'}, 200, DEMO_BYTES),
        ({"Range": "bytes=200001-"}, 416, b""),
        ({"If-None-Match": '"bytes-200001"'}, 304, b""),
    ],
)
def test_demo_has_ranges_of_bytes(fields: dict[str, str], status: int, content: bytes) -> None:
    def ask(port: int) -> tuple[int, bytes]:
        with closing(http.client.HTTPConnection(HOST, port, timeout=10)) as connection:
            return fetch(connection, "GET", "/bytes/200001", headers=fields)

    assert ask_demo(ask) == (status, content)


@pytest.mark.parametrize(
    ("sent", "pattern"),
    [
        (b"GET /chunked/2" + HTTP + b"\r\n", rb".*\r\n2\r\n..\r\n0\r\nContent-Digest: sha-256=:.*"),
        (b"GET /chunked/2 HTTP/1.0\r\n\r\n" * 2, rb"HTTP/1.1 200 OK\r\n.*\r\nConnection: close\r\n\r\n\x00\x01"),
        (b"GET /early-hints" + HTTP + b"\r\n", rb"HTTP/1.1 103 .*\r\nHTTP/1.1 200 .*hinted\n"),
        (PUT + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\na", rb"HTTP/1.1 100 .*\r\nHTTP/1.1 200 .*"),
        (PUT + b"Content-Length: 3\r\n\r\nabc", ECHO),
        (PUT + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;x\r\nbc\r\n0\r\nT: 1\r\n\r\n", ECHO),
        (b"POST /json" + HTTP + b"\r\n", rb"HTTP/1.1 405 .*\r\nAllow: GET, HEAD\r\n.*"),
        ((b"HEAD /bytes/7" + HTTP + b"\r\n") * 2, rb"(HTTP/1.1 200 .*\r\nContent-Length: 7\r\n.*\r\n\r\n){2}"),
    ],
)
def test_demo_on_the_wire(sent: bytes, pattern: bytes) -> None:
    assert re.fullmatch(pattern, talk_to_demo(sent), re.DOTALL)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET /" + HTTP + b"Host: y\r\n\r\n", 400),
        (b"GET /" + HTTP + b"X : 1\r\n\r\n", 400),
        (b"GET /" + HTTP + b"X: 1\r\n 2\r\n\r\n", 400),
        (b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        (PUT + b"Content-Length: +1\r\n\r\n1", 400),
        (PUT + b"Content-Length: 1, 2\r\n\r\n1", 400),
        (PUT + b"Content-Length: 16777217\r\n\r\n1", 413),
        (PUT + b"Transfer-Encoding: gzip\r\n\r\n1", 501),
        (PUT + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n1", 400),
        (PUT + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\n", 400),
        (PUT + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc", 400),
        (PUT + b"Transfer-Encoding: chunked\r\n\r\n1000001\r\n", 413),
        (b"GET /" + b"a" * 65536 + HTTP, 431),
    ],
)
def test_demo_refuses_and_closes(sent: bytes, status: int) -> None:
    reply = talk_to_demo(sent + GET)
    assert reply.startswith(b"HTTP/1.1 %d " % status)
    assert reply.count(b"HTTP/1.1") == 1


def test_demo_over_tls() -> None:
    server_context, client_context = demo_certificates()

    def ask(port: int) -> tuple[int, bytes]:
        with https_to(port, client_context) as connection:
            return fetch(connection, "GET", "/delay/0")

    assert ask_demo(ask, server_context) == (200, b"0 s\n")


def test_demo_drops_open_connections_at_its_end() -> None:
    async def main() -> None:
        async with DemoServer() as demo:
            reader, writer = await asyncio.open_connection(HOST, int(demo.url.rpartition(":")[2]))
            writer.write(PUT + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()

    asyncio.run(main())


@pytest.mark.parametrize("port", [65536, -1, True, "80", None, 1.5])
def test_demo_refuses_an_invalid_port(port: Any) -> None:
    error = ValueError if type(port) is int else TypeError
    with pytest.raises(error, match="expected a port of 0 to 65535 as port, got"):
        DemoServer(port=port)


def test_demo_certificates_need_trustme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(ImportError, match=r"need trustme: install asyncclient-http\[demo\]"):
        demo_certificates()


def test_app_describes_the_request(app: App) -> None:
    with http_to(app) as connection:
        echo = json.loads(fetch(connection, "POST", "/echo?a=b", body=b"hello", headers={"X-A": "1"})[1])
    assert (echo["method"], echo["path"], echo["query"], echo["length"]) == ("POST", "/echo", "a=b", 5)
    assert echo["sha256"] == hashlib.sha256(b"hello").hexdigest()
    assert ["x-a", "1"] in echo["fields"]


def test_app_streams_and_answers_without_content(app: App) -> None:
    with http_to(app) as connection:
        assert fetch(connection, "GET", "/stream/3") == (200, b"line 0\nline 1\nline 2\n")
        assert fetch(connection, "GET", "/empty") == (204, b"")


def test_app_answers_413_before_the_content_is_sent(app: App) -> None:
    with http_to(app) as connection:
        connection.request("POST", "/too-large", headers={"Content-Length": "1000000000"})
        assert connection.getresponse().status == 413


def test_caddy_serves_files(caddy: Caddy) -> None:
    path = caddy.add_file("100m.bin", 100 * 1024 * 1024)
    with http_to(caddy) as connection:
        assert [len(fetch(connection, "GET", name)[1]) for name in ("/1k.bin", "/1m.bin")] == [1024, 1024 * 1024]
        connection.request("HEAD", path)
        assert connection.getresponse().getheader("Content-Length") == "104857600"


def test_caddy_compresses(caddy: Caddy) -> None:
    with http_to(caddy) as connection:
        connection.request("GET", "/text.txt", headers={"Accept-Encoding": "gzip"})
        response = connection.getresponse()
        assert response.getheader("Content-Encoding") == "gzip"
        assert gzip.decompress(response.read()) == (caddy.files / "text.txt").read_bytes()


def test_caddy_passes_requests_to_the_app_over_tls(caddy: Caddy, tls: Certificates) -> None:
    with https_to(caddy.tls_port, tls.client_context()) as connection:
        assert json.loads(fetch(connection, "PUT", "/app/echo", body=b"x" * 100_000)[1])["length"] == 100_000
        assert connection.sock.selected_alpn_protocol() == "http/1.1"


def tunnel(proxy: ConnectProxy, origin: RawServer, **fields: str) -> closing[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(proxy.host, proxy.port, timeout=10)
    connection.set_tunnel(origin.host, origin.port, fields)
    return closing(connection)


def test_tunnel_leads_to_the_origin(connect_proxy: StartProxy) -> None:
    with RawServer.replying(OK) as origin, tunnel(proxy := connect_proxy(), origin) as connection:
        assert fetch(connection, "GET", "/") == (200, b"ok")
    assert proxy.requests[0].startswith(b"CONNECT 127.0.0.1:%d HTTP/1." % origin.port)
    assert b"CONNECT" not in origin.requests[0]


def test_tunnel_asks_for_credentials(connect_proxy: StartProxy) -> None:
    proxy = connect_proxy(credentials=("user", "secret"))
    with RawServer.replying(OK) as origin:
        with tunnel(proxy, origin, **{"Proxy-Authorization": "Basic dXNlcjpzZWNyZXQ="}) as connection:
            assert fetch(connection, "GET", "/") == (200, b"ok")
        with tunnel(proxy, origin) as connection, pytest.raises(OSError, match="407"):
            connection.connect()
    assert origin.accepted == 1


@pytest.mark.parametrize("kind", [name for name in vars(servers) if name.startswith("GRANTED")])
def test_proxy_sends_the_given_answer(connect_proxy: StartProxy, kind: str) -> None:
    answer = getattr(servers, kind)
    with RawServer.replying(OK) as origin, socket_to(connect_proxy(answer=answer)) as sock:
        sock.sendall(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % origin.port)
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == answer


def test_proxy_without_a_route_to_the_origin_answers_502(connect_proxy: StartProxy) -> None:
    with RawServer.replying() as gone:
        pass
    with tunnel(connect_proxy(), gone) as connection, pytest.raises(OSError, match="502"):
        connection.connect()


def test_proxy_itself_may_listen_with_tls(connect_proxy: StartProxy, tls: Certificates) -> None:
    content = bytes(range(256)) * 1000
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 256000\r\n\r\n" + content
    proxy = connect_proxy(tls=tls.server_context())
    with RawServer.replying(reply) as origin, https_to(proxy.port, tls.client_context()) as connection:
        connection.connect()
        connection.sock.sendall(b"CONNECT localhost:%d HTTP/1.1\r\n\r\n" % origin.port)
        assert connection.sock.recv(100) == servers.GRANTED
        assert fetch(connection, "GET", "/") == (200, content)


@pytest.mark.parametrize("through_tunnel", [False, True])
def test_proxy_py(proxy_py: ProxyPy, app: App, through_tunnel: bool) -> None:
    with http_to(proxy_py) as connection:
        if through_tunnel:
            connection.set_tunnel(app.host, app.port)
        assert fetch(connection, "GET", "/empty" if through_tunnel else f"{app.url}/empty") == (204, b"")
