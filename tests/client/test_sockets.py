"""The sockets of a client: TCP keep-alive, options of the caller, Unix sockets."""

import asyncio
import json
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import compat
from asyncclient import Client, ConnectError, HTTPConnection, Response, StaticResolver
from asyncclient.pool import late_options
from asyncclient.testing import RawServer
from tests.client.answering import Answering
from tests.pool.hosts import wait_until
from tests.pool.invariant import check_quiet
from tests.servers import Certificates, ConnectProxy, raw_response

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
KEEPS_ALIVE = (socket.SOL_SOCKET, socket.SO_KEEPALIVE)
IDLE = (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
INTERVAL = (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL)

Option = tuple[int, int]


async def read_options(client: Client, url: str, *names: Option) -> list[int]:
    """The values of socket options of the connection on which a URL is fetched, after the late ones are set."""
    async with client.stream("GET", url) as response:
        await wait_until(lambda: client._pool._late_options.timer is None)
        return options_of(response, *names)


def options_of(response: Response, *names: Option) -> list[int]:
    own = raw_response(response)._stream.get_extra_info("socket")
    return [own.getsockopt(*name) for name in names]


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Late options are set in the next turn of the loop."""
    monkeypatch.setattr(late_options, "DELAY", 0.0)


DIRECT = [
    pytest.param({}, id="to an address"),
    pytest.param({"resolver": StaticResolver({"127.0.0.1": "127.0.0.1"}), "local_address": "127.0.0.1"}, id="from"),
    pytest.param({"socket_options": [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]}, id="with another option"),
]


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("options", DIRECT)
async def test_tcp_keep_alive_is_on(options: dict[str, Any]) -> None:
    with Answering(default=OK) as server:
        async with Client(trust_env=False, **options) as client:
            assert await read_options(client, server.url, KEEPS_ALIVE, IDLE, INTERVAL) == [1, 60, 15]


async def test_tcp_keep_alive_is_not_set_on_a_connection_that_was_just_opened() -> None:
    with Answering(default=OK) as server:
        async with Client(trust_env=False) as client, client.stream("GET", server.url) as response:
            assert options_of(response, KEEPS_ALIVE) == [0]
            assert client._pool._late_options.timer is not None


@pytest.mark.usefixtures("soon")
async def test_tcp_keep_alive_is_on_while_a_connection_is_idle() -> None:
    with Answering(default=OK) as server:
        async with Client(trust_env=False) as client:
            await client.get(server.url)
            await wait_until(lambda: client._pool._late_options.timer is None)
            (idle,) = client._pool.slots.idle
            assert idle.wire.stream.get_extra_info("socket").getsockopt(*KEEPS_ALIVE) == 1


async def test_tcp_keep_alive_is_set_when_a_connection_is_given_away() -> None:
    upgraded = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
    fields = {"Connection": "upgrade", "Upgrade": "x"}
    with Answering(default=upgraded) as server:
        async with Client(trust_env=False) as client, client.stream("GET", server.url, headers=fields) as response:
            assert options_of(response, KEEPS_ALIVE, IDLE, INTERVAL) == [1, 60, 15]
            assert response.upgraded is not None
            response.upgraded[1].close()


@pytest.mark.usefixtures("soon")
async def test_tcp_keep_alive_is_on_for_one_of_several_addresses() -> None:
    with Answering(default=OK) as server:
        async with Client(trust_env=False, resolver=StaticResolver({"a.test": ["::1", "127.0.0.1"]})) as client:
            assert await read_options(client, server.url_as("a.test"), KEEPS_ALIVE, IDLE) == [1, 60]


@pytest.mark.usefixtures("soon")
async def test_tcp_keep_alive_is_on_with_tls(tls: Certificates) -> None:
    with RawServer.replying(OK, tls=tls.server_context()) as server:
        async with Client(ssl=tls.client_context(), trust_env=False) as client:
            assert await read_options(client, f"https://localhost:{server.port}", KEEPS_ALIVE, IDLE) == [1, 60]


@pytest.mark.usefixtures("soon")
async def test_tcp_keep_alive_is_on_to_a_proxy(tls: Certificates) -> None:
    with RawServer.replying(OK, tls=tls.server_context()) as server, ConnectProxy() as proxy:
        async with Client(ssl=tls.client_context(), proxy=proxy.url) as client:
            assert await read_options(client, f"https://localhost:{server.port}", KEEPS_ALIVE, IDLE) == [1, 60]


@pytest.mark.usefixtures("soon")
async def test_the_callers_options_take_precedence_over_keep_alive() -> None:
    with Answering(default=OK) as server:
        async with Client(trust_env=False, socket_options=[(*IDLE, 7)]) as client:
            assert await read_options(client, server.url, KEEPS_ALIVE, IDLE, INTERVAL) == [1, 7, 15]
        async with Client(trust_env=False, socket_options=[(*KEEPS_ALIVE, 0)]) as client:
            assert await read_options(client, server.url, KEEPS_ALIVE) == [0]


async def test_an_option_that_the_system_refuses_is_a_connect_error() -> None:
    with Answering(default=OK) as server:
        async with Client(trust_env=False, socket_options=[(socket.SOL_SOCKET, 9999, 1)]) as client:
            with pytest.raises(ConnectError, match="no connection to"):
                await client.get(server.url)
            check_quiet(client)


@pytest.mark.parametrize("options", [[(1, 2)], ["abc"], [(1, 2, None)], [(1, 2, 3, 4)], [("SO_KEEPALIVE", 1, 1)], [5]])
@pytest.mark.parametrize("make", [Client, compat.Client, partial(HTTPConnection, "a")])
def test_invalid_socket_options_are_refused(make: Callable[..., object], options: list[Any]) -> None:
    with pytest.raises(TypeError, match=r"expected \(level, name, value\) in socket_options, got "):
        make(socket_options=options)


# Interfaces


def interface_of(response: Response) -> bytes:
    own = raw_response(response)._stream.get_extra_info("socket")
    name: bytes = own.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16)
    return name.rstrip(b"\0")


@pytest.mark.parametrize("options", [{}, {"local_address": "127.0.0.1", "socket_options": [(*IDLE, 7)]}])
async def test_connections_are_bound_to_an_interface(options: dict[str, Any], tls: Certificates) -> None:
    with Answering(default=OK) as server, RawServer.replying(OK, tls=tls.server_context()) as secure:
        resolver = StaticResolver({"a.test": ["::1", "127.0.0.1"]})
        async with Client(interface="lo", resolver=resolver, ssl=tls.client_context(), **options) as client:
            for url in (server.url, server.url_as("a.test"), secure.url):
                async with client.stream("GET", url) as response:
                    assert (interface_of(response), await response.read()) == (b"lo", b"ok")
        async with Client() as client, client.stream("GET", server.url) as response:
            assert interface_of(response) == b""


async def test_the_connection_to_a_proxy_is_bound_to_the_interface(tls: Certificates) -> None:
    with RawServer.replying(OK, tls=tls.server_context()) as server, ConnectProxy() as proxy:
        client = Client(ssl=tls.client_context(), proxy=proxy.url, interface="lo")
        async with client, client.stream("GET", f"https://localhost:{server.port}") as response:
            assert interface_of(response) == b"lo"


async def test_an_unknown_interface_is_a_connect_error() -> None:
    with Answering(default=OK) as server:
        async with Client(interface="no-such-device") as client:
            with pytest.raises(ConnectError, match="No such device"):
                await client.get(server.url)
            check_quiet(client)


@pytest.mark.parametrize("name", ["", "x" * 16, "a\0b"])
def test_an_invalid_interface_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected a name of 1 to 15 bytes as interface, got"):
        Client(interface=name)


def test_an_interface_is_refused_where_the_system_can_not_bind_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "SO_BINDTODEVICE")
    with pytest.raises(ValueError, match="expected no interface on this system, which has no SO_BINDTODEVICE"):
        Client(interface="lo")


# Unix sockets


@asynccontextmanager
async def serve_at(path: Path, context: ssl.SSLContext | None = None) -> AsyncIterator[list[bytes]]:
    """A server at a Unix socket that answers with the request's line, Host and content as JSON; /moved redirects."""
    accepted: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(b"")
        writers.append(writer)
        try:
            while True:
                line, *fields = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                named = dict(field.lower().split(": ", 1) for field in fields if field)
                content = await reader.readexactly(int(named.get("content-length", 0)))
                body = json.dumps([line, named["host"], content.decode()]).encode()
                moved = b"Location: http://elsewhere.test/there\r\n" if "/moved" in line else b""
                status = b"302 Found" if moved else b"200 OK"
                writer.write(b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, moved, len(body), body))
        except (EOFError, OSError):
            writer.close()

    server = await asyncio.start_unix_server(answer, os.fspath(path), ssl=context)
    try:
        yield accepted
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


async def test_a_client_at_a_unix_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with serve_at(tmp_path / "s") as accepted, Client(socket_path=tmp_path / "s") as client:
        response = await client.get("http://docker/version")
        assert response.json() == ["GET /version HTTP/1.1", "docker", ""]
        assert (await client.post("http://docker/new", json={})).json() == ["POST /new HTTP/1.1", "docker", "{}"]
        assert (await client.get("http://docker/moved")).json() == ["GET /there HTTP/1.1", "elsewhere.test", ""]
        assert len(accepted) == 2  # one for each origin
        check_quiet(client)


async def test_tls_at_a_unix_socket(tmp_path: Path, tls: Certificates) -> None:
    client = Client(socket_path=str(tmp_path / "s"), ssl=tls.client_context())
    async with serve_at(tmp_path / "s", tls.server_context()), client:
        assert (await client.get("https://localhost/")).json() == ["GET / HTTP/1.1", "localhost", ""]


@pytest.mark.usefixtures("soon")
async def test_options_at_a_unix_socket_are_the_callers_alone(tmp_path: Path) -> None:
    buffer = (socket.SOL_SOCKET, socket.SO_SNDBUF)
    client = Client(socket_path=tmp_path / "s", socket_options=[(*buffer, 5000)])
    async with serve_at(tmp_path / "s"), client:
        assert await read_options(client, "http://docker/", buffer, KEEPS_ALIVE) == [10000, 0]


async def test_a_unix_socket_without_a_server_is_a_connect_error(tmp_path: Path) -> None:
    async with Client(socket_path=tmp_path / "s") as client:
        with pytest.raises(ConnectError, match=r"no connection to .*/s: "):
            await client.get("http://docker/")
        check_quiet(client)


@pytest.mark.parametrize("other", [{"proxy": "http://a.test"}, {"local_address": "127.0.0.1"}, {"interface": "lo"}])
def test_a_unix_socket_excludes_other_routes(other: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected no proxy, local_address or interface with a socket_path"):
        Client(socket_path="/s", **other)


def test_invalid_socket_path_is_refused() -> None:
    with pytest.raises(TypeError):
        Client(socket_path=5)  # type: ignore[arg-type]
