"""A real server: files, big contents, an application behind it; plain and over TLS, by compat and by what uses it."""

import hashlib
import io
import json
import random
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

import compat
from compat import client
from tests.servers import Caddy, Certificates

MEBIBYTE = 1024 * 1024


@pytest.fixture(params=["plain", "tls"])
def connection(request: pytest.FixtureRequest, caddy: Caddy, tls: Certificates) -> Iterator[client.HTTPConnection]:
    if request.param == "plain":
        made = client.HTTPConnection(caddy.host, caddy.port, 10)
    else:
        made = client.HTTPSConnection("localhost", caddy.tls_port, timeout=10, context=tls.client_context())
    with closing(made):
        yield made


def test_files_over_one_connection(connection: client.HTTPConnection, caddy: Caddy) -> None:
    socks = set()
    for name in ("1k.bin", "1m.bin", "1k.bin"):
        connection.request("GET", f"/{name}")
        response = connection.getresponse()
        content = (caddy.files / name).read_bytes()
        assert (response.status, response.getheader("content-length")) == (200, str(len(content)))
        assert response.read() == content
        socks.add(id(connection.sock))
    assert len(socks) == 1


def test_head_and_missing_file(connection: client.HTTPConnection) -> None:
    for method, url, expected in (("HEAD", "/1m.bin", (200, b"")), ("GET", "/parrot.spam", (404, b""))):
        connection.request(method, url)
        response = connection.getresponse()
        assert (response.status, response.read()) == expected


READERS: dict[str, Callable[[client.HTTPResponse], bytes]] = {
    "read": lambda response: response.read(),
    "read(n)": lambda response: b"".join(iter(lambda: response.read(10_007), b"")),
    "read1": lambda response: b"".join(iter(lambda: response.read1(70_000), b"")),
    "lines": lambda response: b"".join(response),
    "fp": lambda response: response.fp.read(),
}


@pytest.mark.parametrize("reader", READERS)
def test_much_content_however_it_is_read(reader: str, connection: client.HTTPConnection, caddy: Caddy) -> None:
    content = random.Random(1).randbytes(5 * MEBIBYTE)
    (caddy.files / "5m.bin").write_bytes(content)
    connection.request("GET", "/5m.bin", headers={"Connection": "close"})
    assert READERS[reader](connection.getresponse()) == content


CONTENT = bytes(range(256)) * 20_000

BODIES: dict[str, Callable[[], object]] = {
    "bytes": lambda: CONTENT,
    "generator": lambda: (CONTENT[at : at + 9_999] for at in range(0, len(CONTENT), 9_999)),
    "file": lambda: io.BytesIO(CONTENT),
}


@pytest.mark.parametrize("body", BODIES)
def test_uploads_arrive_whole(body: str, connection: client.HTTPConnection) -> None:
    connection.request("POST", "/app/echo", BODIES[body]())
    response = connection.getresponse()
    told = json.loads(response.read())
    assert (response.status, told["length"]) == (200, len(CONTENT))
    assert told["sha256"] == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.filterwarnings("ignore:imported before compat.install:RuntimeWarning")
def test_urllib_fetches_over_tls(caddy: Caddy, tls: Certificates) -> None:
    with compat.install(), urllib.request.urlopen(f"{caddy.tls_url}/1k.bin", context=tls.client_context()) as response:
        assert isinstance(response, client.HTTPResponse)
        assert response.read() == (caddy.files / "1k.bin").read_bytes()
