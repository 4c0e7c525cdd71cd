"""Trusted certificates: pinned ones, all, those of the system; and the contexts that are made for them."""

import asyncio
import hashlib
import os
import queue
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asyncclient.errors import ConnectError, TLSError
from asyncclient.exchange.tunnel import build_connect
from asyncclient.stream.dial import Route
from asyncclient.stream.hops import Tunnel
from asyncclient.stream.socks import Socks
from asyncclient.stream.tls import Trust, build_default_context, context_of, parse_trust
from asyncclient.testing import RawConnection, RawServer
from tests.servers import ROOT, Certificates, ConnectProxy
from tests.stream.peers import PATIENCE, dial

PIN = bytes(range(32))
OTHER = bytes(32)


async def secure_route(server: RawServer, trust: Trust, **options: Any) -> Route:
    context = await context_of(trust)
    name = "localhost"
    return Route(server.host, server.port, tls=context, server_name=name, fingerprints=trust.fingerprints, **options)


async def fingerprint_of(server: RawServer) -> bytes:
    stream = await dial(await secure_route(server, parse_trust(False)), PATIENCE)
    assert stream.ssl_object is not None
    certificate = stream.ssl_object.getpeercert(binary_form=True)
    assert certificate is not None
    stream.abort()
    await stream.wait_closed()
    return hashlib.sha256(certificate).digest()


async def assert_open(route: Route) -> None:
    stream = await dial(route, PATIENCE)
    stream.write(b"hello")
    assert await stream.readexactly(5) == b"olleh"
    stream.close()
    await stream.wait_closed()


def send_back_reversed(connection: RawConnection) -> None:
    if data := connection.read(5):
        connection.send(data[::-1])


# Pins

Form = Callable[[bytes], Any]
FORMS: dict[str, Form] = {
    "bytes": lambda pin: pin,
    "hex": bytes.hex,
    "with colons": lambda pin: pin.hex(":").upper(),
    "with its algorithm": lambda pin: f"sha256:{pin.hex(':')}",
    "several": lambda pin: [OTHER, pin],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
async def test_a_pinned_certificate_needs_nothing_else(tls: Certificates, form: Form) -> None:
    with RawServer(send_back_reversed, tls=tls.self_signed_context()) as server:
        trust = parse_trust(form(await fingerprint_of(server)))
        await assert_open(await secure_route(server, trust))


@pytest.mark.parametrize("pins", [OTHER.hex(), [OTHER, PIN]])
async def test_another_certificate_is_refused_before_a_byte_is_sent(tls: Certificates, pins: Any) -> None:
    received: queue.Queue[bytes] = queue.Queue()
    secure = tls.server_context()

    def listen(connection: RawConnection) -> None:
        try:
            connection.start_tls(secure)
            received.put(connection.read())
        except OSError:  # reset, maybe before the server's part of the handshake is done
            received.put(b"")

    with RawServer(listen) as server:
        found = await fingerprint_of(server)
        with pytest.raises(TLSError) as raised:
            await dial(await secure_route(server, parse_trust(pins)), PATIENCE)
        # Both connections have ended while the server is still there.
        assert [await asyncio.to_thread(received.get, timeout=5) for _ in range(2)] == [b"", b""]
    assert str(raised.value) == (
        f"certificate of 127.0.0.1:{server.port} is not the pinned one: got sha256 {found.hex(':')}"
    )
    assert isinstance(raised.value, ConnectError)


async def test_a_pin_beside_a_context_that_verifies(tls: Certificates) -> None:
    context = tls.client_context()
    with RawServer(send_back_reversed, tls=tls.server_context()) as server:
        pin = await fingerprint_of(server)
        await assert_open(await secure_route(server, Trust(context, (pin,))))
        with pytest.raises(TLSError, match="not the pinned one"):
            await dial(await secure_route(server, Trust(context, (OTHER,))), PATIENCE)
    with RawServer(send_back_reversed, tls=tls.expired_context()) as server:
        pin = await fingerprint_of(server)
        with pytest.raises(TLSError, match="certificate has expired"):
            await dial(await secure_route(server, Trust(context, (pin,))), PATIENCE)


def route_through(proxy: RawServer, server: RawServer, route: Route, tls: Certificates) -> Route:
    authority = f"{server.host}:{server.port}"
    tunnel = Tunnel(authority, build_connect(authority, []))
    return route._replace(host=proxy.host, port=proxy.port, tunnel=tunnel, proxy_tls=tls.client_context())


async def test_a_pin_is_the_servers_not_the_proxys(
    tls: Certificates, connect_proxy: Callable[..., ConnectProxy]
) -> None:
    proxy = connect_proxy(tls=tls.server_context())
    with RawServer(send_back_reversed, tls=tls.self_signed_context()) as server:
        pin, pin_of_proxy = await fingerprint_of(server), await fingerprint_of(proxy)
        assert pin != pin_of_proxy
        route = route_through(proxy, server, await secure_route(server, parse_trust(pin)), tls)
        await assert_open(route)
        with pytest.raises(TLSError, match=rf"certificate of 127\.0\.0\.1:{server.port} is not the pinned one"):
            await dial(route._replace(fingerprints=(pin_of_proxy,)), PATIENCE)


async def test_a_proxy_of_another_authority_is_refused_despite_pins(
    tls: Certificates, connect_proxy: Callable[..., ConnectProxy]
) -> None:
    proxy = connect_proxy(tls=tls.self_signed_context())
    with RawServer(send_back_reversed, tls=tls.server_context()) as server:
        pins = [await fingerprint_of(server), await fingerprint_of(proxy)]
        route = route_through(proxy, server, await secure_route(server, parse_trust(pins)), tls)
        with pytest.raises(TLSError, match=rf"TLS handshake with 127\.0\.0\.1:{proxy.port} failed"):
            await dial(route, PATIENCE)


async def test_a_pin_holds_behind_a_socks_proxy(tls: Certificates) -> None:
    secure = tls.server_context()

    def converse(connection: RawConnection) -> None:
        connection.read()
        connection.send(b"\x05\x00")
        connection.read()
        connection.send(b"\x05\x00\x00\x01" + bytes(6))
        connection.start_tls(secure)
        send_back_reversed(connection)

    with RawServer(send_back_reversed, tls=secure) as server:
        pin = await fingerprint_of(server)
    with RawServer(converse) as proxy:
        route = await secure_route(proxy, parse_trust(pin), socks=Socks("socks5h"), target=("target.test", 443))
        await assert_open(route)
        with pytest.raises(TLSError, match=r"certificate of target\.test:443 is not the pinned one"):
            await dial(route._replace(fingerprints=(OTHER,)), PATIENCE)


# Arguments of a client


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, Trust(None)),
        (True, Trust(None)),
        (False, Trust(None, (), False)),
        (PIN, Trust(None, (PIN,), False)),
        (PIN.hex(), Trust(None, (PIN,), False)),
        (PIN.hex(":"), Trust(None, (PIN,), False)),
        (f"SHA256:{PIN.hex(':')}", Trust(None, (PIN,), False)),
        ([PIN, OTHER.hex()], Trust(None, (PIN, OTHER), False)),
        ({PIN}, Trust(None, (PIN,), False)),
    ],
)
def test_values_of_trust(value: Any, expected: Trust) -> None:
    assert parse_trust(value) == expected


def test_a_context_is_taken_as_it_is() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert parse_trust(context) == Trust(context)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("", ValueError),
        ("sha1:" + PIN[:20].hex(), ValueError),
        (PIN[:20], ValueError),
        (PIN.hex()[:-1], ValueError),
        (PIN.hex() + "00", ValueError),
        (PIN.hex(":")[:-3] + PIN.hex()[-2:], ValueError),
        (PIN.hex(" "), ValueError),
        (PIN.hex() + "\n", ValueError),
        ([], ValueError),
        ([PIN, "x" * 200], ValueError),
        ([80], ValueError),
        (1, TypeError),
        (0, TypeError),
        (1.5, TypeError),
    ],
)
def test_invalid_values_of_trust(value: Any, error: type[Exception]) -> None:
    """Nothing that is false or empty may pass for `verify nothing`, or for `verify`."""
    with pytest.raises(error, match=r"^expected .*, got ") as raised:
        parse_trust(value)
    assert len(str(raised.value)) < 160


# Contexts


async def test_a_context_that_verifies_nothing(tls: Certificates) -> None:
    context = await context_of(parse_trust(False))
    assert context.verify_mode == ssl.CERT_NONE
    assert not context.check_hostname
    assert context is await context_of(parse_trust(PIN))
    with RawServer(send_back_reversed, tls=tls.self_signed_context()) as server:
        await assert_open(await secure_route(server, parse_trust(False)))
    secure = tls.server_context()
    with RawServer(RawConnection.wait_closed, tls=secure) as server:
        stream = await dial(await secure_route(server, parse_trust(False)), PATIENCE)
        assert stream.ssl_object is not None
        assert stream.ssl_object.selected_alpn_protocol() == "http/1.1"
        stream.abort()
        await stream.wait_closed()


async def test_contexts_that_verify_are_the_one_of_the_process(tls: Certificates) -> None:
    context = await context_of(parse_trust(None))
    assert context is await context_of(parse_trust(True))
    assert context is build_default_context()
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    refused = pytest.raises(TLSError, match="certificate verify failed")
    with RawServer(send_back_reversed, tls=tls.server_context()) as server, refused:
        await dial(await secure_route(server, parse_trust(None)), PATIENCE)


TRUSTSTORE = """
import ssl

class SSLContext(ssl.SSLContext):
    pass
"""
PROBE = """
import sys
from asyncclient.stream import tls

sys.platform = sys.argv[1]
context = tls.build_default_context()
print(type(context).__module__, context.verify_mode.name, context.check_hostname, len(context.get_ca_certs()))
print(context.keylog_filename, tls._unverified_context().keylog_filename)
"""


def probe_tls(directory: Path, platform: str, environment: dict[str, str]) -> list[str]:
    """Make contexts in a process of its own, where each is made for the first time."""
    path = os.pathsep.join([str(directory), str(ROOT)])
    ours = {"SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"}
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    result = subprocess.run(
        [sys.executable, "-c", PROBE, platform],
        cwd=directory,
        env=inherited | {"PYTHONPATH": path} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.splitlines()


@pytest.mark.parametrize(
    ("platform", "variable", "has_truststore", "expected"),
    [
        ("darwin", "", True, "truststore"),
        ("win32", "", True, "truststore"),
        ("linux", "", True, "ssl"),
        ("darwin", "SSL_CERT_FILE", True, "ssl"),
        ("darwin", "SSL_CERT_DIR", True, "ssl"),
        ("darwin", "", False, "ssl"),
        ("linux", "SSL_CERT_FILE", False, "ssl"),
    ],
)
def test_the_authorities_of_the_default_context(
    tmp_path: Path, tls: Certificates, platform: str, variable: str, has_truststore: bool, expected: str
) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_bytes(tls.ca.cert_pem.bytes())
    (tmp_path / "truststore.py").write_text(TRUSTSTORE)
    if not has_truststore:  # it can't be imported then, should there be a real one
        (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['truststore'] = None")
    where = str(authority) if variable == "SSL_CERT_FILE" else str(tmp_path)
    kind, mode, checks_host, count = probe_tls(tmp_path, platform, {variable: where} if variable else {})[0].split()
    assert (kind, mode, checks_host) == (expected, "CERT_REQUIRED", "True")
    if variable == "SSL_CERT_FILE":
        assert count == "1"


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_tls_keys_are_logged_to_the_file_of_the_environment(tmp_path: Path, platform: str) -> None:
    (tmp_path / "truststore.py").write_text(TRUSTSTORE)
    log = str(tmp_path / "keys")
    assert probe_tls(tmp_path, platform, {"SSLKEYLOGFILE": log})[1] == f"{log} {log}"
    assert probe_tls(tmp_path, platform, {})[1] == "None None"


def probe_key_log(directory: Path, log: Path) -> tuple[int, str]:
    code = "from asyncclient.stream import tls; print(tls._unverified_context().keylog_filename)"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SSLKEYLOGFILE": str(log)}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=directory, env=environment, capture_output=True, text=True, timeout=20
    )
    return result.returncode, result.stdout or result.stderr.splitlines()[-1]


def test_the_file_for_keys_is_its_owners_alone(tmp_path: Path) -> None:
    log = tmp_path / "keys"
    assert probe_key_log(tmp_path, log) == (0, f"{log}\n")
    assert log.stat().st_mode & 0o777 == 0o600
    log.write_text("kept")
    assert probe_key_log(tmp_path, log)[0] == 0
    assert log.read_text().startswith("kept")


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_a_file_for_keys_that_would_block_or_is_a_device_is_an_error(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    log = tmp_path / "keys"
    make(log)
    code, text = probe_key_log(tmp_path, log)
    assert (code, "SSLKEYLOGFILE: " in text, repr(str(log)) in text) == (1, True, True)


def test_keys_may_go_to_the_null_device(tmp_path: Path) -> None:
    assert probe_key_log(tmp_path, Path(os.devnull))[0] == 0
