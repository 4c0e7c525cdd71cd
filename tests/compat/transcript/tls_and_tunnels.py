"""Transcript: TLS, and tunnels through proxies, to plain and to TLS servers."""

import functools
import http.client
import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from asyncclient.testing import RawConnection, RawServer
from tests.compat.transcript.report import attempt, note_port, section, tell_connection, tell_response
from tests.compat.transcript.servers import (
    CLOSE,
    HOST,
    OK,
    PATIENCE,
    SHORT,
    refusing_port,
    script,
    serving,
    silent_listener,
)
from tests.servers import GRANTED, REFUSED, Certificates, ConnectProxy


@functools.cache
def certificates() -> Certificates:
    return Certificates()


@contextmanager
def secured(server: RawServer, host: str = "localhost", **options: Any) -> Iterator[Any]:
    context = options.pop("context", None) or certificates().client_context()
    connection = http.client.HTTPSConnection(host, server.port, context=context, **{"timeout": PATIENCE, **options})
    try:
        yield connection
    finally:
        connection.close()


@section
def secure_requests() -> None:
    with serving(script(OK, CLOSE), tls=certificates().server_context()) as server, secured(server) as connection:
        connection.request("GET", "/1")
        tell_connection(connection)
        print(isinstance(connection.sock, ssl.SSLSocket), connection.sock.version(), connection.sock.cipher()[1])
        print(sorted(connection.sock.getpeercert()), connection.sock.getpeercert()["subjectAltName"])
        print(connection.sock.selected_alpn_protocol(), connection.sock.server_hostname, connection.sock.server_side)
        print(connection.sock.context is connection._context, connection.sock.gettimeout(), connection.sock.pending())
        response = connection.getresponse()
        tell_response(response)
        print(response.read())
        connection.request("POST", "/2", b"content")
        print(connection.getresponse().read())
        tell_connection(connection)
        print(server.requests)


@section
def secure_content_of_some_size() -> None:
    content = bytes(range(256)) * 4000
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content)

    def answer(connection: RawConnection) -> None:
        _, sent = connection.read_request()
        connection.send(whole if sent == content else b"HTTP/1.1 400 Other Content\r\n\r\n")
        connection.wait_closed()

    for body in (content, [content[:1000], content[1000:]]):
        with serving(answer, tls=certificates().server_context()) as server, secured(server) as connection:
            connection.request("PUT", "/", body)
            response = connection.getresponse()
            print(response.status, response.read(10), response.read() == content[10:])


@section
def servers_that_are_not_trusted() -> None:
    bad = {
        "other host": certificates().wrong_host_context(),
        "expired": certificates().expired_context(),
        "self-signed": certificates().self_signed_context(),
    }
    for name, context in bad.items():
        with serving(script(OK), tls=context) as server, secured(server) as connection:
            attempt(name, lambda: connection.request("GET", "/"))
    with serving(script(OK), tls=certificates().server_context()) as server:
        connection = http.client.HTTPSConnection("localhost", server.port, timeout=PATIENCE)
        attempt("authority", connection.connect)
        connection.close()
    with (
        serving(script(OK), tls=certificates().server_context("localhost")) as server,
        secured(server, HOST) as connection,
    ):
        attempt("address", connection.connect)


@section
def contexts() -> None:
    def tell(connection: Any) -> None:
        context = connection._context
        print(type(context).__name__, context.check_hostname, context.verify_mode, context.post_handshake_auth)

    own = certificates().client_context()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tell(http.client.HTTPSConnection("localhost"))
        connection: Any = http.client.HTTPSConnection("localhost", context=own)
        tell(connection)
        print(connection._context is own)
        tell(http.client.HTTPSConnection("localhost", context=ssl._create_unverified_context()))
    print([str(warning.message) for warning in caught])
    unverified = ssl._create_unverified_context()
    with (
        serving(script(OK), tls=certificates().wrong_host_context()) as server,
        secured(server, context=unverified) as connection,
    ):
        connection.request("GET", "/")
        print(connection.getresponse().read(), connection.sock.getpeercert())


@section
def client_certificates() -> None:
    context = certificates().server_context()
    context.load_verify_locations(cadata=certificates().ca.cert_pem.bytes().decode())
    context.verify_mode = ssl.CERT_REQUIRED
    with TemporaryDirectory() as directory:
        chain, key = certificates().write(Path(directory), "client.example")
        own = certificates().client_context()
        own.load_cert_chain(chain, key)
    with serving(script(OK), tls=context) as server, secured(server, context=own) as connection:
        connection.request("GET", "/")
        print(connection.getresponse().read())


@section
def secure_and_slow() -> None:
    silent = script(b"", then=RawConnection.hold)
    with serving(silent, tls=certificates().server_context()) as server, secured(server) as connection:
        connection.request("GET", "/")
        connection.sock.settimeout(SHORT)
        attempt("getresponse", connection.getresponse)
        attempt("request", lambda: connection.request("POST", "/", b"x" * 40_000_000))
        tell_connection(connection)
    with serving(RawConnection.hold, tls=certificates().server_context()) as server, secured(server) as connection:
        connection.connect()
        connection.sock.settimeout(SHORT)
        attempt("request", lambda: connection.request("POST", "/", b"x" * 40_000_000))
    with silent_listener() as port:
        connection = http.client.HTTPSConnection("localhost", port, timeout=SHORT)
        attempt("handshake", connection.connect)
        connection.close()


@section
def not_secure_after_all() -> None:
    def answer_plainly(connection: RawConnection) -> None:
        connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.wait_closed()

    def say_nothing(connection: RawConnection) -> None:
        connection.read()
        connection.close()

    for handler in (answer_plainly, say_nothing):
        with serving(handler) as server, secured(server) as connection:
            attempt("connect", connection.connect)
    with refusing_port() as port:
        attempt("refused", http.client.HTTPSConnection("localhost", port, timeout=PATIENCE).connect)


@section
def secure_and_cut() -> None:
    for end in (RawConnection.close, RawConnection.unwrap, RawConnection.close_without_notify):
        for content in (b"Content-Length: 9\r\n\r\nabc", b"\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n9\r\nabc"):
            handler = script(b"HTTP/1.1 200 OK\r\n" + content, then=end)
            with serving(handler, tls=certificates().server_context()) as server, secured(server) as connection:
                connection.request("GET", "/")
                response = connection.getresponse()
                attempt("read", response.read)
                tell_response(response, without=("chunk_left",))


@contextmanager
def proxy(**options: Any) -> Iterator[ConnectProxy]:
    with ConnectProxy(**options) as server:
        note_port(server.port)
        yield server


def fields_sent(server: RawServer) -> list[bytes]:
    """The requests to a proxy, without the parts that differ on 3.11: the version, and Host."""
    heads = [head.replace(b" HTTP/1.0\r\n", b" HTTP/1.1\r\n") for head in server.requests]
    return [b"\r\n".join(line for line in head.split(b"\r\n") if line[:6] != b"Host: ") for head in heads]


@section
def tunnel_to_a_secure_server() -> None:
    with serving(script(OK, OK), tls=certificates().server_context()) as origin, proxy() as server:
        with secured(server) as connection:
            connection.set_tunnel("localhost", origin.port, {"Proxy-Authorization": "Basic x", "X-Proxy": "1"})
            for path in ("/1", "/2"):
                connection.request("HEAD" if path == "/2" else "GET", path)
                response = connection.getresponse()
                tell_response(response)
                print(response.read())
            print(connection.sock.server_hostname, connection.sock.version(), connection.host)
            attempt("set_tunnel", lambda: connection.set_tunnel("localhost"))
        print(fields_sent(server), origin.requests)


@section
def tunnel_to_a_plain_server() -> None:
    with serving(script(OK)) as origin, proxy() as server:
        connection: Any = http.client.HTTPConnection(HOST, server.port, timeout=PATIENCE)
        connection.set_tunnel(HOST, origin.port)
        print(connection._tunnel_host, connection._tunnel_port == origin.port)
        connection.request("POST", "/", b"content")
        print(connection.getresponse().read())
        connection.close()
        print(fields_sent(server), origin.requests)


@section
def tunnel_by_default_ports_and_odd_hosts() -> None:
    for kind in (http.client.HTTPConnection, http.client.HTTPSConnection):
        for host, port in (("www.example", None), ("www.example:81", None), ("www.example", 81), ("WWW.example", 0)):
            connection: Any = kind("proxy.example", 8080)
            connection.set_tunnel(host, port)
            print(connection._tunnel_host, connection._tunnel_port, connection.host, connection.port)
    bad: tuple[Any, ...] = ("a:b", "")
    for host in bad:
        connection = http.client.HTTPConnection("proxy.example", 8080)
        attempt(repr(host), connection.set_tunnel, host)


@section
def tunnels_that_are_refused() -> None:
    answers: tuple[bytes, ...] = (
        REFUSED,
        b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
        b"HTTP/1.0 403  Not  here \r\n\r\n",
        b"garbage\r\n",
        b"",
    )
    answers += (
        b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n",
        b"HTTP/1.1 200 " + b"x" * 65536,
        b"HTTP/2.0 500 Five\r\n\r\n",
    )
    for answer in answers:
        with proxy(answer=answer or b" ") as server:
            connection: Any = http.client.HTTPSConnection(HOST, server.port, timeout=SHORT if not answer else PATIENCE)
            connection.set_tunnel("www.example")
            attempt("request", connection.request, "GET", "/")
            connection.close()
    with proxy(answer=b"HTTP/1.1 200 OK\r\nA: " + b"x" * 65536) as server:
        connection = http.client.HTTPSConnection(HOST, server.port, timeout=PATIENCE)
        connection.set_tunnel(HOST, server.port)
        attempt("long header", lambda: connection.request("GET", "/"))
        connection.close()


@section
def tunnel_with_debug_output() -> None:
    with serving(script(OK)) as origin, proxy(answer=GRANTED[:-2] + b"Via: me\r\n\r\n") as server:
        connection: Any = http.client.HTTPConnection(HOST, server.port, timeout=PATIENCE)
        connection.set_tunnel(HOST, origin.port, {"Host": "given"})
        connection.connect()
        connection.set_debuglevel(1)
        connection.request("GET", "/")
        print(connection.getresponse().read())
        connection.close()


@section
def tunnel_undone() -> None:
    connection: Any = http.client.HTTPConnection("proxy.example", 8080)
    connection.set_tunnel("www.example", 80)
    connection.set_tunnel("other.example", 81, {"a": "b"})
    print(connection._tunnel_host, connection._tunnel_port)
