"""Transcript: the standard library's own users: urllib.request, xmlrpc.client, logging."""

import io
import logging
import logging.handlers
import threading
import urllib.error
import urllib.request
import xmlrpc.client
import xmlrpc.server
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from asyncclient.testing import RawConnection
from tests.compat.transcript.report import attempt, note_port, section
from tests.compat.transcript.servers import (
    CLOSE,
    NOT_FOUND,
    OK,
    PATIENCE,
    SHORT,
    refusing_port,
    script,
    scripts,
    serving,
)
from tests.compat.transcript.tls_and_tunnels import certificates, fields_sent, proxy

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: 1\r\n\r\n7\r\nabc\ndef\r\n0\r\n\r\n"


def opened(target: Any, data: Any = None, **options: Any) -> Any:
    """Open a URL without the proxies of the environment; tell the answer, and read it."""
    context = options.pop("context", None)
    handlers = [urllib.request.ProxyHandler({}), *([urllib.request.HTTPSHandler(context=context)] if context else [])]
    opener = urllib.request.build_opener(*handlers)
    opener.addheaders = [("User-agent", "transcript")]
    with opener.open(target, data, **{"timeout": PATIENCE, **options}) as response:
        print(response.status, response.reason, response.msg, response.geturl(), response.getheaders(), response.code)
        print(response.url, response.headers["X"], response.isclosed(), response.fileno() >= 0)
        return response.read()


@section
def urllib_gets_and_posts() -> None:
    for answer in (OK, CLOSE, CHUNKED, b"HTTP/1.0 200 OK\r\n\r\nuntil close"):
        with serving(script(answer, then=RawConnection.close)) as server:
            attempt("open", lambda: opened(f"{server.url}/path?query"))
            print(server.requests)
    for data in (b"form", io.BytesIO(b"file"), iter((b"a", b"b")), b""):
        with serving(script(OK)) as server:
            attempt("open", opened, server.url, data)
            print(server.requests)
    with serving(script(OK)) as server:
        request = urllib.request.Request(server.url, b"put", {"Content-type": "x/y", "Host": "given"}, method="PUT")
        attempt("open", lambda: opened(request))
        print(server.requests)


@section
def urllib_reads_in_pieces() -> None:
    for answer in (OK, CHUNKED, b"HTTP/1.0 200 OK\r\n\r\nun\ntil\nclose"):
        with (
            serving(script(answer, then=RawConnection.close)) as server,
            urllib.request.urlopen(server.url, timeout=PATIENCE) as response,
        ):
            print(response.read(2), response.readline(), list(response), response.read())
    with serving(script(OK)) as server, TemporaryDirectory() as directory:
        name, message = urllib.request.urlretrieve(server.url, Path(directory) / "file")
        print(Path(name).read_bytes(), message.items())


@section
def urllib_meets_errors() -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: /moved\r\nContent-Length: 0\r\n\r\n"
    with serving(scripts(script(moved), script(OK))) as server:
        attempt("moved", lambda: opened(f"{server.url}/first"))
        print(server.requests)
    with serving(script(NOT_FOUND)) as server:
        try:
            opened(server.url)
        except urllib.error.HTTPError as error:
            print(repr(error), error.code, error.reason, error.headers.items(), error.read())
            error.close()
    for answer in (b"", b"garbage\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"):
        with serving(script(answer, then=RawConnection.close)) as server:
            attempt("open", lambda: opened(server.url))
    with serving(script(b"", then=RawConnection.hold)) as server:
        attempt("slow", lambda: opened(server.url, timeout=SHORT))
    with refusing_port() as port:
        attempt("refused", opened, f"http://127.0.0.1:{port}/")
    attempt("unknown", lambda: opened("http://nowhere.invalid/"))
    attempt("bad port", lambda: opened("http://127.0.0.1:x/"))
    attempt("bad target", lambda: opened("http://127.0.0.1/a b"))


@section
def urllib_over_tls() -> None:
    with serving(script(OK), tls=certificates().server_context()) as server:
        url = f"https://localhost:{server.port}/"
        attempt("untrusted", lambda: opened(url))
        attempt("trusted", lambda: opened(url, context=certificates().client_context()))
        print(server.requests)


@section
def urllib_through_proxies() -> None:
    with serving(script(OK)) as server:
        handler = urllib.request.ProxyHandler({"http": server.url})
        with urllib.request.build_opener(handler).open("http://www.example/path", timeout=PATIENCE) as response:
            print(response.read(), [head.splitlines()[:1] for head in server.requests])
    with serving(script(OK), tls=certificates().server_context()) as origin, proxy() as server:
        handler = urllib.request.ProxyHandler({"https": f"http://user:password@{server.host}:{server.port}"})
        secure = urllib.request.HTTPSHandler(context=certificates().client_context())
        opener = urllib.request.build_opener(handler, secure)
        with opener.open(f"https://localhost:{origin.port}/path", timeout=PATIENCE) as response:
            print(response.read(), fields_sent(server), [head.splitlines()[:1] for head in origin.requests])


@contextmanager
def xmlrpc_server() -> Iterator[int]:
    with xmlrpc.server.SimpleXMLRPCServer(("127.0.0.1", 0), logRequests=False, allow_none=True) as server:
        server.register_function(lambda *arguments: list(arguments), "echo")
        server.register_function(lambda: 1 / 0, "fail")
        server.register_introspection_functions()
        server.register_multicall_functions()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield note_port(server.server_address[1])
        finally:
            server.shutdown()
            thread.join(PATIENCE)


@section
def remote_procedure_calls() -> None:
    with xmlrpc_server() as port, xmlrpc.client.ServerProxy(f"http://127.0.0.1:{port}", allow_none=True) as proxied:
        attempt("echo", lambda: proxied.echo(1, "ü", None, [True, {"a": 2.5}]))
        attempt("big", lambda: len(str(proxied.echo("x" * 100_000))))
        attempt("fail", proxied.fail)
        attempt("unknown", proxied.nothing)
        attempt("methods", proxied.system.listMethods)
        calls = xmlrpc.client.MultiCall(proxied)
        calls.echo(1)
        calls.echo(2)
        attempt("multicall", lambda: list(iter(calls())))
    with serving(script(NOT_FOUND)) as server, xmlrpc.client.ServerProxy(server.url) as proxied:
        try:
            proxied.echo()
        except xmlrpc.client.ProtocolError as error:
            print(error.errcode, error.errmsg, list(error.headers.items()))


@section
def remote_procedure_calls_on_a_connection_that_ended() -> None:
    """The transport asks once more when a connection that was kept has been closed meanwhile."""
    content = xmlrpc.client.dumps((5,), methodresponse=True).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n" % len(content)

    def answer_and_close(connection: RawConnection) -> None:
        script(head + content, then=lambda connection: connection.read_request())(connection)

    with (
        serving(scripts(answer_and_close, script(head + content))) as server,
        xmlrpc.client.ServerProxy(server.url) as proxied,
    ):
        print(proxied.one(), proxied.two(), server.accepted)


class Handler(logging.handlers.HTTPHandler):
    """It sends what is the same in each run, and raises what goes wrong."""

    def mapLogRecord(self, record: logging.LogRecord) -> dict[str, Any]:  # noqa: N802
        return {"name": record.name, "level": record.levelname, "text": record.getMessage()}

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        raise


@section
def log_records() -> None:
    record = logging.LogRecord("name", logging.WARNING, "path", 1, "text %s", ("ü&?",), None)
    for method in ("GET", "POST"):
        with serving(script(OK)) as server:
            handler = Handler(f"{server.host}:{server.port}", "/log?a=1", method, credentials=("user", "password"))
            attempt(method, handler.emit, record)
            print(server.requests)
    with refusing_port() as port:
        attempt("refused", Handler(f"127.0.0.1:{port}", "/").emit, record)
    with serving(script(OK), tls=certificates().server_context()) as server:
        context = certificates().client_context()
        handler = Handler(f"localhost:{server.port}", "/log", "POST", secure=True, context=context)
        attempt("secure", lambda: handler.emit(record))
        print(server.requests)
